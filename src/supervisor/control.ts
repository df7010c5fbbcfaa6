/**
 * Control socket of a run directory, for `mod-ts reload`, `upgrade` and `status`: one line of JSON each way.
 *
 * Attack: a peer that may connect can replace the workers at will. So the socket belongs to the
 * owner of the sidecar only, from the moment it exists.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isModTsError, ModTsError } from "../base/errors.ts";
import type { BrokenModule } from "../base/version-store.ts";
import { findSupervisor } from "./run-directory.ts";
import type { SidecarStatus } from "./status.ts";

export interface ReloadSuccess {
  ok: true;
  generation: number;
  /** Settings that need a restart. */
  restart: readonly string[];
  /** What was in use before, and cannot be loaded as it is now; missing in earlier versions. */
  broken?: readonly BrokenModule[];
}

export type ReloadOutcome =
  /** The new generation serves. */
  | ReloadSuccess
  /** At least one pool kept its old workers, or nothing was changed. */
  | FailedOutcome;

export interface FailedOutcome {
  ok: false;
  code: string;
  message: string;
}

export type UpgradeOutcome =
  /** The successor serves. */
  { ok: true; pid: number } | FailedOutcome;

export type ControlRequest =
  /** `directory` of the configuration. */
  | { command: "reload"; directory: string; waitsForOldWorkers?: boolean }
  | { command: "upgrade"; directory: string }
  | { command: "status" };

/** The outcome of a command that failed for an error of the registry, or another reason. */
export function failedOutcome(run: string, reason: unknown): FailedOutcome {
  const { code, message } = isModTsError(reason)
    ? reason
    : new ModTsError("MODTS_RELOAD_FAILED", { run, reason: String(reason) });
  return { ok: false, code, message };
}

/** Bytes of a reply. */
const longestReply = 16 * 1024 ** 2;

/** Path of the control socket. No pool can have this name, and it is no longer than `main.sock`. */
export function controlSocket(run: string): string {
  return join(run, ".control");
}

/**
 * Asks the supervisor of a run directory for a reload; resolves when it is over, or when the old
 * workers have ended. Throws `MODTS_NOT_RUNNING` or `MODTS_RELOAD_FAILED`.
 */
export async function askReload(
  run: string,
  directory: string,
  waitsForOldWorkers = false,
): Promise<ReloadOutcome> {
  const request = { command: "reload", directory, waitsForOldWorkers } as const;
  return (await askForDirectory(run, request)) as ReloadOutcome;
}

/** Asks the supervisor of a run directory to start its successor; otherwise as {@link askReload}. */
export async function askUpgrade(run: string, directory: string): Promise<UpgradeOutcome> {
  return (await askForDirectory(run, { command: "upgrade", directory })) as UpgradeOutcome;
}

async function askForDirectory(run: string, request: ControlRequest): Promise<unknown> {
  try {
    // A reload may take long: a supervisor that hangs is found out before it.
    await askStatus(run);
    return await ask(run, request);
  } catch (error) {
    if (isModTsError(error)) throw error;
    const { message: reason } = error as Error;
    throw new ModTsError("MODTS_RELOAD_FAILED", { run, reason }, { cause: error });
  }
}

/**
 * Asks the supervisor of a run directory for its status.
 * Throws `MODTS_NOT_RUNNING`, or an error of the connection.
 */
export async function askStatus(run: string): Promise<SidecarStatus> {
  return (await ask(run, { command: "status" }, statusTimeoutMs)) as SidecarStatus;
}

/** A supervisor answers at once. */
const statusTimeoutMs = 5000;

async function ask(run: string, request: ControlRequest, timeoutMs = 0): Promise<unknown> {
  const socket = await connectTo(run);
  socket.setTimeout(timeoutMs, () => {
    socket.destroy(new Error(`the sidecar did not answer within ${timeoutMs} ms`));
  });
  try {
    socket.write(`${JSON.stringify(request)}\n`);
    return JSON.parse(await readLine(socket, longestReply));
  } finally {
    socket.destroy();
  }
}

/** A supervisor opens the control socket last: one that has just started is waited for. */
async function connectTo(run: string, tries = 50): Promise<Socket> {
  if (findSupervisor(run) === undefined)
    throw new ModTsError("MODTS_NOT_RUNNING", { directory: run });
  const socket = connect(controlSocket(run));
  try {
    await once(socket, "connect");
    return socket;
  } catch (error) {
    if (tries === 0 || (error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  await sleep(100);
  return connectTo(run, tries - 1);
}

/** The first line of a connection. */
export function readLine(socket: Socket, longest: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    socket.setEncoding("utf8").on("data", (part: string) => {
      // Only the new part: to search all of a long line for each part takes minutes.
      const end = part.indexOf("\n");
      if (end >= 0) resolve(text + part.slice(0, end));
      text += part;
      if (text.length > longest) socket.destroy();
    });
    socket.on("error", reject);
    socket.once("close", () => reject(new Error("the sidecar closed the connection")));
  });
}
