/**
 * A listening socket that outlives every worker: it accepts, reads nothing, and hands on.
 * @module
 */
import { chmodSync, chownSync, lstatSync, unlinkSync } from "node:fs";
import {
  connect,
  createServer,
  isIPv4,
  type ListenOptions,
  type Server,
  type Socket,
} from "node:net";
import { ModTsError } from "./errors.ts";
import { log } from "./log.ts";

/** Where to listen: a Unix socket, or TCP. */
export type ListenAddress = { path: string } | { host: string; port: number };

/** Which protocol is spoken where, and who speaks it. */
export interface ListenerOptions {
  /** Name of the pool whose workers get the connections. */
  pool: string;
  /** Name of the protocol, passed on to the worker, e.g. `gateway`. */
  door: string;
  address: ListenAddress;
}

/** An open listening socket. */
export interface Listener extends ListenerOptions {
  /** Stops accepting, at once; a Unix socket file is removed. */
  close(): void;
}

/**
 * Opens a listening socket; `group` is the number of the group that may open a Unix socket besides the owner.
 * Throws `MODTS_LISTEN_FAILED`.
 */
export async function openListener(
  options: ListenerOptions,
  group: number | undefined,
  onConnection: (socket: Socket) => void,
): Promise<Listener> {
  const { address } = options;
  // Without TCP_NODELAY set here a worker would have to know that its sockets came from elsewhere.
  const server = createServer({ pauseOnConnect: true, noDelay: true }, onConnection);
  if ("path" in address) {
    await removeStale(address.path);
    await listenPrivately(server, address.path);
    share(address.path, group);
  } else {
    await listen(server, address);
  }
  // Running out of descriptors is reported here; the process that must not die goes on with those it has.
  server.on("error", (error) => log("error", `${formatAddress(address)}: ${error.message}`));
  return { ...options, address: actual(server, address), close: () => void server.close() };
}

/** As people write it: a path, or `host:port`. */
export function formatAddress(address: ListenAddress): string {
  if ("path" in address) return address.path;
  return `${address.host.includes(":") ? `[${address.host}]` : address.host}:${address.port}`;
}

/** Whether only this machine can connect. */
export function isLocal(address: ListenAddress): boolean {
  if ("path" in address) return true;
  const { host } = address;
  return host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."));
}

/**
 * A socket file that nobody answers on is left over from a crash. One that is answered belongs to somebody, and what is
 * no socket at all was never ours: neither is touched.
 */
async function removeStale(path: string): Promise<void> {
  const entry = lstatSync(path, { throwIfNoEntry: false });
  if (!entry) return;
  if (!entry.isSocket())
    throw failed({ path }, "there is a file of that name that is not a socket");
  const code = await knock(path);
  if (code === "answered") throw failed({ path }, "another process answers there");
  if (code !== "ECONNREFUSED") throw failed({ path }, `the socket that is there says ${code}`);
  unlinkSync(path);
}

function knock(path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on("connect", () => {
      socket.destroy();
      resolve("answered");
    });
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

/** Between bind and chmod anyone could connect, and stay connected: the file has its mode from the first moment. */
async function listenPrivately(server: Server, path: string): Promise<void> {
  const mask = process.umask(0o177);
  try {
    await listen(server, { path });
  } finally {
    process.umask(mask);
  }
}

function share(path: string, group: number | undefined): void {
  if (group === undefined) return;
  try {
    if (lstatSync(path).gid !== group) chownSync(path, process.geteuid?.() ?? -1, group);
  } catch (error) {
    // Not fatal: httpd may run as the same user. If it does not, its log says "permission denied" and ours says why.
    log("warn", `${path}: cannot be given to group ${group}: ${(error as Error).message}`);
  }
  // Only now: before, the group was the one of the process.
  chmodSync(path, 0o660);
}

function listen(server: Server, options: ListenOptions & ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void => reject(failed(options, error.message));
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
  return new ModTsError("MODTS_LISTEN_FAILED", { address: formatAddress(address), reason });
}
