/** Scripts as processes: started, and ended with all that they have started. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { dirname } from "node:path";
import type { Readable, Writable } from "node:stream";
import { ModTsError } from "../../base/errors.ts";

export interface ScriptRun {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves when the script has ended. Never rejects. */
  readonly ended: Promise<ScriptEnd>;
  /** Ends the script, by force if necessary; does nothing if it has ended. */
  kill(): void;
}

export interface ScriptEnd {
  /** For example `exit code 1` or `signal SIGSEGV`. */
  readonly reason: string;
  /** `failed`: its exit code says so; `broken`: its output is most likely incomplete. */
  readonly kind: "done" | "failed" | "broken";
  /** The error that the script threw, or the reason why we ended it. */
  readonly error?: unknown;
}

/** Time between SIGTERM and SIGKILL. */
export const killGraceMs = 3000;

export type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/**
 * Starts a program, without a shell. Attack: a query without `=` as an argument (RFC 3875, section
 * 4.4, leaves that to the server): `?-s` would be an option of the interpreter (CVE-2012-1823).
 */
export function startProcess(file: string, env: Record<string, string>): ScriptRun {
  let child: Child;
  try {
    // Detached: a process group of its own, so that what the script starts can be ended with it.
    child = spawn(file, [], { cwd: dirname(file), env, detached: true, stdio: "pipe" });
  } catch (cause) {
    throw notStarted(file, cause);
  }
  return followProcess(child, file);
}

/** Streams and end of a process started with `detached`. Throws `MODTS_CGI_NOT_STARTED`. */
export function followProcess(child: Child, file: string): ScriptRun {
  const ended = waitFor(child, file);
  const { stdin, stdout, stderr } = child;
  // Not in the types of Node: a process without descriptors left makes no pipes.
  if (stdin === undefined) throw notStarted(file, new Error("too many open files"));
  // A script that does not read its input breaks the pipe, and may.
  stdin.on("error", () => {});
  return { stdin, stdout, stderr, ended, kill: groupOf(child) };
}

function waitFor(child: Child, file: string): Promise<ScriptEnd> {
  const { promise, resolve } = Promise.withResolvers<ScriptEnd>();
  child.once("error", (error) => {
    if (child.pid !== undefined) return;
    resolve({ kind: "broken", reason: "no start", error: notStarted(file, error) });
  });
  child.once("exit", (code, signal) => {
    const kind = signal ? "broken" : code === 0 ? "done" : "failed";
    resolve({ kind, reason: signal ? `signal ${signal}` : `exit code ${code}` });
  });
  return promise;
}

/**
 * Returns the function that ends the whole group. A group without its leader is known while
 * somebody holds its pipes; a process that has closed them is in the background on purpose, and
 * stays.
 */
function groupOf(child: Child): () => void {
  const { pid: group } = child;
  if (group === undefined) return () => {};
  groups.add(group);
  const forget = (): void => void groups.delete(group);
  child.once("close", forget);
  return () => {
    child.off("close", forget);
    // The signal first: a script that sees its input end would take what it has for the whole body.
    endGroup(group);
    for (const stream of child.stdio) stream?.destroy();
  };
}

function notStarted(file: string, cause: unknown): ModTsError {
  const { code } = cause as NodeJS.ErrnoException;
  const reason =
    code === "ENOENT"
      ? "the interpreter that its first line names does not exist"
      : ((cause as Error).message ?? String(cause));
  return new ModTsError("MODTS_CGI_NOT_STARTED", { script: file, reason }, { cause });
}

const groups = new Set<number>();

/** Scripts end with this process; after SIGKILL, when they find their pipes broken. */
process.on("exit", () => {
  for (const group of groups) signalGroup(group, "SIGKILL");
});

/** Sends SIGTERM to all processes of a known group, and later SIGKILL. */
function endGroup(group: number): void {
  if (!groups.has(group)) return;
  signalGroup(group, "SIGTERM");
  setTimeout(() => {
    if (groups.delete(group)) signalGroup(group, "SIGKILL");
  }, killGraceMs).unref();
}

function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // The group has ended.
  }
}
