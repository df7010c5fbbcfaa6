/**
 * The folder that a script in a thread works in. A process has one, and its threads share it; so relative names are made absolute here, for
 * `node:fs`, `node:child_process` and `process.cwd()`.
 * @module
 */
import childProcess from "node:child_process";
import fs from "node:fs";
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

/**
 * Begins in `folder` (RFC 3875, section 7.2); `process.chdir()` works.
 * @param childTimeout milliseconds for `execSync` and the like: a thread that waits for a child hears nothing, not even that it is to end
 */
export function adoptFolder(folder: string, childTimeout: number): void {
  let current = folder;
  process.cwd = () => current;
  process.chdir = (target) => {
    const next = resolve(current, target);
    fs.readdirSync(next);
    current = next;
  };
  const absolute = (path: unknown): unknown =>
    typeof path === "string" && path !== "" && !isAbsolute(path) ? join(current, path) : path;
  for (const api of [fs, fs.promises] as unknown as Functions[]) {
    replacePaths(api, pathArguments, absolute);
  }
  for (const api of [fs.realpath, fs.realpathSync] as unknown as Functions[]) {
    replacePaths(api, [["native", [0]]], absolute);
  }
  replaceChildren(childProcess as unknown as Functions, () => current, childTimeout);
}

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

function replaceChildren(api: Functions, current: () => string, timeout: number): void {
  for (const name of [
    "exec",
    "execFile",
    "fork",
    "spawn",
    "execSync",
    "execFileSync",
    "spawnSync",
  ]) {
    const limit = name.endsWith("Sync") ? { timeout, killSignal: "SIGKILL" } : {};
    replaceFunction(api, name, (original, args) =>
      original(...withOptions(args, { cwd: current(), ...limit })),
    );
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
