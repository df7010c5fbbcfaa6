/**
 * The parent: owns the listening sockets, keeps worker processes, replaces them, obeys signals.
 *
 * It loads no fastify, no compiler and no user code, so that nothing but a bug in this file's small family (`pool`,
 * `worker-process`, `listener`, `run-folder`) can end it. A crash of a worker or a reload is a short wait for the client, never a
 * refused connection: whoever connects meanwhile waits in the queue of the pool.
 * @module
 */
import { isModTsError, ModTsError } from "./errors.ts";
import {
  formatAddress,
  isLocal,
  openListener,
  type Listener,
  type ListenerOptions,
} from "./listener.ts";
import { log } from "./log.ts";
import { Pool, type Backoff } from "./pool.ts";
import { claimRunFolder, type RunFolder } from "./run-folder.ts";

export type { ListenAddress, Listener, ListenerOptions } from "./listener.ts";
export type { Backoff } from "./pool.ts";
export type {
  ConnectionMessage,
  DrainMessage,
  FromWorker,
  InitMessage,
  ToWorker,
} from "./worker-process.ts";

/** What can change with a reload. */
export interface SupervisorSettings {
  /** Workers of each pool by its name. */
  pools: Readonly<Record<string, { workers: number }>>;
  /** Handed to every worker, unread: plain data. */
  config: unknown;
  /** Milliseconds for which a replaced worker keeps idle connections, because Apache may reuse one. @default 30_000 */
  linger?: number;
  /** Milliseconds after which a replaced worker is killed; must exceed `linger` by what the longest request may take. @default 90_000 */
  drainTimeout?: number;
  /** Whether peers must know a secret. Without one only loopback and Unix sockets are opened. @default false */
  secured?: boolean;
}

export interface SupervisorOptions extends SupervisorSettings {
  /** Runtime folder: pid file and, as a rule, the sockets. One supervisor each. */
  run: string;
  /** Every listening socket; each names a pool. */
  listeners: readonly ListenerOptions[];
  /** Number of the group that may open the Unix sockets. Default: the group of the process. */
  group?: number | undefined;
  /** Program of the workers. Default: `worker.ts`, or `worker.js`, beside this file. */
  program?: URL;
  /** Reads the configuration again for a reload; an error leaves the old one in force. Default: the same settings again. */
  reread?: () => Promise<SupervisorSettings>;
  /** Connections that wait in each pool while no worker is free; further ones are closed. @default 1024 */
  backlog?: number;
  /** Milliseconds that a new worker has until it is ready. @default 30_000 */
  readyTimeout?: number;
  /** Milliseconds that requests have to finish when the supervisor stops. @default 10_000 */
  stopTimeout?: number;
  /** Pauses before a dead worker is replaced. @default { first: 100, most: 10_000, reset: 30_000 } */
  backoff?: Backoff;
}

export interface Supervisor {
  /**
   * Takes the runtime folder, opens the sockets, starts the workers. Resolves as soon as connections are accepted; they
   * wait for the workers. Throws `MODTS_ALREADY_RUNNING`, `MODTS_RUN_FOLDER`, `MODTS_SECRET_REQUIRED` or `MODTS_LISTEN_FAILED`.
   */
  start(): Promise<void>;
  /** Resolves when every pool has had a ready worker. */
  readonly ready: Promise<void>;
  /** The open sockets, with the ports that the system chose. */
  readonly listeners: readonly Listener[];
  /** Process ids of the workers of a pool, those being drained left out. */
  pids(pool: string): number[];
  /**
   * Reads the configuration again and replaces the workers, pool by pool, without failing a request. Requests for a
   * reload that come before the configuration is read are one; those that come later are one more.
   * Resolves with whether everything was replaced; never rejects.
   */
  reload(): Promise<boolean>;
  /** Accepts no more, lets requests finish for `stopTimeout`, ends everything. Called again it ends everything at once. */
  stop(): Promise<void>;
  /** Starts, then obeys signals: SIGHUP reloads, SIGTERM and SIGINT stop, the second one at once. Resolves when stopped. */
  run(): Promise<void>;
}

const defaults = {
  linger: 30_000,
  drainTimeout: 90_000,
  backlog: 1024,
  readyTimeout: 30_000,
  stopTimeout: 10_000,
  backoff: { first: 100, most: 10_000, reset: 30_000 },
} as const;

/** Makes a supervisor; nothing happens before `start` or `run`. */
export function createSupervisor(options: SupervisorOptions): Supervisor {
  return new SupervisorProcess(options);
}

class SupervisorProcess implements Supervisor {
  readonly #options: SupervisorOptions & typeof defaults;
  readonly #pools = new Map<string, Pool>();
  readonly #stopped = Promise.withResolvers<void>();
  #settings: SupervisorSettings;
  #runFolder: RunFolder | undefined;
  #listeners: Listener[] = [];
  #generation = 1;
  #stopping = false;
  /** The reload that has not read the configuration yet. */
  #nextReload: Promise<boolean> | undefined;
  /** The last reload begun, finished or not. */
  #lastReload: Promise<boolean> = Promise.resolve(true);

