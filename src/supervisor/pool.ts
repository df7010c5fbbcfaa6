/**
 * A pool of workers ("interpreter"): keeps them alive, replaces generations, deals out connections.
 *
 * ```
 * connection ─> waiting ─> free worker with the fewest ─> accepted
 *                  ^                 │
 *                  └── returned <── died before it accepted
 * ```
 */
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { ModTsError, report } from "../base/errors.ts";
import type { BrokenModule } from "../base/version-store.ts";
import { withCodeCache } from "./code-cache.ts";
import type { Listener } from "./listener.ts";
import { ExitLog } from "./exit-log.ts";
import type { GenerationOptions, PoolOptions } from "./pool-options.ts";
import type { PoolStatus, WorkerStatus } from "./status.ts";
import { type DrainOptions, Successors } from "./successors.ts";
import { WorkerProcess } from "./worker-process.ts";

export type { Backoff, GenerationOptions, PoolOptions } from "./pool-options.ts";
export type { DrainOptions } from "./successors.ts";

interface Generation {
  options: GenerationOptions;
  workers: Set<WorkerProcess>;
  /** Aborted when the generation is replaced or the pool stops: no more workers are started. */
  retired: AbortController;
  /** Of workers that are blocked or at a limit. */
  successors: Successors;
}

