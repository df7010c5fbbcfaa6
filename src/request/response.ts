/**
 * The response under construction: nothing leaves before it must, so that a short answer goes out in one piece with its length.
 * @module
 */
import { ModTsError } from "../errors.ts";
import { isHttpStatus, reasonPhrase } from "../http-status.ts";
import type { Exchange } from "./exchange.ts";
import { HeaderTable } from "./headers.ts";
import {
  checkHeader,
  checkReason,
  isConnectionHeader,
  ResponseHeaders,
} from "./response-headers.ts";
import { sendWebResponse } from "./web-response.ts";

/** Above this many characters or bytes the buffer is sent without being asked. */
const bufferLimit = 65536;

/** Owned by one `ApacheRequest`; the engine ends it with {@link finish} or {@link fail}. */
export class ResponseBuffer {
  readonly exchange: Exchange;
  /** Whether the request is a HEAD: then bodies are counted but not sent. */
  readonly headOnly: boolean;
  #status = 200;
  #reason: string | undefined;
  #reasonCode = 0;
  #contentType: string | undefined;
  #headersOut: ResponseHeaders | undefined;
  #errHeadersOut: ResponseHeaders | undefined;
  /** Either text alone, joined, or chunks: most handlers write strings only, and one string is sent fastest. */
  #text = "";
  #chunks: Uint8Array[] | undefined;
  #size = 0;
  #wroteText = false;
  #typeless = false;
  #announced: number | undefined;
  #sent = 0;
  /** Whether `Expires` and `Cache-Control` shall forbid caches to keep the response. */
  noCache = false;
  /** Methods for the `Allow` header of a 405 or 501. */
  allowed: readonly string[] = [];
  /** Added to the end of an HTML page whose length was not announced; for tools of development. */
  tail = "";

  /** @param headOnly Whether the request is a HEAD: then bodies are counted but not sent. */
  constructor(exchange: Exchange, headOnly: boolean) {
    this.exchange = exchange;
    this.headOnly = headOnly;
  }

  /** 200 at the start; 200 to 599. Setting it later than the first flush throws `MODTS_HEADERS_SENT`. */
  get status(): number {
    return this.#status;
  }
  set status(status: number) {
    this.#changing("status");
    // An interim status would leave the client waiting for the real one (RFC 9110, section 15.2).
    if (!isHttpStatus(status) || status < 200) {
      throw new ModTsError("MODTS_BAD_ARGUMENT", {
        name: "status",
        reason: `${status} is not a final HTTP status`,
      });
    }
    this.#status = status;
  }

  /** Status and reason, e.g. `404 Not Here`. As in httpd, a line whose number is not the status is not sent. */
  get statusLine(): string {
    return `${this.#status} ${this.#reasonFor(this.#status)}`;
  }
  set statusLine(line: string) {
    this.#changing("statusLine");
    const match = /^(\d{3}) ?([^]*)$/.exec(line);
    if (!match) {
      throw new ModTsError("MODTS_BAD_ARGUMENT", {
        name: "statusLine",
        reason: 'it must look like "404 Not Found"',
      });
    }
    checkReason(match[2] as string);
    this.#reasonCode = Number(match[1]);
    this.#reason = match[2] as string;
  }

  /** What the handler has set, else undefined. It wins over a `Content-Type` in {@link headersOut}. */
  get contentType(): string | undefined {
    return this.#contentType;
  }
  set contentType(type: string | undefined) {
    this.#changing("contentType");
    if (type !== undefined) checkHeader("Content-Type", type);
    this.#contentType = type;
  }

