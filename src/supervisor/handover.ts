/**
 * Handover of a supervisor to its successor: a new process, started from the files as they are now,
 * which inherits the listening sockets and takes over when its workers serve.
 *
 * ```
 * old:  start successor ────────────────────────────> close sockets, drain workers, exit
 * new:                    start workers, accept, pid file, "serving" ───────────────────>
 * ```
 *
 * Both accept for a moment, so that no connection is refused.
 */
import { type ChildProcess, spawn, type StdioOptions } from "node:child_process";
import { closeSync, readFileSync, rmSync } from "node:fs";
import { attempt } from "../base/attempt.ts";
import {
  formatAddress,
  type ListenAddress,
  type Listener,
  type ListenerOptions,
} from "./listener.ts";
import { startProcess } from "./start-process.ts";

/** A listening socket of the predecessor. Other versions of mod_ts write and read it, too. */
export interface PassedSocket {
  /** What it was opened for. */
  options: ListenerOptions;
  descriptor: number;
  /** Whether the file of a Unix socket is to be removed in the end: not that of systemd. */
  isOwned: boolean;
}

/** What a supervisor tells its successor. */
export interface Predecessor {
  pid: number;
  sockets: PassedSocket[];
}

const variable = "MOD_TS_PREDECESSOR";

/** Descriptors before are standard input, output and error. */
const firstDescriptor = 3;

/**
 * The predecessor of this process, if it has one. Workers and other children inherit the variable;
 * the predecessor is the parent of the successor only.
 */
export function readPredecessor(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Predecessor | undefined {
  const text = environment[variable];
  if (text === undefined) return undefined;
  const predecessor = JSON.parse(text) as Predecessor;
  return predecessor.pid === process.ppid ? predecessor : undefined;
}

/** What decides whether the service goes on when this process ends. */
export interface ProcessPlace {
  pid: number;
  ppid: number;
  /** Name of process 1. */
  init: string;
  environment: Readonly<Record<string, string | undefined>>;
}

/** Programs that end with their only child, as process 1 of containers. */
const containerInits: ReadonlySet<string> = new Set([
  "tini",
  "docker-init",
  "dumb-init",
  "catatonit",
]);

/** Why no successor can take over, as everything ends with this process; undefined if one can. */
export function whyIrreplaceable(place: ProcessPlace = ownPlace()): string | undefined {
  const { pid, ppid, init, environment } = place;
  if (pid === 1 || (ppid === 1 && containerInits.has(init))) {
    return "this is the main process of a container, which ends with it; start a new container";
  }
  const isMain = environment["SYSTEMD_EXEC_PID"] === String(pid);
  if (isMain && environment["NOTIFY_SOCKET"] === undefined) {
    return "systemd stops the service with its main process; set Type=notify, or use systemctl restart";
  }
  return undefined;
}

function ownPlace(): ProcessPlace {
  const init = attempt(() => readFileSync("/proc/1/comm", "utf8").trim(), "");
  return { pid: process.pid, ppid: process.ppid, init, environment: process.env };
}

/**
 * Takes the socket with this address out of the list; undefined if there is none. Whatever it was
 * opened for: only one process can open an address.
 */
export function takeSocket(
  sockets: PassedSocket[],
  address: ListenAddress,
): PassedSocket | undefined {
  const wanted = formatAddress(address);
  const index = sockets.findIndex(({ options }) => formatAddress(options.address) === wanted);
  return index < 0 ? undefined : sockets.splice(index, 1)[0];
}

/**
 * Makes the markers, and closes the sockets of the predecessor that this configuration does not use:
 * connections to them would never be answered, and a later configuration could not open their
 * addresses.
 */
export function takeFiles(own: readonly Listener[], left: readonly PassedSocket[]): void {
  for (const listener of own) listener.mark();
  const markers = new Set(own.map(({ marker }) => marker));
  for (const { options, descriptor, isOwned } of left) {
    closeSync(descriptor);
    if (!isOwned) continue;
    const { address, marker } = options;
    if ("path" in address) rmSync(address.path, { force: true });
    if (marker !== undefined && !markers.has(marker)) rmSync(marker, { force: true });
  }
}

/** Starts this program again, with the sockets; it says `serving` when it has taken over. */
export function spawnSuccessor(listeners: readonly Listener[]): ChildProcess {
  const stdio: StdioOptions = ["ignore", "inherit", "inherit"];
  const sockets = listeners.map(({ descriptor, isOwned, ...listener }, index): PassedSocket => {
    const { pool, transport, address, shared = false, marker = "" } = listener;
    stdio.push(descriptor);
    const options = { pool, transport, address, shared, ...(marker && { marker }) };
    return { options, descriptor: firstDescriptor + index, isOwned };
  });
  stdio.push("ipc");
  const predecessor: Predecessor = { pid: process.pid, sockets };
  const env: NodeJS.ProcessEnv = { ...process.env, [variable]: JSON.stringify(predecessor) };
  // They name this process.
  for (const name of ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID"]) {
    delete env[name];
  }
  const argv = [...process.execArgv, ...process.argv.slice(1)];
  return startProcess(() => spawn(process.execPath, argv, { stdio, env, detached: false }));
}

/**
 * Resolves with undefined when the successor serves, else with the reason, when it has ended: with
 * SIGTERM, or SIGKILL after `graceMs`. It has `beginMs` to begin, then twice the time of each worker
 * that it starts: it knows its own configuration, gives slow workers more time, and ends by itself
 * when that does not help.
 */
export async function untilServing(
  child: ChildProcess,
  beginMs = 60_000,
  graceMs = 10_000,
): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const ended = new Promise<void>((end) => {
    child.on("exit", () => end());
    // It never began.
    child.on("error", () => child.pid === undefined && end());
  });
  const expireAfter = (ms: number): NodeJS.Timeout =>
    setTimeout(() => resolve(`not serving within ${ms} ms`), ms);
  let timer = expireAfter(beginMs);
  child.on("error", ({ message }) => resolve(message));
  child.on("exit", (code, signal) => resolve(signal ? `signal ${signal}` : `exit code ${code}`));
  child.on("message", (message) => {
    if (message === serving) return resolve(undefined);
    const { workerMs } = message as Partial<StartingMessage>;
    if (workerMs === undefined) return;
    clearTimeout(timer);
    timer = expireAfter(workerMs * 2);
  });
  const reason = await promise;
  clearTimeout(timer);
  if (reason === undefined) return undefined;
  child.kill("SIGTERM");
  // A second process that serves the same sockets with other code must not go on.
  const force = setTimeout(() => child.kill("SIGKILL"), graceMs);
  await ended;
  clearTimeout(force);
  return reason;
}

const serving = "serving";

/** A worker of the successor starts, and has so many milliseconds until it is ready. */
interface StartingMessage {
  workerMs: number;
}

/** Tells the predecessor that a worker starts. */
export function reportStarting(workerMs: number): void {
  const message: StartingMessage = { workerMs };
  // Where the predecessor has died, `disconnect` follows; without a callback the error would be uncaught.
  if (process.connected) process.send?.(message, () => {});
}

/** Tells the predecessor that this process has taken over. */
export function reportServing(): void {
  process.send?.(serving, () => process.disconnect?.());
}
