/** The supervisor's side of the control socket. */
import { statSync } from "node:fs";
import type { Socket } from "node:net";
import { ModTsError } from "../base/errors.ts";
import { log } from "../base/log.ts";
import {
  type ControlRequest,
  controlSocket,
  readLine,
  type ReloadOutcome,
  type UpgradeOutcome,
} from "./control.ts";
import { type Listener, openListener } from "./listener.ts";
import type { SidecarStatus } from "./status.ts";

/** What a supervisor does for a peer of its control socket. */
export interface ControlCommands {
  reload: () => Promise<ReloadOutcome>;
  /** Waits for the end of the workers that were replaced. */
  drained: () => Promise<void>;
  upgrade: () => Promise<UpgradeOutcome>;
  status: () => SidecarStatus;
}

export interface ControlOptions {
  run: string;
  /** Directory of the configuration: changes for another one are refused. */
  directory: string;
  /** Takes the place of the predecessor's socket. */
  replaces: boolean;
}

/** Bytes of a request. */
const longestRequest = 64 * 1024;
const requestTimeoutMs = 10_000;

/** Opens the control socket. Not fatal on failure: the sidecar serves, and signals still work. */
export async function openControl(
  options: ControlOptions,
  commands: ControlCommands,
): Promise<Listener | undefined> {
  const address = { path: controlSocket(options.run) };
  const listener = { pool: ".control", transport: "control", address, replaces: options.replaces };
  try {
    return await openListener(listener, undefined, (socket) => {
      void serveControl(socket, options, commands);
    });
  } catch (error) {
    log("warn", `mod-ts reload is unavailable, SIGHUP still works: ${String(error)}`);
    return undefined;
  }
}

/** Answers one connection. Never rejects. */
async function serveControl(
  socket: Socket,
  options: ControlOptions,
  commands: ControlCommands,
): Promise<void> {
  // An open connection must not keep a stopped supervisor alive.
  socket.unref().resume();
  socket.setTimeout(requestTimeoutMs, () => socket.destroy());
  try {
    const request = JSON.parse(await readLine(socket, longestRequest)) as ControlRequest;
    socket.setTimeout(0);
    socket.end(`${JSON.stringify(await obey(request, options, commands))}\n`);
  } catch {
    socket.destroy();
  }
}

function obey(
  request: ControlRequest,
  { run, directory: actual }: ControlOptions,
  commands: ControlCommands,
): unknown {
  if (request.command === "status") return commands.status();
  if (request.command !== "reload" && request.command !== "upgrade") {
    throw new Error("unknown command");
  }
  const asked = String(request.directory);
  if (isSameDirectory(asked, actual)) {
    return request.command === "reload" ? reload(request, commands) : commands.upgrade();
  }
  // A directory that shares this run directory by mistake.
  const { code, message } = new ModTsError("MODTS_OTHER_DIRECTORY", { run, actual, asked });
  return { ok: false, code, message } satisfies ReloadOutcome;
}

async function reload(
  { waitsForOldWorkers = false }: Extract<ControlRequest, { command: "reload" }>,
  commands: ControlCommands,
): Promise<ReloadOutcome> {
  const outcome = await commands.reload();
  if (outcome.ok && waitsForOldWorkers) await commands.drained();
  return outcome;
}

/** Also by way of symbolic links. */
function isSameDirectory(one: string, other: string): boolean {
  if (one === other) return true;
  const [first, second] = [one, other].map((path) => statSync(path, { throwIfNoEntry: false }));
  return first !== undefined && first.dev === second?.dev && first.ino === second.ino;
}
