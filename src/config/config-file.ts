/** Finds and reads a configuration file; it is evaluated in a child process, `config-child.ts`. */
import { type ChildProcess, fork } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Config, resolveConfig, type ResolvedConfig } from "./config.ts";
import { configInvalid } from "./validate.ts";
import { ModTsError } from "../base/errors.ts";

/** File names, in the order of precedence. */
export const configNames = [
  "mod-ts.config.ts",
  "mod-ts.config.mts",
  "mod-ts.config.js",
  "mod-ts.config.mjs",
  "mod-ts.config.json",
] as const;

/** Message of the child. */
export type ConfigAnswer =
  | { input: Config }
  /** Of `findMistakes`; found by the child, as only data passes IPC. */
  | { mistakes: string[] }
  /** The evaluation failed. */
  | { failure: string };

/** Time limit of the evaluation in milliseconds. */
const timeout = 30_000;

/**
 * Reads the configuration file of a directory, or a file; without one, the defaults. `overrides`
 * take precedence over the file, the file over `defaults`. Throws `MODTS_CONFIG_UNREADABLE` or
 * `MODTS_CONFIG_INVALID`.
 */
export async function loadConfig(
  path: string,
  overrides: Config = {},
  defaults: Config = {},
): Promise<ResolvedConfig> {
  const found = findFile(resolve(path));
  const input = found.exists ? await readInput(found.file) : {};
  const { secret, ...others } = defaults;
  // Mutually exclusive.
  const fallback =
    input.secretFile === undefined ? { ...others, ...(secret && { secret }) } : others;
  return resolveConfig({ ...fallback, ...input, ...overrides }, found.file);
}

function findFile(path: string): { file: string; exists: boolean } {
  const entry = statSync(path, { throwIfNoEntry: false });
  if (!entry) throw unreadable(path, "no such file or directory");
  if (!entry.isDirectory()) return { file: path, exists: true };
  for (const name of configNames) {
    const file = join(path, name);
    if (statSync(file, { throwIfNoEntry: false })) return { file, exists: true };
  }
  return { file: join(path, configNames[0]), exists: false };
}

async function readInput(file: string): Promise<Config> {
  const answer = (file.endsWith(".json") && readJson(file)) || (await evaluate(file));
  if ("failure" in answer) throw unreadable(file, answer.failure);
  if ("mistakes" in answer) throw configInvalid(file, answer.mistakes);
  return answer.input;
}

/** Undefined where only the child can say what is wrong: it loads the package that knows times. */
function readJson(file: string): ConfigAnswer | undefined {
  try {
    const input = JSON.parse(readFileSync(file, "utf8")) as Config | null;
    return input?.background?.schedule ? undefined : { input: input as Config };
  } catch (error) {
    return { failure: (error as Error).message };
  }
}

/** User code may do anything, even never end, so it does not run in the supervisor. */
function evaluate(file: string): Promise<ConfigAnswer> {
  const name = import.meta.url.endsWith(".ts") ? "./config-child.ts" : "./config-child.js";
  const child = fork(new URL(name, import.meta.url), [], {
    execArgv: ["--experimental-vm-modules", "--disable-warning=ExperimentalWarning"],
    serialization: "advanced",
    // Output of the file goes to standard error: that of `mod-ts conf` may be redirected to a file.
    stdio: ["ignore", 2, 2, "ipc"],
  });
  return new Promise((resolvePromise) => {
    let answer: ConfigAnswer = { failure: "process.exit was called" };
    const timer = setTimeout(() => {
      answer = { failure: `not finished within ${timeout} ms` };
      child.kill("SIGKILL");
    }, timeout);
    child.on("message", (message) => (answer = message as ConfigAnswer));
    child.on("error", (error) => {
      answer = { failure: error.message };
      // It did not start.
      if (child.pid === undefined) resolvePromise(answer);
    });
    // A message may arrive between `exit` and `close`.
    child.on("close", () => {
      clearTimeout(timer);
      resolvePromise(answer);
    });
    // Without file descriptors it has no channel.
    (child as Partial<ChildProcess>).send?.(file, (error: Error | null) => {
      if (error) child.kill("SIGKILL");
    });
  });
}

function unreadable(file: string, reason: string): ModTsError {
  return new ModTsError("MODTS_CONFIG_UNREADABLE", { file, reason });
}
