/**
 * A callback without a body: one request, and its response, on a connection of its own (RFC 9112).
 *
 * A callback keeps no connection (`origin.ts`), and for a new one `node:http` costs the worker 110 µs
 * more, a quarter of a pass-through. Apache is trusted not to smuggle, and cannot: the connection
 * closes with the response. What does not parse is an error.
 */
import { maxHeaderSize, validateHeaderName, validateHeaderValue } from "node:http";
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import type { OutgoingHeaders } from "./outgoing.ts";

export interface CallbackRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: OutgoingHeaders;
  /** Receives interim responses (RFC 9110, section 15.2). */
  readonly inform?: ((status: number, headers: OutgoingHeaders) => void) | undefined;
}

/** For Apache to close the connection after a response. */
const lingerMs = 2000;

/** Sends the request. Throws a `TypeError` for a header that would be another one, or two. */
export function writeRequest(socket: Socket, { method, path, headers }: CallbackRequest): void {
  let head = `${method} ${path} HTTP/1.1\r\n`;
  for (const [name, values] of Object.entries(headers)) {
    validateHeaderName(name);
    for (const value of typeof values === "string" ? [values] : values) {
      validateHeaderValue(name, value);
      head += `${name}: ${value}\r\n`;
    }
  }
  socket.write(`${head}Connection: close\r\n\r\n`, "latin1");
}

/** The members of `IncomingMessage` that are used here. Emits `head` when there is a status. */
export class CallbackResponse extends Readable {
  readonly socket: Socket;
  statusCode = 0;
  statusMessage = "";
  rawHeaders: string[] = [];
  /** Names in lower case. */
  headers: Record<string, string> = {};
  /** Whether all of the body has come. */
  complete = false;
  readonly #request: Pick<CallbackRequest, "method" | "inform">;
  #head: Buffer = Buffer.alloc(0);
  #framing: Framing | undefined;

  /** @param socket half open, so that it closes in one step */
  constructor(socket: Socket, request: Pick<CallbackRequest, "method" | "inform">) {
    super();
    this.socket = socket;
    this.#request = request;
    socket.on("data", (bytes: Buffer) => this.#take(bytes));
    socket.on("error", (error) => this.destroy(error));
    socket.once("end", () => this.#closed()).once("close", () => this.#closed());
  }

  override _read(): void {
    this.socket.resume();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.complete) this.socket.destroy();
    done(error);
  }

  #take(bytes: Buffer): void {
    if (this.complete || this.destroyed) return;
    try {
      const rest = this.#framing ? bytes : this.#takeHead(bytes);
      if (rest && this.#framing?.take(rest, (part) => this.#give(part))) this.#finish();
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  /** The bytes after the head of the final response, if it has come. */
  #takeHead(bytes: Buffer): Buffer | undefined {
    const all = this.#head.length > 0 ? Buffer.concat([this.#head, bytes]) : bytes;
    const end = all.indexOf("\r\n\r\n");
    if ((end < 0 ? all.length : end) > maxHeaderSize) throw new Error("the headers are too long");
    this.#head = end < 0 ? all : Buffer.alloc(0);
    if (end < 0) return undefined;
    const { status, reason, headers } = parseHead(all.toString("latin1", 0, end));
    const rest = all.subarray(end + 4);
    if (status === 101) throw new Error("unrequested protocol upgrade");
    if (status < 200) {
      this.#request.inform?.(status, headersOf(headers));
      return this.#takeHead(rest);
    }
    this.statusCode = status;
    this.statusMessage = reason;
    this.rawHeaders = headers;
    this.headers = headersOf(headers);
    this.#framing = framingOf(this.#request.method, status, this.headers);
    this.emit("head");
    return rest;
  }

  #give(part: Buffer): void {
    if (!this.push(part)) this.socket.pause();
  }

  #finish(): void {
    this.complete = true;
    this.push(null);
    // Apache closes first: otherwise the kernel would do Apache's part of the work in our time.
    if (!this.socket.readableEnded) this.socket.setTimeout(lingerMs, () => this.socket.destroy());
  }

  #closed(): void {
    this.socket.destroy();
    if (this.complete || this.destroyed) return;
    if (this.#framing?.endsWithConnection) return this.#finish();
    this.destroy(new Error("the connection was closed"));
  }
}

