/**
 * A script as a process of its own: real CGI.
 * @module
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { dirname } from "node:path";
import type { Readable, Writable } from "node:stream";
import { ModTsError } from "../errors.ts";
import { endGroup, forgetGroup, watchGroup } from "./process-groups.ts";
import type { ScriptEnd, ScriptRun } from "./script-run.ts";

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/**
 * Starts a program, without a shell. No arguments are made of a query without `=` (RFC 3875, section 4.4, lets a server leave that): `?-s`
 * would be an option of the interpreter (CVE-2012-1823).
 */
export function startProcess(file: string, env: Record<string, string>): ScriptRun {
  let child: Child;
  try {
    // Detached: a group of its own, so that what the script starts can be ended with it.
    child = spawn(file, [], { cwd: dirname(file), env, detached: true, stdio: "pipe" });
  } catch (cause) {
    throw notStarted(file, cause);
  }
  // A script that does not read its input breaks the pipe, and may.
  child.stdin.on("error", () => {});
  const { stdin, stdout, stderr } = child;
  return { stdin, stdout, stderr, ended: waitFor(child, file), kill: groupOf(child) };
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
 * Gives what ends the whole group. One that its leader has left is known as long as somebody holds its pipes; who has closed them
 * is in the background by the script's own will, and stays.
 */
function groupOf(child: Child): () => void {
  const { pid: group } = child;
  if (group === undefined) return () => {};
  watchGroup(group);
  const forget = (): void => void forgetGroup(group);
  child.once("close", forget);
  return () => {
    child.off("close", forget);
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
    endGroup(group);
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
