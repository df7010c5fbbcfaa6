/** wrk, the load generator: one run, and what it says. */
import { execFileSync } from "node:child_process";

export interface WrkResult {
  requests: number;
  /** Requests per second. */
  rate: number;
  /** Milliseconds. */
  p99: number;
  /** Answers that are neither 2xx nor 3xx, and errors of the connection. */
  failed: number;
}

export interface WrkOptions {
  /** @default 16 */
  connections?: number;
  /** Lines like `Name: value`. @default none */
  headers?: readonly string[];
  /** A Lua file that makes the requests. @default none */
  script?: string;
}

/** Asks one address over kept connections, as fast as it answers. */
export function run(url: string, seconds: number, options: WrkOptions = {}): WrkResult {
  const { connections = 16, headers = [], script } = options;
  const fields = headers.flatMap((header) => ["-H", header]);
  const more = [...fields, ...(script === undefined ? [] : ["-s", script])];
  const text = wrk(["-t1", `-c${connections}`, `-d${seconds}s`, "--latency", ...more, url]);
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text);
  const socketErrors = errors ? errors.slice(1).reduce((sum, count) => sum + Number(count), 0) : 0;
  return {
    requests: Number(/(\d+) requests in/.exec(text)?.[1]),
    rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]),
    p99: milliseconds(/99%\s+([\d.]+)(us|ms|s)/.exec(text)),
    failed: socketErrors + Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0),
  };
}

/** The middle one of some numbers. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function wrk(args: string[]): string {
  try {
    return execFileSync("wrk", args, { encoding: "utf8" });
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    throw missing ? new Error("wrk is missing: apt-get install wrk", { cause: error }) : error;
  }
}

function milliseconds(match: RegExpExecArray | null): number {
  const factors: Record<string, number> = { us: 0.001, ms: 1, s: 1000 };
  return match ? Number(match[1]) * (factors[match[2] ?? ""] ?? Number.NaN) : Number.NaN;
}
