/**
 * The workers of one pool ("interpreter"): kept alive, replaced by generations, given connections.
 *
 * ```
 * connection ─> waiting ─> free worker with the fewest ─> accepted
 *                  ^                 │
 *                  └── returned <── died before it accepted
 * ```
 * @module
 */
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { ModTsError } from "./errors.ts";
import type { Listener } from "./listener.ts";
import { log } from "./log.ts";
import { WorkerProcess } from "./worker-process.ts";

export interface PoolOptions {
  /** Name of the pool. */
  name: string;
  /** Program that the workers run. */
  program: URL;
  /** Connections that may wait while no worker is free; further ones are closed. */
  backlog: number;
  /** Milliseconds that a new worker has until `ready`. */
  readyTimeout: number;
  /** Pauses before a worker that died is replaced. */
  backoff: Backoff;
  /** Listeners; on the shared ones the workers accept themselves. @default none */
  shared?: () => readonly Listener[];
}

/** Milliseconds: `first`, doubled at each death up to `most`, `first` again after a worker was ready for `reset`. */
export interface Backoff {
  first: number;
  most: number;
  reset: number;
}

/** What a generation of workers is started with. */
export interface GenerationOptions {
  /** Counts the reloads, from 1. */
  generation: number;
  workers: number;
  /** Plain data, passed on unread. */
  config: unknown;
}

/** How long old workers may live on, see `DrainMessage`. */
export interface DrainOptions {
  /** Milliseconds. */
  linger: number;
  /** Milliseconds. */
  deadline: number;
}

interface Generation {
  options: GenerationOptions;
  workers: Set<WorkerProcess>;
  /** Aborted when the generation is replaced or the pool stops: nothing is started for it any more. */
  retired: AbortController;
}

export class Pool {
  readonly #options: PoolOptions;
  readonly #firstReady = Promise.withResolvers<void>();
  readonly #waiting: { door: string; socket: Socket }[] = [];
  readonly #draining = new Set<Generation>();
  #current: Generation | undefined;
  #next: Generation | undefined;
  #stopping = false;
  #full = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** Resolves when the pool has had its first ready worker. */
  get ready(): Promise<void> {
    return this.#firstReady.promise;
  }

