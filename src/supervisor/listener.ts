/**
 * Listening sockets that outlive the workers: connections are accepted, not read, and passed on.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { lookup } from "node:dns/promises";
import { dirname, join } from "node:path";
import net, { createServer, isIPv4, type ListenOptions, type Server, type Socket } from "node:net";
import { getSystemErrorName } from "node:util";
import { attempt } from "../base/attempt.ts";
import { ModTsError } from "../base/errors.ts";
import { probeSocket } from "../base/probe-socket.ts";
import { log } from "../base/log.ts";
import { findHolders } from "./holders.ts";
import { givenBySystemd, type GivenSocket } from "./socket-activation.ts";

export type ListenAddress = { path: string } | { host: string; port: number };

export interface ListenerOptions {
  /** Pool whose workers get the connections. */
  pool: string;
  /** Protocol, e.g. `gateway`; passed on to the worker. */
  transport: string;
  address: ListenAddress;
  /**
   * The workers accept on the socket themselves: for a protocol with one connection per request,
   * where passing it on costs more than the response.
   * @default false
   */
  shared?: boolean;
  /** Unix sockets only: takes the place of a socket that is in use. @default false */
  replaces?: boolean;
  /** File that exists while the socket listens, for servers that test before they connect. */
  marker?: string;
}

/** A bound socket that workers accept on: internal to Node.js, used by `cluster`. */
export interface SharedHandle {
  readonly fd: number;
  close(): void;
  /** Returns 0, or the negative error number of the bind. */
  getsockname(name: object): number;
}

export interface Listener extends ListenerOptions {
  /** Passed to the workers of a shared listener. */
  readonly handle?: SharedHandle;
  /** To pass the socket to another process. */
  readonly descriptor: number;
  /** Whether the file of a Unix socket is removed in the end. */
  readonly isOwned: boolean;
  /** Opened by another process. */
  readonly isGiven: boolean;
  /** Makes the marker. */
  mark(): void;
  /** Stops accepting at once and removes the file of a Unix socket, unless a successor serves it. */
  close(options?: { keepFile: boolean }): void;
}

/**
 * Opens a listening socket; `group` is the id of the group that may open a Unix socket.
 * Throws `MODTS_LISTEN_FAILED`.
 */
export function openListener(
  options: ListenerOptions,
  group: number | undefined,
  onConnection: (socket: Socket) => void,
  given: GivenSocket | undefined = givenBySystemd(options),
): Promise<Listener> {
  return options.shared
    ? openShared(options, group, given)
    : openOwn(options, group, onConnection, given);
}

/**
 * Removes markers that a crash has left: nothing listens yet, so servers must not connect. A socket
 * that was passed may have been listening all along.
 */
export function clearMarkers(listeners: readonly ListenerOptions[]): void {
  for (const options of listeners) {
    const { marker } = options;
    if (marker !== undefined && !givenBySystemd(options)) rmSync(marker, { force: true });
  }
}

async function openOwn(
  options: ListenerOptions,
  group: number | undefined,
  onConnection: (socket: Socket) => void,
  given: GivenSocket | undefined,
): Promise<Listener> {
  const { address } = options;
  // TCP_NODELAY is set here, as the server of the worker does not see the accept.
  const server = createServer({ pauseOnConnect: true, noDelay: true }, onConnection);
  if (given) {
    // Its opener is responsible for file, mode and group.
    await listen(server, address, { fd: given.descriptor });
  } else if ("path" in address) {
    if (!options.replaces) await refuseOccupied(address.path);
    await publish(server, address.path, group);
  } else {
    await listen(server, address);
  }
  // Reported when file descriptors run out, which must not end this process.
  server.on("error", (error) => log("error", `${formatAddress(address)}: ${error.message}`));
  return {
    ...options,
    ...ownership(options, given, () => server.close()),
    address: actual(server, address),
    descriptor: given?.descriptor ?? descriptorOf(server),
  };
}

/**
 * The file of a Unix socket is removed with it, unless it was given, or a successor serves it. The
 * marker may be that of another process, until this one has made it.
 */
