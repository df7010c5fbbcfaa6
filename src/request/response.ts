/**
 * The response under construction: nothing leaves before it must, so that a short answer goes out in one piece with its length.
 * @module
 */
import { ModTsError } from "../errors.ts";
import type { Exchange } from "./exchange.ts";
import { ResponseHead } from "./response-head.ts";
import { sendWebResponse } from "./web-response.ts";
import { WriteBuffer } from "./write-buffer.ts";

/** Above this many characters or bytes the buffer is sent without being asked. */
const bufferLimit = 65536;

/** Owned by one `ApacheRequest`; the engine ends it with {@link finish} or {@link fail}. */
export class ResponseBuffer extends ResponseHead {
  /** Whether the request is a HEAD: then bodies are counted but not sent. */
  readonly headOnly: boolean;
  readonly #buffer = new WriteBuffer();
  #announced: number | undefined;
  #sent = 0;
  /** Added to the end of an HTML page whose length was not announced; for tools of development. */
  tail = "";

  constructor(exchange: Exchange, headOnly: boolean) {
    super(exchange);
    this.headOnly = headOnly;
  }

  /** Bytes of the body that have left. */
  get sent(): number {
    return this.#sent;
  }

  /** Whether something of the body was written, sent or not. */
  get written(): boolean {
    return this.begun || this.#buffer.size > 0;
  }

  /**
   * A file that comes first is taken for the whole body: its length is announced unless another one was.
   * Returns whether its bytes are wanted: after HEAD they are not.
   */
  announceFile(length: number): boolean {
    if (this.written) return true;
    this.headersOut.setDefault("Content-Length", length);
    return !this.headOnly;
  }

