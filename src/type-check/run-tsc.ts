/**
 * Runs the TypeScript compiler and reads what it says.
 * @module
 */
import { execFile } from "node:child_process";
import { resolve } from "node:path";

/** One complaint of the compiler. */
export interface Diagnostic {
  /** Absolute path; undefined when it speaks of the settings. */
  readonly file: string | undefined;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  /** `TS2322: Type …`; more lines are indented. */
  readonly message: string;
}

/** Milliseconds after which the compiler is ended. */
const limit = 120_000;

/** What the compiler prints. Rejects when it cannot be started or does not come to an end. */
export function runTsc(tsc: string, args: readonly string[], folder: string): Promise<string> {
  // Options for this process (a loader, an inspector) are none of the compiler's; by env(1), as tools that instrument this process
  // put them into the environment of its children again.
  const command = ["-u", "NODE_OPTIONS", process.execPath, tsc, ...args];
  const options = { cwd: folder, timeout: limit, maxBuffer: 64 * 1024 * 1024 };
  return new Promise((done, reject) => {
    execFile("env", command, options, (error, stdout, stderr) => {
      // It exits with 1 or 2 when it has complaints: they stand in its output.
      if (error && typeof error.code !== "number") reject(error);
      else if (error && stdout === "") reject(new Error(stderr.trim() || error.message));
      else done(stdout);
    });
  });
}

/** Reads `file(line,column): error TS1234: message`, the form of `--pretty false`. */
export function parseDiagnostics(output: string, folder: string): Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const line of output.split(/\r?\n/)) {
    const placed = /^(.+?)\((\d+),(\d+)\): error (TS\d+: .*)$/.exec(line);
    const general = /^error (TS\d+: .*)$/.exec(line);
    const last = found.at(-1);
    if (placed) {
      const [, file = "", row, column, message = ""] = placed;
      found.push({
        file: resolve(folder, file),
        line: Number(row),
        column: Number(column),
        message,
      });
    } else if (general) {
      found.push({ file: undefined, line: 0, column: 0, message: general[1] ?? "" });
    } else if (last && /^\s+\S/.test(line)) {
      found[found.length - 1] = { ...last, message: `${last.message}\n${line.trimEnd()}` };
    }
  }
  return found;
}
