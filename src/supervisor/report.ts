/**
 * Reports of a worker to the supervisor: what it has counted, how it is, and its latest errors.
 *
 * Once a second, less often while nothing happens, and before it ends, so that no count is lost in a
 * reload.
 */
import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import { logChannel, reloadChannel, type ReloadRecord } from "../base/channels.ts";
import { type Counter, type Counts } from "../base/counts.ts";
import { type LogLevel, logLevels, type LogRecord } from "../base/log.ts";
import { redact } from "../base/redact.ts";

export interface WorkerReport {
  counts?: Counts;
  gauges: WorkerGauges;
  /** Logged since the last report, newest last. */
  errors?: ErrorNote[];
  /** Handler modules built since the last report. */
  builds?: BuildNote[];
}

/** State of a worker. */
export interface WorkerGauges {
  /** Requests that are being served. */
  active: number;
  /** Resident memory in bytes. */
  rss: number;
  /** Used JavaScript heap in bytes. */
  heap: number;
  /** Longest delay of the event loop since the last report, in milliseconds. */
  lag: number;
  /** Share of the time since the last report in which the event loop was busy, 0 to 1. */
  utilization: number;
  /** Open connections by socket of the sidecar's own. */
  sockets?: Record<string, number>;
}

export interface ErrorNote {
  /** Milliseconds since 1970. */
  at: number;
  level: LogLevel;
  message: string;
  code?: string;
  uniqueId?: string;
  /** First line of a handler in the stack, e.g. `/srv/a.ts:3:9`. */
  place?: string;
  /** Text of that line. */
  source?: string;
}

export interface BuildNote {
  /** Milliseconds since 1970. */
  at: number;
  file: string;
  /** Of the module, from 1. */
  version: number;
  /** Milliseconds. */
  duration: number;
  error?: string;
}

/** Finds the line of a handler that an error comes from. */
export type Locate = (error: unknown) => { place: string; source: string } | undefined;

export interface ReporterOptions {
  counter: Counter;
  locate: Locate;
  send: (report: WorkerReport) => void;
  /** Longest delay of the heartbeat since the last call, in milliseconds. */
  takeLateness: () => number;
  /** @default 1_000 */
  intervalMs?: number;
}

/** Errors kept between two reports: a flood of errors is not a flood of messages. */
const maxNotes = 20;

/** Reports until the process ends; the returned function reports at once. */
export function startReports({
  counter,
  locate,
  send,
  takeLateness,
  intervalMs = 1000,
}: ReporterOptions): () => void {
  let delay: ReturnType<typeof startDelay> | undefined;
  let utilization = performance.eventLoopUtilization();
  let errors: ErrorNote[] = [];
  let builds: BuildNote[] = [];
  onError(locate, (note) => {
    counter.addEvent("errors");
    if (errors.length < maxNotes) errors.push(note);
  });
  reloadChannel.subscribe((message) => {
    if (builds.length < maxNotes) builds.push(buildOf(message as ReloadRecord));
  });
  let memory = { rss: 0, heapUsed: 0 };
  let quiet = 0;
  let last = "";
  const report = (): void => {
    const now = performance.eventLoopUtilization();
    const { utilization: busy } = performance.eventLoopUtilization(now, utilization);
    const counts = counter.take();
    const { active } = counter;
    // Of an idle process the reports would be most of the work.
    const state = JSON.stringify([active, ...counter.sockets]);
    const notes = errors.length + builds.length;
    quiet = busy < idleShare && !counts && notes === 0 && state === last ? quiet + 1 : 0;
    last = state;
    utilization = now;
    // The first one of a quiet process says that it is quiet.
    if (quiet > 1 && quiet % quietEvery !== 0) return;
    try {
      memory = process.memoryUsage();
    } catch (error) {
      // Without a free file descriptor no connection arrives. A process that has nothing to finish makes
      // room for one that can serve; else this report has the last known values.
      if (active === 0) throw error;
    }
    const { rss, heapUsed: heap } = memory;
    const late = takeLateness();
    send({
      gauges: {
        active,
        rss,
        heap,
        lag: delay ? Math.max(0, delay.max / 1e6 - resolutionMs) : late,
        utilization: busy,
        ...(counter.sockets.size > 0 && { sockets: Object.fromEntries(counter.sockets) }),
      },
      ...(counts && { counts }),
      ...(errors.length > 0 && { errors }),
      ...(builds.length > 0 && { builds }),
    });
    delay?.disable();
    delay = busy < idleShare ? undefined : startDelay();
    errors = [];
    builds = [];
  };
  setInterval(report, intervalMs).unref();
  return report;
}

/**
 * Of the timer that measures the delay, in milliseconds. It runs in a busy process only: in an idle one its
 * turns would be most of the work, and the delay is at most the time in which the process was busy.
 */
const resolutionMs = 50;

/** Share of the time from which a process is busy. */
const idleShare = 0.05;

/** Turns between two reports of a process in which nothing happens. */
const quietEvery = 5;

function startDelay(): ReturnType<typeof monitorEventLoopDelay> {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  delay.enable();
  return delay;
}

/** Calls `act` for each line of level error or more severe of this process. */
export function onError(locate: Locate, act: (note: ErrorNote) => void): () => void {
  const listener = (message: unknown): void => {
    const record = message as LogRecord;
    const isError = logLevels.indexOf(record.level) <= logLevels.indexOf("error");
    if (isError) act(noteOf(record, locate));
  };
  logChannel.subscribe(listener);
  return () => logChannel.unsubscribe(listener);
}

function noteOf({ level, message, code, uniqueId, error }: LogRecord, locate: Locate): ErrorNote {
  return {
    at: Date.now(),
    level,
    message: redact(message).slice(0, 1000),
    ...(code !== undefined && { code }),
    ...(uniqueId && { uniqueId }),
    ...locate(error),
  };
}

function buildOf({ entry, generation, duration, error }: ReloadRecord): BuildNote {
  return {
    at: Date.now(),
    file: entry,
    version: generation,
    duration,
    ...(error && { error: redact(error.message).slice(0, 1000) }),
  };
}
