/** What the supervisor knows of its workers' reports: sums, latest errors, and a short history. */
import { getOrCreate } from "../base/cache.ts";
import {
  addCalls,
  addCounts,
  type CallCounts,
  type Counts,
  emptyCalls,
  emptyCounts,
  percentile,
} from "../base/counts.ts";
import {
  type BuildNote,
  type ErrorNote,
  onError,
  type WorkerGauges,
  type WorkerReport,
} from "./report.ts";

/** Of one interval of the history. */
export interface Sample {
  /** End of the interval, milliseconds since 1970. */
  at: number;
  /** Calls of handlers. */
  calls: number;
  /** Calls that failed. */
  errors: number;
  /** Seconds. */
  p50: number;
  p99: number;
  /** Resident memory of all workers in bytes. */
  rss: number;
  /** Longest delay of an event loop in milliseconds. */
  lag: number;
}

export interface PoolNote {
  pool: string;
  pid: number;
}

/** Ten minutes. */
const maxSamples = 120;
const maxNotes = 50;

const sampleIntervalMs = 5000;

export class Observations {
  readonly #sums = new Map<string, Counts>();
  readonly #gauges = new Map<number, WorkerGauges>();
  #interval: CallCounts = emptyCalls();
  #lag = 0;
  #errors: (ErrorNote & PoolNote)[] = [];
  #builds: (BuildNote & PoolNote)[] = [];
  #samples: Sample[] = [];
  /** Ends what {@link watch} began. */
  close: () => void = () => {};

  /** Begins the history, and notes the errors of the supervisor itself. */
  watch(): void {
    const note = { pool: "supervisor", pid: process.pid };
    const stop = onError(
      () => undefined,
      (error) => this.#addErrors([{ ...error, ...note }]),
    );
    const timer = setInterval(() => this.sample(), sampleIntervalMs).unref();
    this.close = (): void => {
      clearInterval(timer);
      stop();
    };
  }

  /** Never throws: user code in a worker may send anything. */
  add(pool: string, pid: number, report: WorkerReport): void {
    try {
      if (report.gauges) this.#gauges.set(pid, report.gauges);
      this.#lag = Math.max(this.#lag, Number(report.gauges?.lag ?? 0));
      if (report.counts) this.#addCounts(pool, report.counts);
      const note = { pool, pid };
      const errors = (report.errors ?? []).map((error) => ({ ...error, ...note }));
      const builds = (report.builds ?? []).map((build) => ({ ...build, ...note }));
      this.#addErrors(errors);
      this.#builds = [...this.#builds, ...builds].slice(-maxNotes);
    } catch {
      // Not one of our reports.
    }
  }

  forget(pid: number): void {
    this.#gauges.delete(pid);
  }

  /** Ends an interval of the history. */
  sample(now: number = Date.now()): void {
    const { calls, errors } = this.#interval;
    this.#samples.push({
      at: now,
      calls,
      errors,
      p50: percentile(this.#interval, 0.5),
      p99: percentile(this.#interval, 0.99),
      rss: [...this.#gauges.values()].reduce((sum, { rss }) => sum + rss, 0),
      lag: this.#lag,
    });
    if (this.#samples.length > maxSamples) this.#samples.shift();
    this.#interval = emptyCalls();
    this.#lag = 0;
  }

  counts(pool: string): Counts {
    return this.#sums.get(pool) ?? emptyCounts();
  }

  gauges(pid: number): WorkerGauges | undefined {
    return this.#gauges.get(pid);
  }

  get history(): readonly Sample[] {
    return this.#samples;
  }

  /** Newest first. */
  get errors(): readonly (ErrorNote & PoolNote)[] {
    return this.#errors.toReversed();
  }

  /** Newest first. */
  get builds(): readonly (BuildNote & PoolNote)[] {
    return this.#builds.toReversed();
  }

  #addErrors(errors: readonly (ErrorNote & PoolNote)[]): void {
    this.#errors = [...this.#errors, ...errors].slice(-maxNotes);
  }

  #addCounts(pool: string, counts: Counts): void {
    addCounts(getOrCreate(this.#sums, pool, emptyCounts), counts);
    for (const handlers of Object.values(counts.calls)) {
      for (const calls of Object.values(handlers)) addCalls(this.#interval, calls);
    }
  }
}
