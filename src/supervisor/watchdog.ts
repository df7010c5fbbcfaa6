/**
 * Watchdog of a worker, in the worker: a heartbeat of the event loop, and a side thread that
 * measures it and reports to the supervisor.
 *
 * A thread of the worker, because only a thread of the same process can read the stack of a blocked
 * event loop, see docs/decisions/0008-watchdog-thread.md.
 */
import { isMainThread, Worker } from "node:worker_threads";
import { getHeapStatistics } from "node:v8";
import { counter } from "../base/counts.ts";
import { addToVital, readFrom, setVital, vitals } from "../base/vitals.ts";

/** Data of the thread; times in milliseconds. */
export interface WatchdogSettings {
  /** Descriptor to write reports to. */
  descriptor: number;
  /** `vitals` of the main thread. */
  vitals: Int32Array;
  /** Process id of the supervisor: the worker ends with it. */
  supervisor: number;
  intervalMs: number;
  /** Blocked time until it is reported. */
  noticeMs: number;
  /** Time before the limit in which a replacement is started. */
  leadMs: number;
  /** Blocked time until the worker is to be killed; 0: never. */
  limitMs: number;
  /** Added to both while user modules are built. */
  buildMs: number;
}

/** A line of the thread to the supervisor. */
export type WatchdogReport =
  /** Once a second; `rss` in bytes, `vitals` as in `vitals.ts`. */
  | { type: "beat"; rss: number; vitals: number[] }
  /** The event loop has been blocked for `ms`; without a stack in native code. */
  | { type: "blocked"; ms: number; stack?: string | undefined }
  /** Still blocked, shortly before the limit: a replacement can be started. */
  | { type: "expiring" }
  /** The limit has passed. */
  | { type: "expired"; ms: number }
  /** The event loop runs again after `blocked`. */
  | { type: "recovered" };

/** Descriptor of the pipe to the supervisor: 0 to 2 are standard, 3 is the IPC channel. */
export const watchdogDescriptor = 4;

/** Blocked time in milliseconds that is logged. */
export const noticeMs = 800;

const intervalMs = 200;

/** Heartbeats between two looks at the heap. */
const heapEvery = 5;

/** Milliseconds. */
export interface WatchdogOptions {
  /** Until a blocked worker is replaced; 0: never. */
  limitMs: number;
  /** More while user modules are built. */
  buildMs: number;
  /** Until the stack of a blocked event loop is logged, if less than usual: `log.slow`. @default 0 */
  slowMs?: number;
}

/**
 * Starts the watchdog of this process. Nothing is started under a debugger, whose breakpoints block
 * the event loop, too.
 */
export function startWatchdog({ limitMs, buildMs, slowMs = 0 }: WatchdogOptions): void {
  if (!isMainThread || isDebugged()) return;
  beat();
  setInterval(beat, intervalMs).unref();
  const program = new URL("./watchdog-thread.cjs", import.meta.url);
  const leadMs = limitMs === 0 ? noticeMs : Math.min(noticeMs, limitMs / 2);
  const settings: WatchdogSettings = {
    descriptor: watchdogDescriptor,
    vitals,
    supervisor: process.ppid,
    intervalMs,
    noticeMs: slowMs > 0 ? Math.min(slowMs, leadMs) : leadMs,
    leadMs,
    limitMs,
    buildMs,
  };
  const thread = new Worker(program, {
    workerData: settings,
    execArgv: [],
    // Small: it holds a handful of objects.
    resourceLimits: { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 16, stackSizeMb: 1 },
  });
  thread.unref();
}

let lastBeat = Infinity;
let lateness = 0;

/** Longest delay of a heartbeat since the last call, in milliseconds. */
export function takeLateness(): number {
  const longest = lateness;
  lateness = 0;
  return longest;
}

function beat(): void {
  const now = performance.now();
  lateness = Math.max(lateness, now - lastBeat - intervalMs);
  lastBeat = now;
  addToVital("beats");
  if (readFrom(vitals, "beats") % heapEvery !== 1) return;
  setVital("heap", getHeapStatistics().used_heap_size / 1024);
  setVital("requests", counter.served);
}

function isDebugged(): boolean {
  return [...process.execArgv, process.env["NODE_OPTIONS"] ?? ""].some((text) =>
    text.includes("--inspect"),
  );
}
