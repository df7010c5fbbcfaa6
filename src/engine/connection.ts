/**
 * A connection for protocols other than HTTP, of a socket of the sidecar's own or upgraded behind
 * Apache: mod_python's `mp_conn`. Its handler is the export `connectionHandler`.
 *
 * Attacks: a line without end, a line in single bytes. A line has a limit, and each byte of it is
 * looked at once.
 */
import type { Socket } from "node:net";
import type { Writable } from "node:stream";
import { ModTsError } from "../base/errors.ts";
import type { ApacheRequest } from "../request/request.ts";

/**
 * The `connectionHandler` export: serves a connection, which closes when it has returned. `req` is
 * the request that a client has upgraded, absent on a socket of the sidecar's own.
 */
export type ConnectionHandler = (connection: Connection, req?: ApacheRequest) => unknown;

/** For the client to close its side, and for the last bytes to reach it: `SECONDS_TO_LINGER` of httpd. */
const closingMs = 2_000;

/** Closes only after all output has arrived, even if the client is slow or still sending. */
export async function closeConnection(socket: Socket): Promise<void> {
  if (socket.destroyed) return;
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  // Until the last byte has left this process, the limit on silence applies.
  socket.end(() => destroyLate(socket));
  socket.resume();
  await closed;
}

/** Resolves when a full stream has room again, or has closed. */
export function whenDrained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off("drain", done).off("close", done);
      resolve();
    };
    stream.on("drain", done).on("close", done);
  });
}

/** Attack: a client that never closes its side, or reads nothing. */
export function destroyLate(socket: Socket): void {
  if (socket.destroyed) return;
  const timer = setTimeout(() => socket.destroy(), closingMs);
  socket.once("close", () => clearTimeout(timer));
}

const lineFeed = 0x0a;

export class Connection {
  /** Its name in `connections` of the configuration, or the protocol of an upgrade. */
  readonly name: string;
  /** The stream itself, decrypted, for libraries that take one. Do not read from both. */
  readonly socket: Socket;
  /** Address and port of the client; `""` and 0 for a Unix socket. */
  readonly remoteAddr: readonly [string, number];
  /** Address and port that the client connected to; `""` and 0 for a Unix socket. */
  readonly localAddr: readonly [string, number];
  /**
   * Aborted when the connection has closed, and when the worker is about to end: it closes the
   * connection after `keepAlive` milliseconds.
   */
  readonly signal: AbortSignal;
  readonly #chunks: Buffer[] = [];
  #held = 0;
  #source: AsyncIterator<Buffer> | undefined;

  /**
   * @param ending aborted when the worker is about to end
   * @param addresses those of the client's connection to Apache
   */
  constructor(
    name: string,
    socket: Socket,
    ending: AbortSignal,
    addresses: Pick<Connection, "localAddr" | "remoteAddr"> = addressesOf(socket),
  ) {
    this.name = name;
    this.socket = socket;
    this.remoteAddr = addresses.remoteAddr;
    this.localAddr = addresses.localAddr;
    const controller = new AbortController();
    const abort = (): void => controller.abort();
    this.signal = controller.signal;
    if (ending.aborted) abort();
    ending.addEventListener("abort", abort);
    socket.once("close", () => {
      ending.removeEventListener("abort", abort);
      abort();
    });
  }

  /**
   * So many bytes, or without a length those that come next; null when the connection ends before.
   * Check a length that the client has chosen: so many bytes are held.
   */
  async read(length?: number): Promise<Buffer | null> {
    const wanted = length ?? 1;
    while (this.#held < wanted) if (!(await this.#receive())) return null;
    return this.#take(length ?? this.#held);
  }

  /**
   * The next line as UTF-8, without its end (LF or CRLF); null when the connection ends before.
   * Rejects with `MODTS_LINE_TOO_LONG`.
   */
  async readLine(limit = 65_536): Promise<string | null> {
    let before = 0;
    for (let index = 0; ; index += 1) {
      if (index === this.#chunks.length && !(await this.#receive())) return null;
      const chunk = this.#chunks[index]!;
      const at = chunk.indexOf(lineFeed);
      const bytes = before + (at < 0 ? chunk.length : at);
      if (bytes > limit) throw new ModTsError("MODTS_LINE_TOO_LONG", { limit });
      if (at >= 0)
        return this.#take(bytes + 1)
          .toString()
          .replace(/\r?\n$/, "");
      before = bytes;
    }
  }

  /** Resolves when more can be written; rejects with `MODTS_CONNECTION_CLOSED`. */
  async write(data: string | Uint8Array): Promise<void> {
    const { socket } = this;
    if (!socket.writable) throw new ModTsError("MODTS_CONNECTION_CLOSED");
    if (socket.write(data)) return;
    await whenDrained(socket);
    // The last bytes have no event of their own.
    if (socket.destroyed && !socket.writableFinished)
      throw new ModTsError("MODTS_CONNECTION_CLOSED");
  }

  /** Whether bytes have come. */
  async #receive(): Promise<boolean> {
    this.#source ??= this.socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    try {
      const { value, done } = await this.#source.next();
      if (done) return false;
      this.#chunks.push(value);
      this.#held += value.length;
      return true;
    } catch (error) {
      // Reset by the client, or closed here.
      if (this.socket.destroyed) return false;
      throw error;
    }
  }

  /** Removes bytes that are there. */
  #take(length: number): Buffer {
    const taken: Buffer[] = [];
    let left = length;
    let count = 0;
    for (; left > 0; count += 1) {
      const chunk = this.#chunks[count]!;
      taken.push(chunk.subarray(0, left));
      if (chunk.length > left) break;
      left -= chunk.length;
    }
    const rest = this.#chunks[count]?.subarray(left);
    this.#chunks.splice(0, count + 1, ...(rest && rest.length > 0 ? [rest] : []));
    this.#held -= length;
    return taken.length === 1 ? taken[0]! : Buffer.concat(taken, length);
  }
}

function addressesOf(socket: Socket): Pick<Connection, "localAddr" | "remoteAddr"> {
  const { remoteAddress = "", remotePort = 0, localAddress = "", localPort = 0 } = socket;
  return { remoteAddr: [remoteAddress, remotePort], localAddr: [localAddress, localPort] };
}