  /** Headers of a successful response; dropped when the request ends with an error status. */
  get headersOut(): HeaderTable {
    return (this.#headersOut ??= this.#table());
  }

  /** Headers that survive an error status. */
  get errHeadersOut(): HeaderTable {
    return (this.#errHeadersOut ??= this.#table());
  }

  /** Bytes of the body that have left. */
  get sent(): number {
    return this.#sent;
  }

  /** Whether the headers have left. */
  get begun(): boolean {
    return this.exchange.begun;
  }

  /** Announces the length. A body of another length is never sent as if it were complete. */
  setContentLength(length: number): void {
    this.#changing("Content-Length");
    this.headersOut.set("Content-Length", length);
  }

  /** A file that comes first is taken for the whole body: its length is announced unless another one was. */
  announceFile(length: number): void {
    if (this.exchange.begun || this.#size > 0 || this.#headersOut?.has("Content-Length")) return;
    this.setContentLength(length);
  }

  /** No default `Content-Type` for this response. */
  withoutDefaultType(): void {
    this.#typeless = true;
  }

  /**
   * Adds to the body; strings are sent as UTF-8. Returns false when the client is slower: then `await flush()` before
   * more, or the memory fills. Throws `MODTS_CLIENT_GONE`, `MODTS_RESPONSE_ENDED` or `MODTS_LENGTH_MISMATCH`.
   */
  write(data: string | Uint8Array, flush = false): boolean {
    this.#open("write");
    if (typeof data === "string") {
      this.#wroteText = true;
      if (this.#chunks) this.#chunks.push(Buffer.from(data));
      else this.#text += data;
    } else if (data instanceof Uint8Array) this.#pushBytes(data);
    else
      throw new ModTsError("MODTS_BAD_ARGUMENT", {
        name: "write",
        reason: "only strings and bytes can be written",
      });
    this.#size += data.length;
    return !(flush || this.#size > bufferLimit) || this.#send();
  }

  /** Sends what is buffered, headers first; resolves when the client can take more. Rejects with `MODTS_CLIENT_GONE`. */
  async flush(): Promise<void> {
    this.#open("flush");
    if (!this.#send()) await this.exchange.drain();
    // A producer that loops until its write fails would spin for ever if a flush to nobody succeeded.
    if (this.exchange.ended) throw new ModTsError("MODTS_CLIENT_GONE");
  }

  /** Completes the response; in one piece with `Content-Length` when nothing has left before. */
  finish(): void {
    const { exchange } = this;
    if (exchange.ended) return;
    if (this.tail) this.#appendTail();
    if (exchange.begun) return this.#finishStream();
    const body = this.#take();
    const length = byteLength(body);
    const bodiless = isBodiless(this.#status);
    const announced = this.#declaredLength();
    // A HEAD handler that makes no body may say how long it would be; 0 would be a lie about GET.
    const shown = this.headOnly && length === 0 ? announced : length;
    this.#begin(bodiless ? undefined : shown);
    if (bodiless || this.headOnly || length === 0) return exchange.end();
    this.#sent = length;
    exchange.end(body);
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
    const { exchange } = this;
    if (exchange.ended) return;
    if (exchange.begun) return exchange.abort();
    this.#take();
    this.#status = isHttpStatus(status) && status >= 200 ? status : 500;
    this.#keepHeaders();
    const given = [...headers];
    for (const [name] of given) {
      this.errHeadersOut.delete(name);
      this.#headersOut?.delete(name);
    }
    for (const [name, value] of given) this.errHeadersOut.add(name, value);
    this.#answerWith(body);
  }

  /** Sends a web-standard response in full; see `web-response.ts`. */
  sendResponse(response: Response): Promise<void> {
    return sendWebResponse(this, response);
  }

  /** Breaks a response off, so that the client sees that it is not whole; harmless after the end. */
  abort(): void {
    this.exchange.abort();
  }

  #answerWith(body: string | undefined): void {
    this.#addAllow();
    this.#text = body ?? "";
    this.#wroteText = true;
    if (!this.errHeadersOut.has("Content-Type")) this.#contentType ??= "text/plain; charset=utf-8";
    this.finish();
  }

  /** RFC 9110, section 15.5.6: a 405 must say what is allowed. */
  #addAllow(): void {
    if (this.allowed.length === 0 || (this.#status !== 405 && this.#status !== 501)) return;
    this.errHeadersOut.setDefault("Allow", this.allowed.join(", "));
  }

  #keepHeaders(): void {
    if (isBodiless(this.#status)) return;
    const location = isRedirect(this.#status) ? this.#headersOut?.get("Location") : undefined;
    this.#headersOut = undefined;
    this.#contentType = undefined;
    this.noCache = false;
    if (location !== undefined && !this.errHeadersOut.has("Location"))
      this.headersOut.set("Location", location);
  }

  #appendTail(): void {
    const isPage = /^text\/html\b/i.test(this.#typeToSend(undefined) ?? "");
    const isPlain =
      !this.#headersOut?.has("Content-Encoding") && !this.#headersOut?.has("Content-Length");
    if (isPage && isPlain && this.#size + this.#sent > 0) this.write(this.tail);
  }

  #finishStream(): void {
    this.#send();
    if (this.#announced !== undefined && this.#announced !== this.#sent && !this.headOnly) {
      this.exchange.abort();
      throw this.#mismatch(this.#sent);
    }
    this.exchange.end();
  }

  /** Sends the buffer. Returns false when the peer is slower. */
  #send(): boolean {
    const { exchange } = this;
    if (!exchange.begun) this.#begin((this.#announced = this.#declaredLength()));
    if (this.#size === 0) return true;
    const body = this.#take();
    if (this.headOnly || isBodiless(this.#status)) return true;
    this.#sent += byteLength(body);
    // Bytes beyond the announced length would be read as the beginning of the next response on this connection.
    if (this.#announced !== undefined && this.#sent > this.#announced) {
      exchange.abort();
      throw this.#mismatch(this.#sent);
    }
    return exchange.write(body);
  }

  #begin(length: number | undefined): void {
    const headers: string[] = [];
    const type = this.#typeToSend(length);
    if (type !== undefined) headers.push("Content-Type", type);
    if (length !== undefined) headers.push("Content-Length", String(length));
    if (this.noCache) this.#forbidCaching();
    if (this.#headersOut) appendHeaders(headers, this.#headersOut, type !== undefined);
    if (this.#errHeadersOut) appendHeaders(headers, this.#errHeadersOut, type !== undefined);
    this.#headersOut?.freeze();
    this.#errHeadersOut?.freeze();
    this.exchange.begin(this.#status, this.#reasonFor(this.#status), headers);
  }

  /** Undefined when there is nothing to describe. Text gets the charset it is sent in, or the browser would guess. */
  #typeToSend(length: number | undefined): string | undefined {
    if (isBodiless(this.#status)) return undefined;
    const type =
      this.#contentType ??
      this.#headersOut?.get("Content-Type") ??
      this.#errHeadersOut?.get("Content-Type");
    if (type !== undefined) {
      return this.#wroteText && /^text\//i.test(type) && !/;\s*charset=/i.test(type)
        ? `${type}; charset=utf-8`
        : type;
    }
    if (this.#typeless || length === 0) return undefined;
    return this.#wroteText ? "text/html; charset=utf-8" : "application/octet-stream";
  }

  #forbidCaching(): void {
    this.headersOut.setDefault("Expires", new Date(0).toUTCString());
    this.headersOut.setDefault("Cache-Control", "no-cache");
  }

  #declaredLength(): number | undefined {
    if (isBodiless(this.#status)) return undefined;
    const declared = this.#headersOut?.get("Content-Length");
    return declared === undefined ? undefined : Number(declared);
  }

  #pushBytes(data: Uint8Array): void {
    if (!this.#chunks) {
      this.#chunks = this.#text ? [Buffer.from(this.#text)] : [];
      this.#text = "";
    }
    // A copy: the caller may use its buffer again before this one is sent.
    this.#chunks.push(data.slice());
  }

  #take(): string | Uint8Array {
    const chunks = this.#chunks;
    const text = this.#text;
    this.#chunks = undefined;
    this.#text = "";
    this.#size = 0;
    if (!chunks) return text;
    return chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks);
  }

  #table(): ResponseHeaders {
    const table = new ResponseHeaders();
    if (this.exchange.begun) table.freeze();
    return table;
  }

  #reasonFor(status: number): string {
    return this.#reason !== undefined && this.#reasonCode === status
      ? this.#reason
      : reasonPhrase(status);
  }

  #changing(name: string): void {
    if (this.exchange.begun) throw new ModTsError("MODTS_HEADERS_SENT", { name });
  }

  #open(name: string): void {
    if (!this.exchange.ended) return;
    throw this.exchange.signal.aborted
      ? new ModTsError("MODTS_CLIENT_GONE")
      : new ModTsError("MODTS_RESPONSE_ENDED", { name });
  }

  #mismatch(actual: number): ModTsError {
    return new ModTsError("MODTS_LENGTH_MISMATCH", { announced: this.#announced ?? 0, actual });
  }
}

function appendHeaders(target: string[], table: HeaderTable, hasType: boolean): void {
  const list = table.raw();
  for (let at = 0; at < list.length; at += 2) {
    const name = list[at] as string;
    if (isConnectionHeader(name)) continue;
    if (hasType && name.toLowerCase() === "content-type") continue;
    target.push(name, list[at + 1] as string);
  }
}

function byteLength(body: string | Uint8Array): number {
  return typeof body === "string" ? Buffer.byteLength(body) : body.length;
}

/** Statuses whose response never has a body (RFC 9110, sections 15.3.5 and 15.4.5). */
function isBodiless(status: number): boolean {
  return status === 204 || status === 304;
}

function isRedirect(status: number): boolean {
  return status >= 300 && status < 400;
}