export class Pool {
  readonly #options: PoolOptions;
  readonly #firstReady = Promise.withResolvers<void>();
  readonly #hopeless = Promise.withResolvers<string>();
  /** Each by its worker; those that are too late at the same time are one, as the next ones have more time. */
  readonly #failedStarts = new Set<string>();
  readonly #waiting: { transport: string; socket: Socket }[] = [];
  readonly #draining = new Set<Generation>();
  readonly #exits: ExitLog;
  #current: Generation | undefined;
  #next: Generation | undefined;
  readonly #starting: Set<WorkerProcess>;
  #readyTimeout: number;
  #stopping = false;
  #full = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#exits = new ExitLog(options.name, options.backoff.reset);
    this.#starting = options.starting ?? new Set();
    this.#readyTimeout = options.readyTimeout;
  }

  /** Resolves when the first worker is ready. */
  get ready(): Promise<void> {
    return this.#firstReady.promise;
  }

  /** Resolves with the reason when three starts have failed before one worker was ever ready. */
  get hopeless(): Promise<string> {
    return this.#hopeless.promise;
  }

  /** What the workers of the last reload could not load. */
  get broken(): BrokenModule[] {
    return [...(this.#current?.workers ?? [])].flatMap((worker) => worker.broken);
  }

  /** Process ids of the workers that serve or are starting. */
  get pids(): number[] {
    return [...(this.#current?.workers ?? [])].map(({ pid }) => pid);
  }

  get status(): Omit<PoolStatus, "counts"> {
    const workers = this.#generations().flatMap((generation) =>
      [...generation.workers].map(({ status }) => status),
    );
    return {
      name: this.#options.name,
      wanted: this.#current?.options.workers ?? 0,
      queued: this.#waiting.length,
      workers: workers.filter((status): status is WorkerStatus => status !== undefined),
    };
  }

  /** Starts the first generation without waiting for it. */
  start(options: GenerationOptions): void {
    this.#current = this.#newGeneration(options);
    for (let slot = 1; slot <= options.workers; slot += 1) {
      void this.#keepAlive(this.#current, this.#spawn(this.#current, slot));
    }
  }

  /** Lets the workers that are ready accept on a shared listener; later ones do at once. */
  share({ transport, handle }: Listener): void {
    if (!handle) return;
    for (const worker of this.#current?.workers ?? []) worker.listen(transport, handle);
  }

  /** Passes a connection to a worker as soon as one is free. */
  accept(transport: string, socket: Socket): void {
    // A connection reset by the peer must not end the supervisor.
    socket.on("error", () => {});
    if (this.#waiting.length >= this.#options.backlog) return this.#refuse(socket);
    this.#waiting.push({ transport, socket });
    this.#deal();
  }

  /**
   * Replaces every worker: all new ones are ready before the first old one is drained. Does not
   * wait for the old ones to end. Resolves with the reason when nothing was changed, as one of the
   * new ones did not get ready.
   */
  async replace(options: GenerationOptions, drain: DrainOptions): Promise<ModTsError | undefined> {
    const next = this.#newGeneration(options);
    this.#next = next;
    const started = Array.from({ length: options.workers }, (_, index) =>
      this.#spawn(next, index + 1),
    );
    try {
      await Promise.all(started.map((worker) => worker.ready));
    } catch (error) {
      return await this.#discard(next, error);
    } finally {
      this.#next = undefined;
    }
    if (this.#stopping) return this.#notReady("the sidecar is stopping");
    const old = this.#current;
    this.#current = next;
    for (const worker of started) {
      this.#shareAll(worker);
      void this.#keepAlive(next, worker);
    }
    this.#deal();
    if (old) void this.#retire(old, drain);
    return undefined;
  }

  /** Resolves when the workers of replaced generations have ended. */
  async drained(): Promise<void> {
    const old = [...this.#draining].flatMap(({ workers }) => [...workers]);
    await Promise.all(old.map(({ exited }) => exited));
  }

  /** Drains every worker; queued connections go to a worker if one is free within `linger`. */
  stop(drain: DrainOptions): Promise<void> {
    return this.#end(drain, drain.linger);
  }

  /** Drains every worker when all queued connections have one; the successor accepts new ones. */
  handOver(drain: DrainOptions): Promise<void> {
    return this.#end(drain, drain.deadline);
  }

  async #end(drain: DrainOptions, patienceMs: number): Promise<void> {
    const limit = performance.now() + patienceMs;
    while (this.#waiting.length > 0 && performance.now() < limit) await sleep(20);
    this.#stopping = true;
    this.#deal();
    this.#refuseWaiting();
    await Promise.all(this.#generations().map((generation) => this.#retire(generation, drain)));
  }

  /** Ends every worker at once. */
  async kill(): Promise<void> {
    this.#stopping = true;
    const workers = this.#generations().flatMap((generation) => {
      generation.retired.abort();
      return [...generation.workers];
    });
    await Promise.all(workers.map((worker) => worker.kill("stopped at once by a second signal")));
  }

  /** Lets every worker open its log file again. */
  reopenLogs(): void {
    for (const { workers } of this.#generations()) {
      for (const worker of workers) worker.reopenLog();
    }
  }

  #newGeneration(options: GenerationOptions): Generation {
    const { name: pool, backoff } = this.#options;
    const retired = new AbortController();
    const { limits = {}, drain = { linger: 0, deadline: 90_000 } } = options;
    const settings = { pool, pause: backoff.most, limits, drain, retired: retired.signal };
    const successors = new Successors(settings, (slot) => this.#spawn(generation, slot));
    const generation: Generation = { options, workers: new Set(), retired, successors };
    return generation;
  }

  #generations(): Generation[] {
    return [this.#next, this.#current, ...this.#draining].filter((one) => one !== undefined);
  }

  #spawn(generation: Generation, slot: number): WorkerProcess {
    const { name, program, inspect, run } = this.#options;
    const readyTimeout = this.#readyTimeout;
    const worker: WorkerProcess = new WorkerProcess({
      ...generation.options,
      pool: name,
      slot,
      inspect,
      // One for the pool: the others load at the first request.
      verifies: generation === this.#next && slot === 1,
      program,
      environment: run === undefined ? process.env : withCodeCache(run),
      readyTimeout,
      onReport: (told) => generation.successors.hear(worker, told),
      onOutdated: (file) => void generation.successors.renew(worker, file),
      onLate: () => this.#allowMore(readyTimeout),
      onFree: () => this.#deal(),
      onObserved: (observed) => this.#options.observe?.(worker.pid, observed),
      onReturned: (transport, socket) => this.#takeBack(transport, socket),
    });
    this.#options.onStart?.(readyTimeout);
    generation.workers.add(worker);
    void worker.exited.then(() => {
      generation.workers.delete(worker);
      this.#options.observe?.(worker.pid, undefined);
    });
    this.#starting.add(worker);
    const started = (): void => void this.#starting.delete(worker);
    const isReady = (): void => {
      this.#firstReady.resolve();
      if (this.#current === generation) this.#shareAll(worker);
    };
    worker.ready.then(isReady, () => {}).then(started);
    return worker;
  }

  /** Attack: a machine too busy to start a worker in time would start it again and again. */
  #allowMore(readyTimeout: number): void {
    const most = this.#options.readyTimeout * 16;
    this.#readyTimeout = Math.max(this.#readyTimeout, Math.min(readyTimeout * 2, most));
  }

  #countFailure({ pid, lateMs }: WorkerProcess, reason: string): void {
    this.#failedStarts.add(lateMs === undefined ? `process ${pid}` : `${lateMs} ms`);
    if (this.#failedStarts.size >= 3) this.#hopeless.resolve(reason);
  }

  /** Starts a worker when no other one is starting: several at once keep a busy machine busy. */
  async #spawnInTurn(generation: Generation, slot: number): Promise<WorkerProcess | undefined> {
    const { signal } = generation.retired;
    while (this.#starting.size > 0 && !signal.aborted) {
      await Promise.race([...this.#starting].map(({ ready }) => ready.catch(() => {})));
    }
    return signal.aborted ? undefined : this.#spawn(generation, slot);
  }

  /** Replaces the worker whenever it exits, until its generation is retired. */
  async #keepAlive(generation: Generation, first: WorkerProcess): Promise<void> {
    const { backoff } = this.#options;
    const { signal } = generation.retired;
    let pause = backoff.first;
    let worker = first;
    for (;;) {
      const reason = await this.#watchUptime(worker);
      if (signal.aborted) return;
      this.#options.onDeath?.();
      const spare = generation.successors.take(worker);
      if (!worker.isDraining) this.#exits.note({ pid: worker.pid, reason, age: worker.age });
      if (worker.age < 0) this.#countFailure(worker, reason);
      if (worker.age >= backoff.reset) pause = backoff.first;
      if (spare) {
        worker = spare;
        continue;
      }
      await sleep(pause, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      pause = Math.min(pause * 2, backoff.most);
      const { slot } = worker;
      // Connections that wait hold the file descriptors that a worker needs to serve them.
      if (/\b(?:EMFILE|ENFILE)\b/.test(reason)) this.#refuseWaiting();
      const next =
        worker.age < 0 ? await this.#spawnInTurn(generation, slot) : this.#spawn(generation, slot);
      if (!next) return;
      worker = next;
    }
  }

  /** Resolves with the reason of the exit. */
  async #watchUptime(worker: WorkerProcess): Promise<string> {
    let timer: NodeJS.Timeout | undefined;
    const isReady = (): void => {
      const { reset } = this.#options.backoff;
      timer = setTimeout(() => this.#exits.recover(), Math.max(0, reset - worker.age)).unref();
    };
    worker.ready.then(isReady, () => {});
    const reason = await worker.exited;
    clearTimeout(timer);
    return reason;
  }

  #shareAll(worker: WorkerProcess): void {
    for (const { transport, handle } of this.#options.shared?.() ?? []) {
      if (handle) worker.listen(transport, handle);
    }
  }

  async #discard(next: Generation, error: unknown): Promise<ModTsError> {
    next.retired.abort();
    const reason = error instanceof Error ? error.message : String(error);
    await Promise.all([...next.workers].map((worker) => worker.kill("the reload failed")));
    const failure = this.#notReady(this.#stopping ? "the sidecar is stopping" : reason);
    if (!this.#stopping) report(failure);
    return failure;
  }

  #notReady(reason: string): ModTsError {
    return new ModTsError("MODTS_WORKER_NOT_READY", { pool: this.#options.name, reason });
  }

  async #retire(generation: Generation, { linger, deadline }: DrainOptions): Promise<void> {
    generation.retired.abort();
    this.#draining.add(generation);
    const drained = [...generation.workers].map((worker) => worker.drain(linger, deadline));
    await Promise.all(drained);
    this.#draining.delete(generation);
  }

  #refuseWaiting(): void {
    for (const { socket } of this.#waiting.splice(0)) socket.destroy();
  }

  #deal(): void {
    while (this.#waiting.length > 0) {
      const worker = this.#pickWorker();
      if (!worker) return;
      const { transport, socket } = this.#waiting.shift()!;
      worker.offer(transport, socket);
    }
    this.#full = false;
  }

  /** The free worker with the fewest connections, in turn among equals. */
  #pickWorker(): WorkerProcess | undefined {
    const workers = this.#current?.workers ?? new Set();
    let best: WorkerProcess | undefined;
    for (const worker of workers) {
      if (worker.free && (!best || worker.connections < best.connections)) best = worker;
    }
    if (best) {
      workers.delete(best);
      workers.add(best);
    }
    return best;
  }

  #takeBack(transport: string, socket: Socket): void {
    if (this.#stopping) return void socket.destroy();
    this.#waiting.unshift({ transport, socket });
    this.#deal();
  }

  #refuse(socket: Socket): void {
    socket.destroy();
    // Logged once per overload, so that a flood of connections is not a flood of lines.
    if (this.#full) return;
    this.#full = true;
    const { name: pool, backlog } = this.#options;
    report(new ModTsError("MODTS_BACKLOG_FULL", { pool, limit: backlog }));
  }
}
