/**
 * Counts of this process: calls of handlers, responses, events.
 *
 * The hot path only adds numbers; readers compute labels and percentiles. A reader takes the counts
 * since the last time, so that those of a worker that ends are not lost.
 */
import { getOrCreate } from "./cache.ts";

/** Upper bounds of the buckets of durations, in seconds; one more bucket holds the rest. */
export const durationBounds: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];

/** Calls of one handler in one phase. */
export interface CallCounts {
  calls: number;
  /** Calls that threw, timed out, or returned 500 or more. */
  errors: number;
  seconds: number;
  /** Seconds of the longest call. */
  longest: number;
  /** Calls by duration, see {@link durationBounds}. */
  buckets: number[];
}

/** What was counted; plain data that survives IPC. */
export interface Counts {
  /** By phase, then handler reference. */
  calls: Record<string, Record<string, CallCounts>>;
  events: Record<string, number>;
}

/**
 * Why access was denied: the phase whose handler said so, a handler that failed, no decision in time, a question that
 * is not Apache's, or its cookies are lost.
 */
export type RefusalReason =
  | "access"
  | "authen"
  | "authz"
  | "other"
  | "failure"
  | "timeout"
  | "untrusted"
  | "cookies";

export type EventName =
  | `refused_${RefusalReason}`
  /** With the name of a socket of the configuration. */
  | `connections_${"accepted" | "refused"}_${string}`
  | "access_granted"
  | "access_denied"
  | "passwords_refused"
  | "tickets_issued"
  | "sessions_created"
  | "sessions_continued"
  | "log_lines_lost"
  | "errors";

/** Attack: the author of `.htaccess` names handlers without end. */
const maxHandlers = 500;

/** Counter of a process. */
export class Counter {
  /** Requests that are being served. */
  active = 0;
  /** Requests since the start, for the limit of the pool. */
  served = 0;
  /** Open connections of each socket of the sidecar's own. */
  readonly sockets = new Map<string, number>();
  /** Responses by the hundreds of their status. */
  readonly responses: number[] = [0, 0, 0, 0, 0, 0];
  readonly #calls = new Map<string, Map<string, CallCounts>>();
  readonly #events = new Map<EventName, number>();
  #handlers = 0;

  /** Counts of one handler, to be given to {@link addCall}; the same object each time. */
  callsOf(phase: string, handler: string): CallCounts {
    return this.#calls.get(phase)?.get(handler) ?? this.#begin(phase, handler);
  }

  addEvent(name: EventName, count = 1): void {
    this.#events.set(name, (this.#events.get(name) ?? 0) + count);
  }

  /** What was counted since the last call; undefined if nothing was. */
  take(): Counts | undefined {
    const counts: Counts = { calls: this.#takeCalls(), events: Object.fromEntries(this.#events) };
    for (const [hundreds, count] of this.responses.entries()) {
      if (count > 0) counts.events[`responses_${hundreds}xx`] = count;
    }
    this.responses.fill(0);
    this.#events.clear();
    const isEmpty = [counts.calls, counts.events].every((part) => Object.keys(part).length === 0);
    return isEmpty ? undefined : counts;
  }

  #takeCalls(): Counts["calls"] {
    const phases = Array.from(this.#calls, ([phase, handlers]) => {
      const called = [...handlers].filter(([, { calls }]) => calls > 0);
      const taken = called.map(([handler, counts]) => {
        const copy = { ...counts };
        Object.assign(counts, emptyCalls());
        return [handler, copy] as const;
      });
      return [phase, Object.fromEntries(taken)] as const;
    });
    return Object.fromEntries(phases.filter(([, taken]) => Object.keys(taken).length > 0));
  }

  #begin(phase: string, handler: string): CallCounts {
    const name = this.#handlers >= maxHandlers ? "other" : handler;
    const handlers = getOrCreate(this.#calls, phase, () => new Map<string, CallCounts>());
    return getOrCreate(handlers, name, () => {
      this.#handlers += 1;
      return emptyCalls();
    });
  }
}

/** Adds one call; on the hot path. */
export function addCall(counts: CallCounts, milliseconds: number, hasFailed: boolean): void {
  const seconds = milliseconds / 1000;
  counts.calls += 1;
  if (hasFailed) counts.errors += 1;
  counts.seconds += seconds;
  if (seconds > counts.longest) counts.longest = seconds;
  let bucket = 0;
  while (bucket < durationBounds.length && seconds > (durationBounds[bucket] as number)) bucket++;
  (counts.buckets[bucket] as number)++;
}

/** A call that has begun. */
export interface CountedCall {
  readonly counts: CallCounts;
  /** Of `performance.now()`. */
  readonly began: number;
}

/** Counts a call that has ended, and returns its duration in milliseconds: on the hot path. */
export function endCall({ counts, began }: CountedCall, hasFailed: boolean): number {
  const milliseconds = performance.now() - began;
  addCall(counts, milliseconds, hasFailed);
  return milliseconds;
}

/** The counter of this process. */
export const counter: Counter = new Counter();

/** Counts of the calls of an entry; a reference keeps them, as it belongs to one phase. */
export function countsOf(
  entry: { text: string; counts?: CallCounts } | object,
  phase: string,
  handler: string,
): CallCounts {
  if (!("text" in entry)) return counter.callsOf(phase, handler);
  return (entry.counts ??= counter.callsOf(phase, handler));
}

export function emptyCalls(): CallCounts {
  const buckets = Array.from({ length: durationBounds.length + 1 }, () => 0);
  return { calls: 0, errors: 0, seconds: 0, longest: 0, buckets };
}

export function emptyCounts(): Counts {
  return { calls: Object.create(null), events: Object.create(null) };
}

export function addCounts(sum: Counts, more: Counts): void {
  for (const [name, count] of Object.entries(more.events)) {
    sum.events[name] = (sum.events[name] ?? 0) + count;
  }
  for (const [phase, handlers] of Object.entries(more.calls)) {
    const known = (sum.calls[phase] ??= Object.create(null) as Record<string, CallCounts>);
    for (const [handler, counts] of Object.entries(handlers)) {
      const name = handler in known || countHandlers(sum) < maxHandlers ? handler : "other";
      addCalls((known[name] ??= emptyCalls()), counts);
    }
  }
}

function countHandlers({ calls }: Counts): number {
  return Object.values(calls).reduce((sum, handlers) => sum + Object.keys(handlers).length, 0);
}

export function addCalls(sum: CallCounts, more: CallCounts): void {
  sum.calls += more.calls;
  sum.errors += more.errors;
  sum.seconds += more.seconds;
  sum.longest = Math.max(sum.longest, more.longest);
  for (const [index, count] of more.buckets.entries()) {
    sum.buckets[index] = (sum.buckets[index] ?? 0) + count;
  }
}

/**
 * The duration in seconds that a share of calls stays below, e.g. 0.99; interpolated within its
 * bucket, as Prometheus does. 0 without calls.
 */
export function percentile({ calls, buckets, longest }: CallCounts, share: number): number {
  let rank = calls * share;
  for (const [index, count] of buckets.entries()) {
    if (count === 0 || rank > count) {
      rank -= count;
      continue;
    }
    const low = durationBounds[index - 1] ?? 0;
    const high = Math.min(durationBounds[index] ?? longest, longest);
    return low + Math.max(0, high - low) * (rank / count);
  }
  return calls === 0 ? 0 : longest;
}
