/** Options of a pool and of its generations. */
import type { Listener } from "./listener.ts";
import type { WorkerReport } from "./report.ts";
import type { DrainOptions } from "./successors.ts";
import type { WorkerLimits } from "./worker-limits.ts";
import type { WorkerProcess } from "./worker-process.ts";

export interface PoolOptions {
  name: string;
  program: URL;
  /** Connections queued while no worker is free; more are closed. */
  backlog: number;
  /** Milliseconds that a new worker has until `ready`; doubled when one took longer, up to 16 times. */
  readyTimeout: number;
  /** Workers of all pools that are not ready yet. @default a set of this pool */
  starting?: Set<WorkerProcess>;
  /** Pauses before a worker that died is replaced. */
  backoff: Backoff;
  /** Receives what workers have counted; undefined when one has ended. @default nobody */
  observe?: (pid: number, report: WorkerReport | undefined) => void;
  /** Listeners; workers accept on the shared ones themselves. @default none */
  shared?: () => readonly Listener[];
  /** Run directory, for the compiled code of workers. @default it is not kept */
  run?: string;
  /** Lets a debugger attach to the one worker of the pool. @default none can */
  inspect?: { port: number; waits: boolean } | undefined;
  /** Called when a worker is started, with the milliseconds that it has until `ready`. */
  onStart?: (readyTimeout: number) => void;
  /** Called when a worker has died. */
  onDeath?: () => void;
}

/** Milliseconds: `first`, doubled at each exit up to `most`; `first` again after `reset` of uptime. */
export interface Backoff {
  first: number;
  most: number;
  reset: number;
}

export interface GenerationOptions {
  /** Number of the generation, from 1. */
  generation: number;
  workers: number;
  /** Plain data for the workers. */
  config: unknown;
  /** Limits after which a worker is replaced. @default none */
  limits?: WorkerLimits;
  /** For workers that are replaced within the generation. @default at once, 90 s */
  drain?: DrainOptions;
}