function ownership(
  { address, marker }: ListenerOptions,
  given: GivenSocket | undefined,
  stop: () => void,
): Pick<Listener, "isOwned" | "isGiven" | "mark" | "close"> {
  const isOwned = given?.isOwned ?? true;
  const removers = "path" in address ? [removerOf(address.path)] : [];
  return {
    isOwned,
    isGiven: given !== undefined,
    mark() {
      if (marker === undefined) return;
      // A unit of systemd may have made it, as root.
      if (!existsSync(marker)) writeFileSync(marker, "");
      removers.push(() => attempt(() => rmSync(marker, { force: true }), undefined));
    },
    close({ keepFile } = { keepFile: false }) {
      stop();
      if (isOwned && !keepFile) for (const remove of removers) remove();
    },
  };
}

/** Descriptor of a listening server; Node.js has no public name for it. */
function descriptorOf(server: Server): number {
  const { _handle: handle } = server as unknown as { _handle: { fd: number } };
  return handle.fd;
}

/** Removes the file of a Unix socket; a later one of the same name is not ours. */
function removerOf(path: string): () => void {
  const inodeOf = (): number | undefined => lstatSync(path, { throwIfNoEntry: false })?.ino;
  const inode = inodeOf();
  return () => {
    // In a directory that is read-only by now it stays, and nothing listens on it.
    if (inode !== undefined && inodeOf() === inode) attempt(() => unlinkSync(path), undefined);
  };
}

/**
 * Opens a socket on which this process never accepts. It keeps the socket, so that connections wait
 * in the kernel's queue while no worker is running.
 */
async function openShared(
  options: ListenerOptions,
  group: number | undefined,
  given: GivenSocket | undefined,
): Promise<Listener> {
  const { address } = options;
  const handle = given ? open(null, 0, 0, given.descriptor) : await bind(options, group);
  // A negative error number of the system on failure.
  if (typeof handle === "number") throw failed(address, getSystemErrorName(handle));
  const owned = ownership(options, given, () => handle.close());
  return { ...options, ...owned, handle, descriptor: handle.fd };
}

/** The handle, or the negative error number. */
async function bind(
  { address, replaces = false }: ListenerOptions,
  group: number | undefined,
): Promise<SharedHandle | number> {
  if ("path" in address && !replaces) await refuseOccupied(address.path);
  const draft = "path" in address ? draftOf(address.path) : "";
  const handle = "path" in address ? bindPath(draft) : await bindPort(address);
  if (typeof handle === "number") return handle;
  await listenWithoutAccepting(handle, address);
  if ("path" in address) reveal(draft, address.path, group);
  return handle;
}

function bindPath(path: string): SharedHandle | number {
  const mask = process.umask(socketMask);
  const handle = open(path, -1, -1);
  process.umask(mask);
  return handle;
}

async function bindPort({ host, port }: { host: string; port: number }): Promise<SharedHandle> {
  const { address, family } = await lookup(host).catch((error: Error) => {
    throw failed({ host, port }, error.message);
  });
  const handle = open(address, port, family);
  // libuv reports "address in use" only at listen() or getsockname().
  const code = typeof handle === "number" ? handle : handle.getsockname({});
  if (typeof handle === "number" || code !== 0) {
    throw failed({ host, port }, getSystemErrorName(code));
  }
  return handle;
}

/**
 * The argument of listen(2) for a shared port; the kernel has a maximum of its own (`somaxconn`).
 * Attack: where a flood of connections fills the queue, Apache's wait for seconds.
 */
export const queueLength = 4096;

/**
 * A handle of Node.js that listens also accepts, so another process calls listen(2) on the socket:
 * connections are queued from now on, and none is lost to a process that is not a worker.
 */
async function listenWithoutAccepting({ fd }: SharedHandle, address: ListenAddress): Promise<void> {
  const script = `process.exit(require("net")._createServerHandle(null, 0, 0, 3).listen(${queueLength}))`;
  const stdio = ["ignore", "ignore", "ignore", fd] as const;
  const child = spawn(process.execPath, ["-e", script], { stdio: [...stdio], env: {} });
  const [code] = (await once(child, "exit").catch((error: Error) => {
    throw failed(address, error.message);
  })) as [number | null];
  if (code !== 0) throw failed(address, `listen() failed with ${nameOf(code)}`);
}

/** The error number is the exit code, of which the system keeps the last eight bits. */
function nameOf(code: number | null): string {
  return code === null ? "a signal" : getSystemErrorName(code - 256);
}

