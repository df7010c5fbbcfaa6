/**
 * Finds and reads a configuration file, without running it here: `config-child.ts` does, in a process that ends at once.
 * @module
 */
import { fork } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Config, configInvalid, resolveConfig, type ResolvedConfig } from "./config.ts";
import { ModTsError } from "./errors.ts";

/** What is looked for in a folder, in this order. */
export const configNames = [
  "mod-ts.config.ts",
  "mod-ts.config.mts",
  "mod-ts.config.js",
  "mod-ts.config.mjs",
  "mod-ts.config.json",
] as const;

/** What the child answers. */
export type ConfigAnswer =
  | { input: Config }
  /** From `findMistakes`: what is not data does not get through IPC, so the child looks first. */
  | { mistakes: string[] }
  /** The file could not be run. */
  | { failure: string };

/** Milliseconds that a configuration file may take to evaluate. */
const timeout = 30_000;

/**
 * Reads the configuration in a folder, or a file; a folder without one gives the defaults. `overrides` are options of the command
 * line, which win; `defaults` stand where the file says nothing. Throws `MODTS_CONFIG_UNREADABLE` or `MODTS_CONFIG_INVALID`.
 */
export async function loadConfig(
  path: string,
  overrides: Config = {},
  defaults: Config = {},
): Promise<ResolvedConfig> {
  const found = findFile(resolve(path));
  const input = found.exists ? await readInput(found.file) : {};
  const { secret, ...others } = defaults;
  // The two exclude each other.
  const fallback =
    input.secretFile === undefined ? { ...others, ...(secret && { secret }) } : others;
  return resolveConfig({ ...fallback, ...input, ...overrides }, found.file);
}

function findFile(path: string): { file: string; exists: boolean } {
  const entry = statSync(path, { throwIfNoEntry: false });
  if (!entry) throw unreadable(path, "there is no such file or folder");
  if (!entry.isDirectory()) return { file: path, exists: true };
  for (const name of configNames) {
    const file = join(path, name);
    if (statSync(file, { throwIfNoEntry: false })) return { file, exists: true };
  }
  return { file: join(path, configNames[0]), exists: false };
}

async function readInput(file: string): Promise<Config> {
  const answer = file.endsWith(".json") ? readJson(file) : await evaluate(file);
  if ("failure" in answer) throw unreadable(file, answer.failure);
  if ("mistakes" in answer) throw configInvalid(file, answer.mistakes);
  return answer.input;
}

function readJson(file: string): ConfigAnswer {
  try {
    return { input: JSON.parse(readFileSync(file, "utf8")) as Config };
  } catch (error) {
    return { failure: (error as Error).message };
  }
}

/** User code may do anything, even never end; none of it may happen in the supervisor. */
function evaluate(file: string): Promise<ConfigAnswer> {
  const name = import.meta.url.endsWith(".ts") ? "./config-child.ts" : "./config-child.js";
  const child = fork(new URL(name, import.meta.url), [], {
    execArgv: ["--experimental-vm-modules", "--disable-warning=ExperimentalWarning"],
    serialization: "advanced",
    // What the file prints goes to standard error: `mod-ts conf` is often sent to a file.
    stdio: ["ignore", 2, 2, "ipc"],
  });
  return new Promise((resolvePromise) => {
    let answer: ConfigAnswer = { failure: "it ended the process" };
    const timer = setTimeout(() => {
      answer = { failure: `it did not finish within ${timeout} ms` };
      child.kill("SIGKILL");
    }, timeout);
    child.on("message", (message) => (answer = message as ConfigAnswer));
    child.on("error", (error) => (answer = { failure: error.message }));
    // `close`, not `exit`: a message sent last arrives between the two.
    child.on("close", () => {
      clearTimeout(timer);
      resolvePromise(answer);
    });
    child.send(file, (error) => {
      if (error) child.kill("SIGKILL");
    });
  });
}

function unreadable(file: string, reason: string): ModTsError {
  return new ModTsError("MODTS_CONFIG_UNREADABLE", { file, reason });
}
