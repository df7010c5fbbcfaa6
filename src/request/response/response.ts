/** The response under construction. A short one is sent in one piece with its length. */
import { attempt } from "../../base/attempt.ts";
import { ModTsError, badArgument } from "../../base/errors.ts";
import { isHttpStatus, reasonPhrase } from "../../base/http-status.ts";
import type { Exchange } from "../exchange.ts";
import {
  checkHeader,
  type HeaderTable,
  overrideHeaders,
  parseStatusLine,
  ResponseHeaders,
  withCharset,
} from "../headers.ts";
import { addCacheHeaders } from "./cache-headers.ts";
import { type Block, copyToBlock } from "./blocks.ts";
import { type Output, OutputBytes } from "./output-bytes.ts";
import { tailOf } from "./page-tail.ts";

/** More is sent as soon as the handler waits for something. */
const maxBufferedBytes = 65_536;
/** More is sent at once. */
const maxWholeBytes = 1_048_576;

/** Owned by one `ApacheRequest`; the engine ends it with {@link finish} or {@link fail}. */
export class ResponseBuffer {
  exchange: Exchange;
  /** HEAD request: bodies are counted but not sent. */
  readonly headOnly: boolean;
  /** Status that an `ErrorDocument` is for; otherwise undefined. */
  readonly errorStatus: number | undefined;
  noCache = false;
  /** Whether shared caches must not store a cookie. */
  setsCookie = false;
  /** Whether a rule of a handler let the request through. */
  isPrivate = false;
  /** Called before the headers are sent. */
  beforeHead: { announce(): void } | undefined;
  /** Methods for the `Allow` header of a 405 or 501. */
  allowed: readonly string[] = [];
  /** Appended to HTML pages, for development tools; undefined where nothing will be appended. */
  tail: string | undefined;
  #status: number;
  #reason: string | undefined;
  #reasonStatus = 0;
  #contentType: string | undefined;
  #headersOut: ResponseHeaders | undefined;
  #errHeadersOut: ResponseHeaders | undefined;
  #isTypeless = false;
  /** The length of {@link setContentLength}; a copied header is no promise. */
  #promised: string | undefined;
  #announced: number | undefined;
  #sent = 0;
  /** Text is joined, as one string is sent fastest; with the first bytes all becomes bytes. */
  #text = "";
  #bytes: OutputBytes | undefined;
  #hadText = false;
  #isPlanned = false;

  constructor(exchange: Exchange, headOnly: boolean, errorStatus?: number) {
    this.exchange = exchange;
    this.headOnly = headOnly;
    this.errorStatus = errorStatus;
    this.#status = errorStatus ?? 200;
  }

