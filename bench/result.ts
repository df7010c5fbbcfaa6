/** What a run of `npm run bench` found, as `bench/results/` keeps it. */
import type { Memory } from "./memory.ts";

export interface Result {
  /** ISO 8601. */
  readonly date: string;
  readonly machine: {
    readonly processor: string;
    readonly cores: number;
    readonly memoryGiB: number;
    readonly kernel: string;
    /** Of the minute before the run: above 0.5 the requests per second are not to be trusted. */
    readonly load: number;
  };
  readonly versions: Readonly<Record<string, string>>;
  readonly run: {
    readonly rounds: number;
    readonly seconds: number;
    readonly connections: number;
    readonly workers: number;
  };
  readonly cases: readonly Measured[];
  readonly memory: Memory;
  readonly aims: readonly Aim[];
}

export interface Measured {
  readonly subject: string;
  readonly who: string;
  /** `none`: no httpd takes part. */
  readonly mpm: "event" | "prefork" | "none";
  /** Requests per second. */
  readonly rate: number;
  /** Microseconds per request, of httpd and all processes behind it. */
  readonly cpu: number;
  /** The part of it behind httpd; null where it is not told apart. */
  readonly backend: number | null;
  /** Milliseconds. */
  readonly p99: number;
  /** Requests of all rounds that failed. */
  readonly failed: number;
}

/** A goal of the project. */
export interface Aim {
  readonly aim: string;
  readonly wanted: string;
  readonly is: string;
  /** Null: a figure without a goal. */
  readonly met: boolean | null;
}

/** Finds a case; the competitor's MPM is that of its package. */
export function find(
  cases: readonly Measured[],
  subject: string,
  who: string,
  mpm?: Measured["mpm"],
): Measured | undefined {
  return cases.find(
    (one) => one.subject === subject && one.who === who && (mpm === undefined || one.mpm === mpm),
  );
}
