/** The TypeScript compiler of an application: found, run, and its output parsed. */
import { execFile } from "node:child_process";
import { atExit } from "../../base/scratch.ts";
import { dirname, join, resolve } from "node:path";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";

export interface TypeScript {
  /** Path of `tsc`, a script for Node.js. */
  readonly tsc: string;
  /** Directory of `node/`, the types of Node.js. */
  readonly typeRoot: string;
}

/** Searches from a directory of the application, then from mod_ts. Returns the missing packages. */
export function findTypeScript(directory: string): TypeScript | string[] {
  const manifest =
    locate("typescript", join(directory, "x")) ?? locate("typescript", import.meta.filename);
  const types =
    locate("@types/node", join(directory, "x")) ?? locate("@types/node", import.meta.filename);
  const missing = [manifest ? "" : "typescript", types ? "" : "@types/node"].filter(Boolean);
  if (!manifest || !types) return missing;
  const { bin } = JSON.parse(readFileSync(manifest, "utf8")) as { bin: { tsc: string } };
  return { tsc: join(dirname(manifest), bin.tsc), typeRoot: dirname(dirname(types)) };
}

/** The manifest of a package, as imported from `from`. */
function locate(name: string, from: string): string | undefined {
  for (const directory of createRequire(from).resolve.paths(name) ?? []) {
    const file = join(directory, name, "package.json");
    if (existsSync(file)) return file;
  }
  return undefined;
}

export interface Diagnostic {
  /** Absolute path; undefined for an error in the settings. */
  readonly file: string | undefined;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  /** `TS2322: Type …`; further lines are indented. */
  readonly message: string;
}

const limit = 120_000;

/** The output of the compiler. Rejects if it cannot be started or does not end. */
export function runTsc(tsc: string, args: readonly string[], directory: string): Promise<string> {
  // Options for this process, such as a loader, must not reach the compiler. By env(1), as tools
  // that instrument this process add them again to the environment of its children.
  const command = ["-u", "NODE_OPTIONS", process.execPath, tsc, ...args];
  const options = { cwd: directory, timeout: limit, maxBuffer: 64 * 1024 * 1024 };
  return new Promise((done, reject) => {
    const child = execFile("env", command, options, (error, stdout, stderr) => {
      cancel();
      // Errors in the code: exit code 1 or 2.
      if (error && typeof error.code !== "number") reject(error);
      else if (error && stdout === "") reject(new Error(stderr.trim() || error.message));
      else done(stdout);
    });
    const cancel = atExit(() => child.kill("SIGKILL"));
  });
}

/** Parses `file(line,column): error TS1234: message`, the format of `--pretty false`. */
export function parseDiagnostics(output: string, directory: string): Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const line of output.split(/\r?\n/)) {
    const placed = /^(.+?)\((\d+),(\d+)\): error (TS\d+: .*)$/.exec(line);
    const general = /^error (TS\d+: .*)$/.exec(line);
    const last = found.at(-1);
    if (placed) {
      const [, file = "", row, column, message = ""] = placed;
      found.push({
        file: resolve(directory, file),
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
