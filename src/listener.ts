/**
 * A listening socket that outlives every worker: it accepts, reads nothing, and hands on.
 * @module
 */
import { chmodSync, chownSync, lstatSync, unlinkSync } from "node:fs";
import { lookup } from "node:dns/promises";
import net, {
  connect,
  createServer,
  isIPv4,
  type ListenOptions,
  type Server,
  type Socket,
} from "node:net";
import { getSystemErrorName } from "node:util";
import { ModTsError } from "./errors.ts";
import { inheritedSocket } from "./inherited-socket.ts";
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
  /**
   * The workers accept, on the very same socket, in place of the supervisor: for a protocol with a connection per request,
   * where the way through the supervisor would cost more than the answer. TCP only.
   * @default false
   */
  shared?: boolean;
}

/** A bound socket that workers are given to accept on. Internal to Node, as `cluster` uses it. */
export interface SharedHandle {
  close(): void;
  /** Fills in the address that the socket is bound to; gives 0, or the negative error number of the bind. */
  getsockname(name: object): number;
}

/** An open listening socket. */
export interface Listener extends ListenerOptions {
  /** What the workers get when the listener is shared. */
  readonly handle?: SharedHandle;
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
  if (options.shared && "host" in address) return openShared(options, address);
  // Without TCP_NODELAY set here a worker would have to know that its sockets came from elsewhere.
  const server = createServer({ pauseOnConnect: true, noDelay: true }, onConnection);
  const descriptor = inheritedSocket(options.pool);
  if (descriptor !== undefined) {
    // Mode, group and the file itself are the business of whoever opened it.
    await listen(server, address, { fd: descriptor });
  } else if ("path" in address) {
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

/**
 * Binds a TCP port and does not listen: the first worker does. As this process keeps the socket, it goes on listening from then on, and
 * who connects while no worker is there waits in the queue of the kernel.
 */
async function openShared(
  options: ListenerOptions,
  { host, port }: { host: string; port: number },
): Promise<Listener> {
  const { address, family } = await lookup(host).catch((error: Error) => {
    throw failed({ host, port }, error.message);
  });
  const handle = bind(address, port, family);
  // Node's way to say it failed: a negative error number of the system.
  if (typeof handle === "number") throw failed({ host, port }, getSystemErrorName(handle));
  // libuv keeps "address in use" to itself until somebody listens, which would be a worker; asked for the name, it tells.
  const code = handle.getsockname({});
  if (code !== 0) throw failed({ host, port }, getSystemErrorName(code));
  return { ...options, handle, close: () => handle.close() };
}

type Bind = (address: string, port: number, family: number) => SharedHandle | number;

// Not documented, and the same since Node 0.12: there is no other way to own a socket without accepting on it.
const { _createServerHandle: bind } = net as unknown as { _createServerHandle: Bind };

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
  return new ModTsError("MODTS_LISTEN_FAILED", { address: formatAddress(address), reason });
}