  constructor(options: SupervisorOptions) {
    this.#options = { ...defaults, ...options } as SupervisorOptions & typeof defaults;
    this.#settings = options;
    for (const name of Object.keys(options.pools)) this.#pools.set(name, this.#newPool(name));
  }

  get ready(): Promise<void> {
    return Promise.all([...this.#pools.values()].map((pool) => pool.ready)).then(() => {});
  }

  get listeners(): readonly Listener[] {
    return this.#listeners;
  }

  pids(pool: string): number[] {
    return this.#pools.get(pool)?.pids ?? [];
  }

  async start(): Promise<void> {
    this.#checkTrust(this.#settings);
    this.#runFolder = claimRunFolder(this.#options.run);
    try {
      for (const options of this.#options.listeners) await this.#open(options);
    } catch (error) {
      this.#release();
      throw error;
    }
    if (this.#stopping) return;
    for (const [name, pool] of this.#pools) pool.start(this.#generationOptions(name));
    void this.ready.then(() => log("notice", "ready"));
  }

  reload(): Promise<boolean> {
    this.#nextReload ??= this.#reloadAfter(this.#lastReload);
    return this.#nextReload;
  }

  async stop(): Promise<void> {
    if (this.#stopping) return this.#kill();
    this.#stopping = true;
    log("notice", "stopping");
    this.#release();
    const { stopTimeout } = this.#options;
    await Promise.all([...this.#pools.values()].map((pool) => pool.stop(stopTimeout)));
    this.#finish();
  }

  async run(): Promise<void> {
    // Before the start: a signal that comes meanwhile must not leave a pid file and sockets behind.
    const obey = (signal: NodeJS.Signals): void => {
      log("notice", `got ${signal}`);
      void (signal === "SIGHUP" ? this.reload() : this.stop());
    };
    const signals = ["SIGHUP", "SIGTERM", "SIGINT"] as const;
    for (const signal of signals) process.on(signal, obey);
    try {
      await this.start();
      await this.#stopped.promise;
    } finally {
      for (const signal of signals) process.off(signal, obey);
    }
  }

  async #reloadAfter(before: Promise<boolean>): Promise<boolean> {
    await before;
    // One turn of the event loop: signals that arrive together are one reload.
    await new Promise((resolve) => setImmediate(resolve));
    this.#lastReload = this.#nextReload!;
    this.#nextReload = undefined;
    return this.#stopping ? false : this.#replaceAll();
  }

  async #replaceAll(): Promise<boolean> {
    try {
      const settings = await (this.#options.reread?.() ?? this.#settings);
      // Attack: an edit that loses the secret would open a port that was opened under its protection.
      this.#checkTrust(settings);
      this.#settings = settings;
    } catch (error) {
      const details = isModTsError(error) ? { code: error.code } : { error };
      log("error", `not reloaded, the old configuration stays: ${String(error)}`, details);
      return false;
    }
    this.#generation += 1;
    let complete = true;
    // One pool after the other: at most one of them needs its memory twice.
    for (const [name, pool] of this.#pools) {
      if (this.#stopping) return false;
      const { linger = defaults.linger, drainTimeout = defaults.drainTimeout } = this.#settings;
      const drain = { linger, deadline: drainTimeout };
      complete = (await pool.replace(this.#generationOptions(name), drain)) && complete;
    }
    if (complete) log("notice", `reloaded, generation ${this.#generation}`);
    return complete;
  }

  #generationOptions(name: string): { generation: number; workers: number; config: unknown } {
    const { pools, config } = this.#settings;
    return { generation: this.#generation, workers: pools[name]?.workers ?? 1, config };
  }

  #newPool(name: string): Pool {
    const { backlog, readyTimeout, backoff, program = workerProgram() } = this.#options;
    const shared = (): Listener[] => this.#listeners.filter(({ pool }) => pool === name);
    return new Pool({ name, program, backlog, readyTimeout, backoff, shared });
  }

  /** Whoever reaches the socket is believed to be Apache: on a network, only with a secret. */
  #checkTrust({ secured }: SupervisorSettings): void {
    if (secured) return;
    const open = this.#options.listeners.find(({ address }) => !isLocal(address));
    if (!open) return;
    throw new ModTsError("MODTS_SECRET_REQUIRED", { address: formatAddress(open.address) });
  }

  async #open(options: ListenerOptions): Promise<void> {
    const pool = this.#pools.get(options.pool);
    if (!pool) throw new Error(`listener for unknown pool ${options.pool}`);
    const listener = await openListener(options, this.#options.group, (socket) =>
      pool.accept(options.door, socket),
    );
    // A signal may have come meanwhile.
    if (this.#stopping) return listener.close();
    this.#listeners.push(listener);
    log("notice", `${options.pool}: listening on ${formatAddress(listener.address)}`);
  }

  #release(): void {
    for (const listener of this.#listeners.splice(0)) listener.close();
    this.#runFolder?.release();
  }

  async #kill(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.kill()));
    this.#finish();
  }

  #finish(): void {
    this.#stopped.resolve();
  }
}

function workerProgram(): URL {
  const name = import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js";
  return new URL(name, import.meta.url);
}
