/**
 * A script that runs, in a thread or as a process.
 * @module
 */
import type { Readable, Writable } from "node:stream";

/** Its three streams, and its end. */
export interface ScriptRun {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves when it has ended, however it did. Never rejects. */
  readonly ended: Promise<ScriptEnd>;
  /** Ends it, by force if need be; harmless when it has ended. */
  kill(): void;
}

/** How a script ended. */
export interface ScriptEnd {
  /** In words, e.g. `exit code 1`, `signal SIGSEGV`. */
  readonly reason: string;
  /** `failed`: it said so by its exit code; `broken`: what it wrote is most likely not all. */
  readonly kind: "done" | "failed" | "broken";
  /** What it threw, or an error of ours that tells why it was ended. */
  readonly error?: unknown;
}

/** Milliseconds between the word to end and the end by force, and those for which a script may go on when its output has ended. */
export const killGrace = 3000;