interface Head {
  readonly status: number;
  readonly reason: string;
  readonly headers: string[];
}

/** RFC 9112, sections 4 and 5. Throws if the text is no HTTP/1 response. */
function parseHead(text: string): Head {
  const [first = "", ...lines] = text.split("\r\n");
  const [, status, reason = ""] =
    /^HTTP\/1\.[01] ([1-5]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/.exec(first) ?? [];
  if (status === undefined) throw new Error("invalid HTTP status line");
  const headers: string[] = [];
  for (const line of lines) {
    const [, name, value] =
      /^([!#$%&'*+.^_`|~\w-]+):[\t ]*([\t\x20-\x7e\x80-\xff]*?)[\t ]*$/.exec(line) ?? [];
    if (name === undefined || value === undefined) throw new Error("invalid HTTP header");
    headers.push(name, value);
  }
  return { status: Number(status), reason, headers };
}

/** Repeated ones are joined, except for the type, of which the first counts, as in `node:http`. */
function headersOf(raw: readonly string[]): Record<string, string> {
  const headers = Object.create(null) as Record<string, string>;
  for (let at = 0; at < raw.length; at += 2) {
    const name = (raw[at] as string).toLowerCase();
    const value = raw[at + 1] as string;
    const before = headers[name];
    if (before === undefined) headers[name] = value;
    else if (name !== "content-type") headers[name] = `${before}, ${value}`;
  }
  return headers;
}

/** Where a body ends (RFC 9112, section 6.3). */
interface Framing {
  /** Passes on the bytes of the body; true at its end. */
  take(bytes: Buffer, give: (part: Buffer) => void): boolean;
  readonly endsWithConnection: boolean;
}

function framingOf(method: string, status: number, headers: OutgoingHeaders): Framing {
  if (method === "HEAD" || status === 204 || status === 304) return ofLength(0);
  const { "content-length": length, "transfer-encoding": coding } = headers;
  if (coding !== undefined) {
    if (length !== undefined || !/^chunked$/i.test(String(coding))) throw invalidFraming();
    return inChunks();
  }
  if (length === undefined) return untilClosed;
  if (!/^\d{1,15}$/.test(String(length))) throw invalidFraming();
  return ofLength(Number(length));
}

function invalidFraming(): Error {
  return new Error("invalid framing of the body");
}

function ofLength(length: number): Framing {
  let left = length;
  return {
    endsWithConnection: false,
    take(bytes, give) {
      const part = bytes.length > left ? bytes.subarray(0, left) : bytes;
      left -= part.length;
      if (part.length > 0) give(part);
      return left === 0;
    },
  };
}

const untilClosed: Framing = {
  endsWithConnection: true,
  take(bytes, give) {
    if (bytes.length > 0) give(bytes);
    return false;
  },
};

const longestLine = 4096;

/** RFC 9112, section 7.1. Trailers are dropped. */
function inChunks(): Framing {
  let next: "size" | "data" | "end" | "trailer" = "size";
  let left = 0;
  let line = "";
  const takeLine = (): boolean => {
    const size = /^([\da-f]{1,12})[\t ]*(?:;.*)?\r\n$/i.exec(line)?.[1];
    const isEmpty = line === "\r\n";
    line = "";
    if (next === "trailer") return isEmpty;
    if (next === "end" ? !isEmpty : size === undefined) throw invalidFraming();
    if (next === "end") next = "size";
    else {
      left = Number.parseInt(size as string, 16);
      next = left > 0 ? "data" : "trailer";
    }
    return false;
  };
  return {
    endsWithConnection: false,
    take(bytes, give) {
      for (let at = 0; at < bytes.length;) {
        const end = next === "data" ? at + left : bytes.indexOf("\n", at) + 1 || bytes.length;
        const part = bytes.subarray(at, end);
        at += part.length;
        if (next === "data") {
          left -= part.length;
          if (left === 0) next = "end";
          // Other chunks in the same memory are read later than this one is released.
          give(part.length === bytes.length ? part : Buffer.from(part));
          continue;
        }
        line += part.toString("latin1");
        if (line.length > longestLine) throw invalidFraming();
        if (line.endsWith("\n") && takeLine()) return true;
      }
      return false;
    },
  };
}
