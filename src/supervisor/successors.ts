/**
 * Successors of workers that still run, but are blocked, outdated or at a limit: ready before the
 * old worker is given up.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { ModTsError, report } from "../base/errors.ts";
import { log } from "../base/log.ts";
import type { WatchdogReport } from "./watchdog.ts";
import { exceededLimit, isRunaway, type WorkerLimits } from "./worker-limits.ts";
import type { WorkerProcess } from "./worker-process.ts";

/** Milliseconds that old workers have, see `DrainMessage`. */
export interface DrainOptions {
  linger: number;
  deadline: number;
}

export interface SuccessorOptions {
  pool: string;
  /** Milliseconds: the uptime of a worker before a limit counts, and the pause after a failure. */
  pause: number;
  limits: WorkerLimits;
  drain: DrainOptions;
  /** Aborted when all workers of the generation are replaced. */
  retired: AbortSignal;
}

/** One of each generation of a pool. */
export class Successors {
  readonly #options: SuccessorOptions;
  readonly #spawn: (slot: number) => WorkerProcess;
  readonly #spares = new Map<WorkerProcess, WorkerProcess>();
  /** One at a time: a pool never lacks more than one worker because of limits. */
  #recycling = false;

  constructor(options: SuccessorOptions, spawn: (slot: number) => WorkerProcess) {
    this.#options = options;
    this.#spawn = spawn;
  }

  /** The successor of a worker that has exited. */
  take(worker: WorkerProcess): WorkerProcess | undefined {
    const spare = this.#spares.get(worker);
    this.#spares.delete(worker);
    return spare;
  }

  /** Acts on a report of the watchdog. */
  hear(worker: WorkerProcess, told: WatchdogReport): void {
    if (this.#options.retired.aborted) return;
    switch (told.type) {
      case "beat":
        return this.#enforceLimits(worker, told);
      case "blocked":
        return reportBlocked(worker.pid, this.#options.pool, told);
      case "expiring":
        if (!this.#spares.has(worker)) this.#prepare(worker);
        return;
      case "expired":
        return void worker.kill(`event loop blocked for ${Number(told.ms)} ms`);
      case "recovered":
        return this.#dismiss(worker);
    }
  }

  /** Replaces an outdated worker, which gets no connections meanwhile. */
  async renew(worker: WorkerProcess, file: string): Promise<void> {
    const { pool } = this.#options;
    log("notice", `worker ${worker.pid} of pool ${pool} is replaced: ${file} has changed`);
    if (!(await this.#succeed(worker))) worker.serveAnyway();
  }

  #enforceLimits(
    worker: WorkerProcess,
    { rss, vitals }: { rss: number; vitals: readonly number[] },
  ): void {
    const { limits, pause } = this.#options;
    const usage = { rss, vitals, age: worker.age };
    const reason = exceededLimit(limits, usage);
    if (reason === undefined) return;
    if (isRunaway(limits, usage)) return void worker.kill(`${reason}, growing fast`);
    // Attack on availability: a limit that a fresh worker exceeds would replace it forever.
    if (this.#recycling || worker.isDraining || worker.age < pause) return;
    void this.#recycle(worker, reason);
  }

  /** Replaces a worker: its successor is ready before it is drained. */
  async #recycle(worker: WorkerProcess, reason: string): Promise<void> {
    const { pool, pause } = this.#options;
    this.#recycling = true;
    report(new ModTsError("MODTS_WORKER_RECYCLED", { pid: worker.pid, pool, reason }));
    if (!(await this.#succeed(worker))) await sleep(pause, undefined, { ref: false });
    this.#recycling = false;
  }

  /** Drains a worker when its successor is ready. False if that one could not start; never rejects. */
  async #succeed(worker: WorkerProcess): Promise<boolean> {
    const { pool, drain, retired } = this.#options;
    try {
      await (this.#spares.get(worker) ?? this.#prepare(worker)).ready;
      void worker.drain(drain.linger, drain.deadline);
    } catch (error) {
      if (retired.aborted) return true;
      const { message } = error as Error;
      report(new ModTsError("MODTS_WORKER_NOT_READY", { pool, reason: message }));
      return false;
    }
    return true;
  }

  #prepare(worker: WorkerProcess): WorkerProcess {
    const spare = this.#spawn(worker.slot);
    this.#spares.set(worker, spare);
    void spare.exited.then(() => {
      if (this.#spares.get(worker) === spare) this.#spares.delete(worker);
    });
    return spare;
  }

  /** The worker runs again: a successor that is ready takes over, one that is not is given up. */
  #dismiss(worker: WorkerProcess): void {
    const spare = this.#spares.get(worker);
    if (!spare || this.#recycling) return;
    const { linger, deadline } = this.#options.drain;
    if (spare.age >= 0) return void worker.drain(linger, deadline);
    this.#spares.delete(worker);
    void spare.kill("no longer needed");
  }
}

function reportBlocked(
  pid: number,
  pool: string,
  { ms, stack }: { ms: number; stack?: string | undefined },
): void {
  const place = new Error();
  place.name = "stack of the event loop";
  place.stack =
    stack === undefined ? "in native code, such as synchronous I/O" : `stack:\n${stack}`;
  report(new ModTsError("MODTS_WORKER_BLOCKED", { pid, pool, ms: Number(ms) }), { error: place });
}
