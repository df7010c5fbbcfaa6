/** Interface and options of a supervisor, and their defaults. */
import type { ReloadOutcome, UpgradeOutcome } from "./control.ts";
import type { Listener, ListenerOptions } from "./listener.ts";
import type { SidecarStatus } from "./status.ts";
import type { Backoff } from "./pool.ts";
import type { WorkerLimits } from "./worker-limits.ts";

/** Settings that a reload can change. */
export interface SupervisorSettings {
  /** By name. */
  pools: Readonly<Record<string, { workers: number } & WorkerLimits>>;
  /** Plain data for every worker; not read here. */
  config: unknown;
  /** Milliseconds for which replaced workers keep idle connections for Apache. @default 30_000 */
  linger?: number;
  /** Milliseconds until replaced workers are killed: `linger` and one request. @default 90_000 */
  drainTimeout?: number;
  /** Peers need a secret. Without one, only loopback and Unix sockets are opened. @default false */
  secured?: boolean;
  /** Names of changed settings that need a restart. @default [] */
  restart?: readonly string[];
}

export interface SupervisorOptions extends SupervisorSettings {
  /** Run directory: pid file, control socket and, usually, the sockets. One supervisor each. */
  run: string;
  /** Directory of the configuration: `mod-ts reload` of another one is refused. */
  directory: string;
  /** Every listening socket; each names a pool. */
  listeners: readonly ListenerOptions[];
  /**
   * When the sockets open: at the start, so that connections wait for the workers, or when every
   * pool has one that is ready, so that a balancer uses another sidecar until then.
   * @default "start"
   */
  listenAt?: "start" | "ready";
  /** Id of the group that may open the Unix sockets. @default the group of the process */
  group?: number | undefined;
  /** Program of the workers. @default `worker.ts` or `worker.js`, one directory up */
  program?: URL;
  /** Reads the configuration again; rejects to keep the old one. @default the same settings */
  reread?: () => Promise<SupervisorSettings>;
  /** Opens the log file of this process again, at SIGUSR1. @default nothing */
  reopenLog?: () => void;
  /** Connections that each pool queues while no worker is free; more are closed. @default 1024 */
  backlog?: number;
  /** Milliseconds that a new worker has until it is ready, doubled at each try that took longer. @default 30_000 */
  readyTimeout?: number;
  /** Milliseconds that requests have to finish when the supervisor stops. @default 10_000 */
  stopTimeout?: number;
  /**
   * Lets debuggers attach: to the pool main at this port, to the others at the next ones, in the
   * order of their names. Each pool must have one worker.
   * @default none can
   */
  inspect?: { port: number; waits: boolean } | undefined;
  /** Pauses before a dead worker is replaced. @default 100 ms up to 10 s, reset after 30 s */
  backoff?: Backoff;
}

export interface Supervisor {
  /**
   * Claims the run directory, opens the sockets, starts the workers. Resolves as soon as connections
   * are accepted; they wait for the workers, or come after them, see `listenAt`. Throws `MODTS_ALREADY_RUNNING`,
   * `MODTS_RUN_DIRECTORY`, `MODTS_SECRET_REQUIRED` or `MODTS_LISTEN_FAILED`.
   */
  start(): Promise<void>;
  /** Resolves when every pool has had a ready worker. */
  readonly ready: Promise<void>;
  /** The open sockets, with their actual ports. */
  readonly listeners: readonly Listener[];
  /** Process ids of the workers of a pool, except those being drained. */
  pids(pool: string): number[];
  /**
   * Reads the configuration again and replaces the workers, pool by pool, without failing a request.
   * Calls before the configuration is read share one reload; later ones share the next.
   * Resolves when all new workers serve, or with the reason why they do not; never rejects.
   */
  reload(): Promise<ReloadOutcome>;
  /**
   * Resolves when the workers that a reload has replaced have ended: until then, the next request
   * on each connection that Apache keeps reaches one.
   */
  drained(): Promise<void>;
  /** What it serves, and how. */
  status(): SidecarStatus;
  /**
   * Starts the successor, a new process from the files as they are now, and gives it the sockets.
   * When it serves, this one finishes its requests and stops. Never rejects: without a successor
   * that serves, this one goes on.
   */
  upgrade(): Promise<UpgradeOutcome>;
  /**
   * Closes the sockets, gives requests `stopTimeout` to finish, ends the workers; at once if
   * repeated.
   */
  stop(): Promise<void>;
  /** Starts and handles signals: SIGHUP reloads, SIGUSR1 opens the log again, SIGTERM and SIGINT stop. Resolves when stopped. */
  run(): Promise<void>;
}

export const defaults = {
  linger: 30_000,
  drainTimeout: 90_000,
  backlog: 1024,
  readyTimeout: 30_000,
  stopTimeout: 10_000,
  backoff: { first: 100, most: 10_000, reset: 30_000 },
} as const;

/** The port of the debugger of a pool. */
export function inspectOf(
  { inspect, pools }: Pick<SupervisorOptions, "inspect" | "pools">,
  name: string,
): SupervisorOptions["inspect"] {
  const others = Object.keys(pools).filter((other) => other !== "main");
  return inspect && { ...inspect, port: inspect.port + 1 + others.toSorted().indexOf(name) };
}

/** The program of the workers, in the language of this one. */
export function workerProgram(): URL {
  const name = import.meta.url.endsWith(".ts") ? "../worker.ts" : "../worker.js";
  return new URL(name, import.meta.url);
}