type Open = (
  address: string | null,
  port: number,
  family: number,
  descriptor?: number,
) => SharedHandle | number;

// Undocumented, unchanged since Node.js 0.12: the only way to own a socket without accepting on it.
const { _createServerHandle: open } = net as unknown as { _createServerHandle: Open };

/** A path, or `host:port`. */
export function formatAddress(address: ListenAddress): string {
  if ("path" in address) return address.path;
  return `${address.host.includes(":") ? `[${address.host}]` : address.host}:${address.port}`;
}

/** Attack: any peer that reaches a socket passes for Apache; on a network a secret is needed. */
export function requireTrust(isSecured: boolean, listeners: readonly ListenerOptions[]): void {
  const trusting = listeners.filter(({ transport }) => !transport.startsWith("connection."));
  const remote = isSecured ? undefined : trusting.find(({ address }) => !isLocal(address));
  if (!remote) return;
  throw new ModTsError("MODTS_SECRET_REQUIRED", { address: formatAddress(remote.address) });
}

/** Whether only this machine can connect. */
function isLocal(address: ListenAddress): boolean {
  if ("path" in address) return true;
  const { host } = address;
  return host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."));
}

/**
 * A socket with a listener, or a file that is not a socket, belongs to another program. A socket
 * file left over from a crash is replaced.
 */
async function refuseOccupied(path: string): Promise<void> {
  const entry = lstatSync(path, { throwIfNoEntry: false });
  if (!entry) return;
  if (!entry.isSocket()) throw failed({ path }, "a file of that name exists and is not a socket");
  const error = await probeSocket({ path });
  if (!error) throw failed({ path }, "another process listens there");
  const code = error.code ?? error.message;
  if (code !== "ECONNREFUSED") throw failed({ path }, `the existing socket fails with ${code}`);
}

/**
 * Sockets listen under another name first: the file appears when it can be used, and libuv, which
 * removes the file that it made when the server closes, does not take it from a successor.
 */
function draftOf(path: string): string {
  // Not longer than the name of any socket: a path has 107 bytes.
  const draft = join(dirname(path), ".new");
  if (lstatSync(draft, { throwIfNoEntry: false })?.isSocket()) unlinkSync(draft);
  return draft;
}

/** Attack: between bind and chmod any user could connect, and stay connected. So umask, not chmod. */
const socketMask = 0o177;

async function publish(server: Server, path: string, group: number | undefined): Promise<void> {
  const draft = draftOf(path);
  const mask = process.umask(socketMask);
  try {
    await listen(server, { path }, { path: draft });
  } finally {
    process.umask(mask);
  }
  reveal(draft, path, group);
}

function reveal(draft: string, path: string, group: number | undefined): void {
  share(draft, group);
  renameSync(draft, path);
}

function share(path: string, group: number | undefined): void {
  if (group === undefined) return;
  try {
    if (lstatSync(path).gid !== group) chownSync(path, process.geteuid?.() ?? -1, group);
  } catch (error) {
    // Not fatal: httpd may run as the same user. Otherwise its log has "permission denied", ours the reason.
    log(
      "warn",
      `${dirname(path)}: cannot set group ${group}: ${(error as Error).message}; add the user of the sidecar to it`,
    );
  }
  // Last, as before the group was that of the process.
  chmodSync(path, 0o660);
}

function listen(
  server: Server,
  address: ListenAddress,
  options: ListenOptions | { fd: number } = address,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void => reject(failed(address, error.message));
    server.once("error", onError);
    server.listen(options, () => {
      server.off("error", onError);
      resolve();
    });
  });
}

/** Port 0 lets the system choose. */
function actual(server: Server, address: ListenAddress): ListenAddress {
  const bound = server.address();
  if ("path" in address || bound === null || typeof bound === "string") return address;
  return { ...address, port: bound.port };
}

function failed(address: ListenAddress, reason: string): ModTsError {
  const pids = "port" in address && reason.includes("EADDRINUSE") ? findHolders(address.port) : [];
  const holders = pids.length > 0 ? `; held by process ${pids.join(", ")}` : "";
  return new ModTsError("MODTS_LISTEN_FAILED", {
    address: formatAddress(address),
    reason: reason + holders,
  });
}
