/**
 * The folder that a script in a thread works in. A process has one, and its threads share it; so relative names are made absolute here, for
 * `node:fs`, `process.cwd()` and child processes.
 * @module
 */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { isAbsolute, join, resolve } from "node:path";
import { type Functions, replaceFunction } from "./replace-function.ts";

/** By name, without `Sync`: functions whose first argument is a path. */
const onePath = [
  "access appendFile chmod chown createReadStream createWriteStream exists lchown lstat lutimes mkdir mkdtemp",
  "open openAsBlob opendir readFile readdir readlink realpath rm rmdir stat statfs truncate unlink unwatchFile",
  "utimes watch watchFile writeFile",
];
const pathArguments: readonly (readonly [names: string, indexes: readonly number[]])[] = [
  [onePath.join(" "), [0]],
  ["copyFile cp link rename", [0, 1]],
  // The first one is relative to the link.
  ["symlink", [1]],
];

/** To be made once in a thread. */
export class WorkingFolder {
  #current = process.cwd();
  #childTimeout = 0;

  /**
   * Begins in `folder` (RFC 3875, section 7.2); `process.chdir()` works.
   * @param childTimeout milliseconds for `execSync` and the like: a thread that waits for a child hears nothing, not even that it is to end
   */
  adopt(folder: string, childTimeout: number): void {
    this.#current = folder;
    this.#childTimeout = childTimeout;
    process.cwd = () => this.#current;
    process.chdir = (target) => {
      const next = resolve(this.#current, target);
      fs.readdirSync(next);
      this.#current = next;
    };
    const absolute = (path: unknown): unknown =>
      typeof path === "string" && path !== "" && !isAbsolute(path)
        ? join(this.#current, path)
        : path;
    for (const api of [fs, fs.promises] as unknown as Functions[]) {
      replacePaths(api, pathArguments, absolute);
    }
    for (const api of [fs.realpath, fs.realpathSync] as unknown as Functions[]) {
      replacePaths(api, [["native", [0]]], absolute);
    }
  }

  /** The same for child processes. Apart, as few scripts have some, and their module takes as long to load as all of ours. Once. */
  adoptChildren(): void {
    const api = process.getBuiltinModule("node:child_process") as unknown as Functions;
    for (const name of childFunctions) {
      const limit = { timeout: this.#childTimeout, killSignal: "SIGKILL" };
      replaceFunction(api, name, (original, args) => {
        const defaults = { cwd: this.#current, ...(name.endsWith("Sync") && limit) };
        return original(...withOptions(args, defaults));
      });
    }
    syncBuiltinESMExports();
  }
}

const childFunctions = "exec execFile fork spawn execSync execFileSync spawnSync".split(" ");

function replacePaths(
  api: Functions,
  functions: typeof pathArguments,
  absolute: (path: unknown) => unknown,
): void {
  for (const [names, indexes] of functions) {
    for (const name of names.split(" ").flatMap((one) => [one, `${one}Sync`])) {
      replaceFunction(api, name, (original, args) => {
        for (const index of indexes) args[index] = absolute(args[index]);
        return original(...args);
      });
    }
  }
}

/** `(command)`, `(command, options)`, `(command, arguments, options)`, each with or without a function at the end. */
function withOptions(args: readonly unknown[], defaults: object): unknown[] {
  const hasArguments = Array.isArray(args[1]) || (args.length > 2 && args[1] == null);
  const at = hasArguments ? 2 : 1;
  const given = args[at];
  const isGiven = typeof given !== "function" && args.length > at;
  return [
    ...args.slice(0, at),
    { ...defaults, ...(isGiven && (given as object)) },
    ...args.slice(isGiven ? at + 1 : at),
  ];
}
