/**
 * Substitute for the client's socket in applications for `node:http`.
 *
 * Node's own `ServerResponse` writes to it, so everything that frameworks expect of one holds: they
 * may replace its prototype or methods, and every head ends in these bytes. The head is parsed
 * again and merged with that of earlier handlers; the body is sent at the client's speed.
 */
import type { ServerResponse } from "node:http";
import { isIPv6 } from "node:net";
import { Duplex } from "node:stream";
import { internals } from "../../request/internals.ts";
import type { ApacheRequest } from "../../request/request.ts";
import type { ResponseBuffer } from "../../request/response/response.ts";
import { adoptHead } from "../../request/web-standard.ts";

type Done = (error?: Error | null) => void;

const headEnd = Buffer.from("\r\n\r\n");

/** What applications ask the socket of a client. */
export function clientOf(req: ApacheRequest): {
  remoteAddress: string;
  remotePort: number;
  remoteFamily: "IPv4" | "IPv6";
  localPort: number;
  encrypted?: true;
} {
  const [remoteAddress, remotePort] = req.useragentAddr;
  return {
    remoteAddress,
    remotePort,
    remoteFamily: isIPv6(remoteAddress) ? "IPv6" : "IPv4",
    localPort: req.server.port,
    ...(req.isHttps() && { encrypted: true }),
  };
}

export class ClientSocket extends Duplex {
  /** Address of the client, after mod_remoteip. */
  declare readonly remoteAddress: string;
  declare readonly remotePort: number;
  declare readonly remoteFamily: "IPv4" | "IPv6";
  declare readonly localPort: number;
  /** Set over TLS; missing otherwise, as on a `net.Socket`. */
  declare readonly encrypted?: true;
  /** The response that writes here. */
  message: ServerResponse | undefined;
  readonly #response: ResponseBuffer;
  #hasHead = false;

  constructor(req: ApacheRequest) {
    super();
    Object.assign(this, clientOf(req));
    this.#response = req[internals].response;
  }

  /** The request body does not come this way. */
  override _read(): void {}

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#pass(bytes, done);
  }

  override _writev(chunks: { chunk: Buffer; encoding: BufferEncoding }[], done: Done): void {
    this.#pass(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
  }

  #pass(bytes: Buffer, done: Done): void {
    try {
      const body = this.#hasHead ? bytes : this.#takeHead(bytes);
      if (body.length > 0) this.#response.write(body);
    } catch (error) {
      return done(error as Error);
    }
    // A response that ends in the same turn is sent in one piece by the engine.
    process.nextTick(() => {
      if (this.message?.writableEnded || !this.#hasHead) done();
      else this.#response.flush().then(() => done(), done);
    });
  }

  /** Node writes a head in one piece. Interim responses are sent by Apache. */
  #takeHead(bytes: Buffer): Buffer {
    let rest = bytes;
    while (!this.#hasHead && rest.length > 0) {
      const end = rest.indexOf(headEnd);
      const [first = "", ...lines] = rest.toString("latin1", 0, end).split("\r\n");
      const [, status = "", statusText = ""] = /^HTTP\/1\.1 (\d+) ?(.*)$/.exec(first) ?? [];
      rest = rest.subarray(end + headEnd.length);
      if (status.startsWith("1")) continue;
      adoptHead(this.#response, { status: Number(status), statusText, headers: lines.map(split) });
      this.#hasHead = true;
    }
    return rest;
  }

  /** Time-outs are those of Apache. */
  setTimeout(): this {
    return this;
  }
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
  destroySoon(): void {
    this.end(() => this.destroy());
  }
  address(): { port: number } {
    return { port: this.localPort };
  }
}

function split(line: string): [string, string] {
  const colon = line.indexOf(":");
  return [line.slice(0, colon), line.slice(colon + 2)];
}