  /** Process ids of the workers that serve or are being started, for the log and for tests. */
  get pids(): number[] {
    return [...(this.#current?.workers ?? [])].map(({ pid }) => pid);
  }

  /** Starts the first generation. Does not wait for it: connections do. */
  start(options: GenerationOptions): void {
    this.#current = newGeneration(options);
    for (let count = 0; count < options.workers; count += 1) {
      void this.#keepAlive(this.#current, this.#spawn(this.#current));
    }
  }

  /** Gives a connection to a worker, now or as soon as one is free. */
  accept(door: string, socket: Socket): void {
    // Nobody reads the socket here, but a peer that resets it must not end the supervisor.
    socket.on("error", () => {});
    if (this.#waiting.length >= this.#options.backlog) return this.#refuse(socket);
    this.#waiting.push({ door, socket });
    this.#deal();
  }

  /**
   * Replaces every worker: all new ones are ready before the first old one is drained. False, and nothing changed, when
   * one of the new ones does not get ready. Does not wait for the old ones to end.
   */
  async replace(options: GenerationOptions, drain: DrainOptions): Promise<boolean> {
    const next = newGeneration(options);
    this.#next = next;
    const started = Array.from({ length: options.workers }, () => this.#spawn(next));
    try {
      await Promise.all(started.map((worker) => worker.ready));
    } catch (error) {
      await this.#discard(next, error);
      return false;
    } finally {
      this.#next = undefined;
    }
    if (this.#stopping) return false;
    const old = this.#current;
    this.#current = next;
    for (const worker of started) void this.#keepAlive(next, worker);
    this.#deal();
    if (old) void this.#retire(old, drain);
    return true;
  }

  /** Lets what runs finish and ends every worker; connections still waiting are given to a worker if one is free. */
  async stop(deadline: number): Promise<void> {
    this.#stopping = true;
    this.#deal();
    for (const { socket } of this.#waiting.splice(0)) socket.destroy();
    const all = this.#generations();
    await Promise.all(all.map((generation) => this.#retire(generation, { linger: 0, deadline })));
  }

  /** Ends every worker at once. */
  async kill(): Promise<void> {
    this.#stopping = true;
    const workers = this.#generations().flatMap((generation) => {
      generation.retired.abort();
      return [...generation.workers];
    });
    await Promise.all(
      workers.map((worker) => worker.kill("the supervisor was told to stop at once")),
    );
  }

  #generations(): Generation[] {
    return [this.#next, this.#current, ...this.#draining].filter((one) => one !== undefined);
  }

  #spawn(generation: Generation): WorkerProcess {
    const { name, program, readyTimeout } = this.#options;
    const worker = new WorkerProcess({
      ...generation.options,
      pool: name,
      program,
      readyTimeout,
      onFree: () => this.#deal(),
      onReturned: (door, socket) => this.#takeBack(door, socket),
    });
    generation.workers.add(worker);
    void worker.exited.then(() => generation.workers.delete(worker));
    worker.ready.then(this.#firstReady.resolve, () => {});
    return worker;
  }

  /** Replaces the worker each time it dies, until its generation is retired. */
  async #keepAlive(generation: Generation, first: WorkerProcess): Promise<void> {
    const { name: pool, backoff } = this.#options;
    const { signal } = generation.retired;
    let pause = backoff.first;
    for (let worker = first; ; worker = this.#spawn(generation)) {
      void worker.ready.then(() => this.#share(worker)).catch(() => {});
      const reason = await worker.exited;
      if (signal.aborted) return;
      report(new ModTsError("MODTS_WORKER_DIED", { pid: worker.pid, pool, reason }));
      if (worker.age >= backoff.reset) pause = backoff.first;
      await sleep(pause, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      pause = Math.min(pause * 2, backoff.most);
    }
  }

  #share(worker: WorkerProcess): void {
    for (const { door, handle } of this.#options.shared?.() ?? []) {
      if (handle) worker.listen(door, handle);
    }
  }

  async #discard(next: Generation, error: unknown): Promise<void> {
    next.retired.abort();
    const reason = error instanceof Error ? error.message : String(error);
    await Promise.all([...next.workers].map((worker) => worker.kill("not needed any more")));
    if (this.#stopping) return;
    report(new ModTsError("MODTS_WORKER_NOT_READY", { pool: this.#options.name, reason }));
  }

  async #retire(generation: Generation, { linger, deadline }: DrainOptions): Promise<void> {
    generation.retired.abort();
    this.#draining.add(generation);
    const drained = [...generation.workers].map((worker) => worker.drain(linger, deadline));
    await Promise.all(drained);
    this.#draining.delete(generation);
  }

  #deal(): void {
    while (this.#waiting.length > 0) {
      const worker = this.#pickWorker();
      if (!worker) return;
      const { door, socket } = this.#waiting.shift()!;
      worker.offer(door, socket);
    }
    this.#full = false;
  }

  /** The free worker with the fewest connections; of equals the one that has waited longest for its turn. */
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

  #takeBack(door: string, socket: Socket): void {
    if (this.#stopping) return void socket.destroy();
    this.#waiting.unshift({ door, socket });
    this.#deal();
  }

  #refuse(socket: Socket): void {
    socket.destroy();
    // Said once each time it begins: a flood of connections must not become a flood of lines.
    if (this.#full) return;
    this.#full = true;
    const { name: pool, backlog } = this.#options;
    report(new ModTsError("MODTS_BACKLOG_FULL", { pool, limit: backlog }));
  }
}

function newGeneration(options: GenerationOptions): Generation {
  return { options, workers: new Set(), retired: new AbortController() };
}

function report(error: ModTsError): void {
  log(error.level, error.message, { code: error.code });
}