  /**
   * Adds to the body; strings are sent as UTF-8. Returns false when the client is slower: then `await flush()` before
   * more, or the memory fills. Throws `MODTS_CLIENT_GONE`, `MODTS_RESPONSE_ENDED` or `MODTS_LENGTH_MISMATCH`.
   */
  write(data: string | Uint8Array, flush = false): boolean {
    this.#open("write");
    this.#buffer.push(data);
    return !(flush || this.#buffer.size > bufferLimit) || this.#send();
  }

  /**
   * Sends bytes that nobody is going to change, without a copy. Otherwise as {@link write}.
   * @param left Called when the bytes have left and may be changed again; not where that is not known.
   */
  give(bytes: Uint8Array, left?: () => void): boolean {
    this.#open("write");
    this.#buffer.give(bytes);
    return this.#send(left);
  }

  /** Sends what is buffered, headers first; resolves when the client can take more. Rejects with `MODTS_CLIENT_GONE`. */
  async flush(): Promise<void> {
    this.#open("flush");
    this.#send();
    await this.exchange.drain();
    // A producer that loops until its write fails would spin for ever if a flush to nobody succeeded.
    if (this.exchange.ended) throw new ModTsError("MODTS_CLIENT_GONE");
  }

  /** Forgets what is buffered, and what was said of it. */
  discard(): void {
    this.#buffer.take();
    this.headersOut.delete("Content-Length");
    this.headersOut.delete("Content-Encoding");
  }

  /** Completes the response; in one piece with `Content-Length` when nothing has left before. */
  finish(): void {
    const { exchange } = this;
    if (exchange.ended) return;
    if (this.tail) this.#appendTail();
    if (exchange.begun) this.#finishStream();
    else this.#finishWhole();
  }

  /** Sends a web-standard response in full; see `web-response.ts`. */
  sendResponse(response: Response): Promise<void> {
    return sendWebResponse(this, response);
  }

  /**
   * Answers with a status in place of what the handler had begun: the buffer and `headersOut` are dropped,
   * `errHeadersOut` stays, and `Location` of `headersOut` on a redirect. 204 and 304 keep all headers, as in httpd.
   *
   * When the headers have left it is too late: the connection is broken off, so that no half body passes for a whole one.
   * @param headers They replace those of the same name.
   * @param body Sent as UTF-8; plain text unless a `Content-Type` is named.
   */
  fail(status: number, headers: Iterable<readonly [string, string]> = [], body?: string): void {
    if (this.exchange.ended) return;
    if (this.begun) return this.abort();
    this.#buffer.take();
    this.resetTo(status);
    // They speak of the body. On a 304 caches would take them for news of what they keep (RFC 9111, section 3.2).
    if (!this.bodiless) this.override(headers);
    if (body) {
      this.#buffer.push(body);
      if (!this.bodiless) this.errHeadersOut.setDefault("Content-Type", "text/plain");
    }
    this.finish();
  }

  /** Breaks the response off, so that the client sees that it is not whole; harmless after the end. */
  abort(): void {
    this.exchange.abort();
  }

  #appendTail(): void {
    const isPage = /^text\/html\b/i.test(this.typeToSend(this.#buffer.hadText, true) ?? "");
    if (!isPage || this.status === 206) return;
    // Nor where a policy may forbid it: the browser would complain of every page.
    const reasons = [
      "Content-Encoding",
      "Content-Length",
      "Content-Range",
      "Content-Security-Policy",
    ];
    for (const name of reasons) {
      if (this.headersOut.has(name) || this.errHeadersOut.has(name)) return;
    }
    if (this.#buffer.size + this.#sent > 0) this.write(this.tail);
  }

  #finishWhole(): void {
    const body = this.#encode(this.#buffer.take());
    const length = byteLength(body);
    const promised = this.headOnly ? undefined : this.promisedLength;
    // Attack: half a body, sent with a length of its own, would pass for a whole one.
    if (promised !== undefined && promised !== length) throw mismatch(promised, length);
    // A HEAD handler that makes no body may say how long it would be; 0 would be a lie about GET.
    const shown = this.headOnly && length === 0 ? this.declaredLength : length;
    this.sendHead(
      this.typeToSend(this.#buffer.hadText, length > 0),
      this.bodiless ? undefined : shown,
    );
    if (this.bodiless || this.headOnly || length === 0) return this.exchange.end();
    this.#sent = length;
    // What is ASCII is the same in both, and Latin-1 leaves without being encoded.
    this.exchange.end(body, length === body.length ? "latin1" : "utf8");
  }

  #finishStream(): void {
    this.#send();
    if (this.#announced !== undefined && this.#announced !== this.#sent && !this.headOnly) {
      throw this.#breakOff();
    }
    this.exchange.end();
  }

  /** Sends the buffer. Returns false when the peer is slower. */
  #send(left?: () => void): boolean {
    const { exchange } = this;
    const isFirst = !exchange.begun;
    if (isFirst) {
      this.#announced = this.declaredLength;
      this.sendHead(this.typeToSend(this.#buffer.hadText, true), this.#announced);
    }
    // A head alone would wait in Node for the part that follows it: a page waits for the "open" of its event source.
    if (this.#buffer.size === 0) return !isFirst || exchange.write("");
    const body = this.#encode(this.#buffer.take());
    if (this.headOnly || this.bodiless) return true;
    this.#sent += byteLength(body);
    // Bytes beyond the announced length would be read as the beginning of the next response on this connection.
    if (this.#announced !== undefined && this.#sent > this.#announced) throw this.#breakOff();
    return exchange.write(body, left);
  }

  /** Node sends headers and a first string together, in the charset of the string. */
  #encode(body: string | Uint8Array): string | Uint8Array {
    return typeof body === "string" && this.hasLatin1 ? Buffer.from(body) : body;
  }

  #breakOff(): ModTsError {
    this.exchange.abort();
    return mismatch(this.#announced ?? 0, this.#sent);
  }

  #open(name: string): void {
    if (!this.exchange.ended) return;
    throw this.exchange.signal.aborted
      ? new ModTsError("MODTS_CLIENT_GONE")
      : new ModTsError("MODTS_RESPONSE_ENDED", { name });
  }
}

function mismatch(announced: number, actual: number): ModTsError {
  return new ModTsError("MODTS_LENGTH_MISMATCH", { announced, actual });
}

function byteLength(body: string | Uint8Array): number {
  return typeof body === "string" ? Buffer.byteLength(body) : body.length;
}