  get begun(): boolean {
    return this.exchange.begun;
  }
  get sent(): number {
    return this.#sent;
  }
  /** Whether the body has a part, sent or buffered. */
  get written(): boolean {
    return this.begun || this.#buffered > 0;
  }
  /** By default 200, or {@link errorStatus}; 200 to 599. */
  get status(): number {
    return this.#status;
  }
  set status(status: number) {
    this.#requireUnsent("status");
    // After an interim status the client would wait for the final one (RFC 9110, section 15.2).
    if (!isHttpStatus(status) || status < 200) {
      throw badArgument("status", `${status} is not a final HTTP status`);
    }
    this.#status = status;
  }
  /** E.g. `404 Not Here`; ignored if its number is not the status, as in httpd. */
  get statusLine(): string {
    return `${this.#status} ${this.#ownReason ?? reasonPhrase(this.#status)}`;
  }
  set statusLine(line: string) {
    this.#requireUnsent("statusLine");
    ({ status: this.#reasonStatus, reason: this.#reason } = parseStatusLine(line));
  }
  /** Set by the handler. Takes precedence over `Content-Type` of {@link headersOut}. */
  get contentType(): string | undefined {
    return this.#contentType;
  }
  set contentType(type: string | undefined) {
    this.#requireUnsent("contentType");
    if (type !== undefined) checkHeader("Content-Type", type);
    this.#contentType = type;
  }
  /** Dropped when the request ends with an error status. */
  get headersOut(): HeaderTable {
    return (this.#headersOut ??= new ResponseHeaders(this.begun));
  }
  get errHeadersOut(): HeaderTable {
    return (this.#errHeadersOut ??= new ResponseHeaders(this.begun));
  }

  /** All headers, names and values alternating, without the type. */
  rawHeaders(): string[] {
    return [...(this.#headersOut?.raw() ?? []), ...(this.#errHeadersOut?.raw() ?? [])];
  }

  /** Announces the length. A body of another length never looks complete. */
  setContentLength(length: number): void {
    this.headersOut.set("Content-Length", length);
    this.#promised = String(length);
  }

  withoutDefaultType(): void {
    this.#isTypeless = true;
  }

  /** If nothing was written, announces the length of a file as the body. False for HEAD. */
  announceFile(length: number): boolean {
    if (this.written) return true;
    this.headersOut.setDefault("Content-Length", length);
    return !this.headOnly;
  }

  /**
   * Adds text, sent as UTF-8, or a copy of bytes. False if the client is slower: `await flush()`. Throws
   * `MODTS_CLIENT_GONE`, `MODTS_RESPONSE_ENDED`, `MODTS_LENGTH_MISMATCH`, `MODTS_BAD_ARGUMENT`.
   */
  write(data: string | Uint8Array, flush = false): boolean {
    this.#requireOpen("write");
    const isText = typeof data === "string";
    if (!isText && !(data instanceof Uint8Array)) {
      throw badArgument("write", "only strings and bytes can be written");
    }
    if (isText) this.#hadText = true;
    this.#add(isText ? data : copyToBlock(data));
    return flush ? this.#send() : this.#sendIfFull();
  }

  /**
   * As {@link write}, but without a copy: the bytes must not change before `left` is called.
   * @param left Called when the bytes were sent and may be changed again; never after a failure.
   */
  lend(bytes: Uint8Array, left?: () => void, flush = false): boolean {
    this.keep(bytes, left);
    return flush ? this.#send() : this.#sendIfFull();
  }

  /** The same, sent by {@link flush} or {@link finish}. Text gets no type and no charset. */
  keep(part: string | Uint8Array, left?: () => void): void {
    this.#requireOpen("write");
    this.#add(typeof part === "string" ? part : { bytes: part, release: left });
  }

  /** Sends the buffer; resolves when the client can take more. Rejects with `MODTS_CLIENT_GONE`. */
  async flush(): Promise<void> {
    this.#requireOpen("flush");
    // express-session sends all but the last byte of a page, then saves the session.
    if (!this.begun && this.tail !== undefined && this.#declaredLength && this.#isPage) return;
    this.#send();
    await this.exchange.drain();
    // Else a producer that loops until a write fails would never end.
    if (this.exchange.ended) throw new ModTsError("MODTS_CLIENT_GONE");
  }

  /** Drops the buffered body and the headers that describe it. */
  discard(): void {
    this.#takeBuffer();
    this.#headersOut?.delete("Content-Length");
    this.#headersOut?.delete("Content-Encoding");
  }

  /** Completes the response; in one piece with `Content-Length` if nothing was sent before. */
  finish(): void {
    if (this.exchange.ended) return;
    if (this.tail) this.#appendTail();
    if (this.begun) this.#finishStream();
    else this.#finishWhole();
  }

  /**
   * Responds with another status: the buffer and `headersOut` are dropped, `errHeadersOut` stays,
   * and `Location` on a redirect. 204 and 304 keep all headers, as in httpd. If headers were sent
   * already, the connection is closed, so that half a body never looks complete.
   * @param headers replace those of the same name
   * @param body UTF-8; plain text by default
   */
  fail(status: number, headers: Iterable<readonly [string, string]> = [], body?: string): void {
    if (this.exchange.ended) return;
    if (this.begun) return this.abort();
    this.#takeBuffer();
    this.#resetTo(status);
    // Headers describe the body. Of a 304, caches would apply them to theirs (RFC 9111, 3.2).
    if (!this.#isBodiless) overrideHeaders([this.#headersOut, this.errHeadersOut], headers);
    if (body) {
      this.#hadText = true;
      this.#add(body);
      if (!this.#isBodiless) this.errHeadersOut.setDefault("Content-Type", "text/plain");
    }
    this.finish();
  }

  /** Closes the connection: the client sees an incomplete response. No effect after the end. */
  abort(): void {
    this.exchange.abort();
  }

  /** RFC 9110, sections 15.3.5 and 15.4.5. */
  get #isBodiless(): boolean {
    return this.#status === 204 || this.#status === 304;
  }
  get #ownReason(): string | undefined {
    return this.#reasonStatus === this.#status ? this.#reason : undefined;
  }

  /** Length declared by the handler, if there can be a body. */
  get #declaredLength(): number | undefined {
    const declared = this.#isBodiless ? undefined : this.#headersOut?.get("Content-Length");
    return declared === undefined ? undefined : Number(declared);
  }

  /**
   * The type to send, if any. Text gets its charset, or the browser would guess. By default text is
   * HTML, and bytes are `application/octet-stream`.
   */
  #typeToSend(hasBody: boolean): string | undefined {
    if (this.#isBodiless) return undefined;
    const type =
      this.#contentType ??
      this.#headersOut?.get("Content-Type") ??
      this.#errHeadersOut?.get("Content-Type");
    if (type !== undefined) return this.#hadText ? withCharset(type) : type;
    if (this.#isTypeless || !hasBody) return undefined;
    return this.#hadText ? "text/html; charset=utf-8" : "application/octet-stream";
  }

  /** Drops `headersOut`, except `Location` on a redirect; 204 and 304 keep all. */
  #resetTo(status: number): void {
    this.#status = isHttpStatus(status) && status >= 200 ? status : 500;
    if (this.#isBodiless) return;
    const isRedirect = this.#status >= 300 && this.#status < 400;
    const location = isRedirect ? this.#headersOut?.get("Location") : undefined;
    this.#headersOut = undefined;
    this.#contentType = undefined;
    this.noCache = false;
    if (location !== undefined) this.errHeadersOut.setDefault("Location", location);
    // RFC 9110, section 15.5.6: a 405 must name the methods that are allowed.
    if (this.allowed.length > 0 && (this.#status === 405 || this.#status === 501)) {
      this.errHeadersOut.setDefault("Allow", this.allowed.join(", "));
    }
  }

  #appendTail(): void {
    if (!this.#isPage || this.status === 206 || this.#buffered + this.#sent === 0) return;
    const length = this.begun ? undefined : (this.#bytes?.length ?? Buffer.byteLength(this.#text));
    this.write(tailOf(this.tail ?? "", [this.headersOut, this.errHeadersOut], length));
  }

  #finishWhole(): void {
    const { body, left } = this.#takeBuffer();
    const length = typeof body === "string" ? Buffer.byteLength(body) : body.length;
    const declared = this.headOnly ? undefined : this.#declaredLength;
    const isPromised = this.#headersOut?.get("Content-Length") === this.#promised;
    // Attack: half a body that announces its own length looks complete.
    if (declared !== undefined && isPromised && declared !== length) {
      throw mismatch(declared, length);
    }
    // A HEAD handler without body may announce its length; 0 would be wrong for GET.
    const shown = this.headOnly && length === 0 ? this.#declaredLength : length;
    this.#sendHead(this.#typeToSend(length > 0), this.#isBodiless ? undefined : shown);
    if (this.#isBodiless || this.headOnly || length === 0) return this.exchange.end();
    this.#sent = length;
    if (left) {
      this.exchange.write(body, left);
      return this.exchange.end();
    }
    // ASCII is the same in both, and Latin-1 needs no encoding.
    this.exchange.end(body, length === body.length ? "latin1" : "utf8");
  }

  #finishStream(): void {
    this.#send();
    if (this.#announced !== undefined && this.#announced !== this.#sent && !this.headOnly) {
      throw this.#breakOff();
    }
    this.exchange.end();
  }

  /** What a handler writes in one go is sent in one piece, with its length. */
  #sendIfFull(): boolean {
    const length = this.#buffered;
    if (length <= maxBufferedBytes) return true;
    if (length > maxWholeBytes || !this.#isUndecided) return this.#send();
    if (this.#isPlanned) return false;
    this.#isPlanned = true;
    setImmediate(() => {
      this.#isPlanned = false;
      if (this.#buffered <= maxBufferedBytes || !this.#isUndecided) return;
      // If this fails, the next call fails, too, and reports it to the handler.
      attempt(() => this.#send(), false);
    });
    return false;
  }

  /** Whether the length of the response can still be set. */
  get #isUndecided(): boolean {
    return !this.begun && !this.exchange.ended && this.#declaredLength === undefined;
  }

  get #isPage(): boolean {
    return /^text\/html\b/i.test(this.#typeToSend(true) ?? "");
  }

  /** Returns false if the peer is slower. */
  #send(): boolean {
    const { exchange } = this;
    const isFirst = !exchange.begun;
    if (isFirst) {
      this.#announced = this.#declaredLength;
      this.#sendHead(this.#typeToSend(true), this.#announced);
    }
    // Node.js would hold back headers without body: a page waits for "open" of its event source.
    if (this.#buffered === 0) return !isFirst || exchange.write("");
    const { body, left } = this.#takeBuffer();
    if (this.headOnly || this.#isBodiless) return true;
    this.#sent += typeof body === "string" ? Buffer.byteLength(body) : body.length;
    // Attack: bytes beyond the announced length are read as the next response on the connection.
    if (this.#announced !== undefined && this.#sent > this.#announced) throw this.#breakOff();
    return exchange.write(body, left);
  }

  /** Sends and freezes the headers. `length` undefined: chunked, or no body. */
  #sendHead(type: string | undefined, length: number | undefined): void {
    this.beforeHead?.announce();
    const headers: string[] = [];
    if (type !== undefined) headers.push("Content-Type", type);
    if (length !== undefined) headers.push("Content-Length", String(length));
    if (this.noCache || this.isPrivate || this.setsCookie) addCacheHeaders(this);
    this.#headersOut?.moveTo(headers, type !== undefined);
    this.#errHeadersOut?.moveTo(headers, type !== undefined);
    this.exchange.begin(this.#status, this.#ownReason, headers);
  }

  /** In bytes, or units of text. */
  get #buffered(): number {
    return this.#text.length + (this.#bytes?.length ?? 0);
  }

  #add(part: string | Block): void {
    if (typeof part === "string" && !this.#bytes) return void (this.#text += part);
    this.#bytes ??= new OutputBytes(this.#text);
    this.#text = "";
    this.#bytes.add(part);
  }

  #takeBuffer(): Output {
    const bytes = this.#bytes;
    const text = this.#text;
    this.#bytes = undefined;
    this.#text = "";
    if (bytes) return bytes.join();
    // Otherwise Node.js encodes it into a new buffer.
    if (text.length > maxBufferedBytes) return new OutputBytes(text).join();
    // Node.js sends headers and a first string together, in the charset of the string.
    const hasLatin1 = this.#headersOut?.hasLatin1 || this.#errHeadersOut?.hasLatin1;
    return { body: hasLatin1 ? Buffer.from(text) : text, left: undefined };
  }

  #breakOff(): ModTsError {
    this.exchange.abort();
    return mismatch(this.#announced ?? 0, this.#sent);
  }

  #requireUnsent(name: string): void {
    if (this.begun) throw new ModTsError("MODTS_HEADERS_SENT", { name });
  }

  #requireOpen(name: string): void {
    if (!this.exchange.ended) return;
    throw this.exchange.signal.aborted
      ? new ModTsError("MODTS_CLIENT_GONE")
      : new ModTsError("MODTS_RESPONSE_ENDED", { name });
  }
}

function mismatch(announced: number, actual: number): ModTsError {
  return new ModTsError("MODTS_LENGTH_MISMATCH", { announced, actual });
}
