/**
 * What stands before the body of a response: status, reason, headers. It closes when it leaves.
 * @module
 */
import { ModTsError } from "../errors.ts";
import { isHttpStatus, reasonPhrase } from "../http-status.ts";
import type { Exchange } from "./exchange.ts";
import type { HeaderTable } from "./headers.ts";
import {
  checkHeader,
  checkReason,
  isConnectionHeader,
  ResponseHeaders,
} from "./response-headers.ts";

/** The half of a `ResponseBuffer` that knows nothing of the body but whether it is text. */
export class ResponseHead {
  readonly exchange: Exchange;
  #status = 200;
  #reason: string | undefined;
  #reasonStatus = 0;
  #contentType: string | undefined;
  #headersOut: ResponseHeaders | undefined;
  #errHeadersOut: ResponseHeaders | undefined;
  #typeless = false;
  #promised: string | undefined;
  /** Whether `Expires` and `Cache-Control` shall forbid caches to keep the response. */
  noCache = false;
  /** Whether a cookie is set that a cache must not hand to others. */
  setsCookie = false;
  /** Called when the head is about to leave: the last moment to add to it. */
  beforeHead: (() => void) | undefined;
  /** Methods for the `Allow` header of a 405 or 501. */
  allowed: readonly string[] = [];

  constructor(exchange: Exchange) {
    this.exchange = exchange;
  }

  /** Whether the headers have left; then every change here throws `MODTS_HEADERS_SENT`. */
  get begun(): boolean {
    return this.exchange.begun;
  }

  /** 200 at the start; 200 to 599. */
  get status(): number {
    return this.#status;
  }
  set status(status: number) {
    this.#changing("status");
    // An interim status would leave the client waiting for the real one (RFC 9110, section 15.2).
    if (!isHttpStatus(status) || status < 200) {
      const reason = `${status} is not a final HTTP status`;
      throw new ModTsError("MODTS_BAD_ARGUMENT", { name: "status", reason });
    }
    this.#status = status;
  }

  /** Status and reason, e.g. `404 Not Here`. As in httpd, a line whose number is not the status is not sent. */
  get statusLine(): string {
    return `${this.#status} ${this.reason}`;
  }
  set statusLine(line: string) {
    this.#changing("statusLine");
    const [, status, reason = ""] = /^(\d{3})(?: ([^]*))?$/.exec(line) ?? [];
    if (status === undefined) {
      const form = 'it must look like "404 Not Found"';
      throw new ModTsError("MODTS_BAD_ARGUMENT", { name: "statusLine", reason: form });
    }
    checkReason(reason);
    this.#reasonStatus = Number(status);
    this.#reason = reason;
  }

  /** The reason phrase that goes with {@link status}. */
  get reason(): string {
    const own = this.#reasonStatus === this.#status ? this.#reason : undefined;
    return own ?? reasonPhrase(this.#status);
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

  /** Bytes that the handler says the body has; undefined when it does not say, or there can be none. */
  get declaredLength(): number | undefined {
    const declared = this.bodiless ? undefined : this.#headersOut?.get("Content-Length");
    return declared === undefined ? undefined : Number(declared);
  }

  /** Whether the status forbids a body (RFC 9110, sections 15.3.5 and 15.4.5). */
  get bodiless(): boolean {
    return this.#status === 204 || this.#status === 304;
  }

  /** Whether a header holds bytes beyond ASCII: they are Latin-1, and must not be sent in one string with UTF-8. */
  get hasLatin1(): boolean {
    return Boolean(this.#headersOut?.hasLatin1 || this.#errHeadersOut?.hasLatin1);
  }

  /** Announces the length. A body of another length is never sent as if it were complete. */
  setContentLength(length: number): void {
    this.headersOut.set("Content-Length", length);
    this.#promised = String(length);
  }

  /** The declared length, if it stands there by {@link setContentLength}: a header that was copied from elsewhere is no promise. */
  protected get promisedLength(): number | undefined {
    const isKept = this.#headersOut?.get("Content-Length") === this.#promised;
    return isKept ? this.declaredLength : undefined;
  }

  /** No default `Content-Type` for this response. */
  withoutDefaultType(): void {
    this.#typeless = true;
  }

  /**
   * The type that is going to be sent; undefined: none. Text gets the charset it is sent in, or the browser would guess.
   * By default text is HTML, as with most tools of the web, and bytes are just bytes.
   */
  typeToSend(hasText: boolean, hasBody: boolean): string | undefined {
    if (this.bodiless) return undefined;
    const type =
      this.#contentType ??
      this.#headersOut?.get("Content-Type") ??
      this.#errHeadersOut?.get("Content-Type");
    if (type === undefined) {
      if (this.#typeless || !hasBody) return undefined;
      return hasText ? "text/html; charset=utf-8" : "application/octet-stream";
    }
    const isOpen = hasText && /^text\//i.test(type) && !/;\s*charset=/i.test(type);
    return isOpen ? `${type}; charset=utf-8` : type;
  }

  /** Turns to an error status: `headersOut` goes, but for `Location` on a redirect; 204 and 304 keep all, as in httpd. */
  resetTo(status: number): void {
    this.#status = isHttpStatus(status) && status >= 200 ? status : 500;
    if (this.bodiless) return;
    const isRedirect = this.#status >= 300 && this.#status < 400;
    const location = isRedirect ? this.#headersOut?.get("Location") : undefined;
    this.#headersOut = undefined;
    this.#contentType = undefined;
    this.noCache = false;
    if (location !== undefined) this.errHeadersOut.setDefault("Location", location);
    this.#addAllow();
  }

  /** Sets a header for the answer at hand, whatever the handler said of it. */
  override(headers: Iterable<readonly [string, string]>): void {
    const given = [...headers];
    for (const [name] of given) {
      this.#headersOut?.delete(name);
      this.errHeadersOut.delete(name);
    }
    for (const [name, value] of given) this.errHeadersOut.add(name, value);
  }

  /** Closes the head and sends it. `length` undefined: the body is chunked, or there is none. */
  protected sendHead(type: string | undefined, length: number | undefined): void {
    this.beforeHead?.();
    const headers: string[] = [];
    if (type !== undefined) headers.push("Content-Type", type);
    if (length !== undefined) headers.push("Content-Length", String(length));
    if (this.noCache) this.#forbidCaching();
    if (this.setsCookie) this.#keepCookiesOutOfCaches();
    appendHeaders(headers, this.#headersOut, type);
    appendHeaders(headers, this.#errHeadersOut, type);
    this.#headersOut?.freeze();
    this.#errHeadersOut?.freeze();
    this.exchange.begin(this.#status, this.reason, headers);
  }

  #forbidCaching(): void {
    this.headersOut.setDefault("Expires", new Date(0).toUTCString());
    this.headersOut.setDefault("Cache-Control", "no-cache");
  }

  /** Attack: a cache that several people share hands the cookie of one of them to all (RFC 9111, section 5.2.2.4). */
  #keepCookiesOutOfCaches(): void {
    if (this.#headersOut?.has("Cache-Control")) return;
    this.errHeadersOut.setDefault("Cache-Control", 'no-cache="set-cookie"');
  }

  /** RFC 9110, section 15.5.6: a 405 must say what is allowed. */
  #addAllow(): void {
    if (this.allowed.length === 0 || (this.#status !== 405 && this.#status !== 501)) return;
    this.errHeadersOut.setDefault("Allow", this.allowed.join(", "));
  }

  #table(): ResponseHeaders {
    const table = new ResponseHeaders();
    if (this.exchange.begun) table.freeze();
    return table;
  }

  #changing(name: string): void {
    if (this.exchange.begun) throw new ModTsError("MODTS_HEADERS_SENT", { name });
  }
}

function appendHeaders(
  target: string[],
  table: HeaderTable | undefined,
  type: string | undefined,
): void {
  if (!table) return;
  const list = table.raw();
  for (let at = 0; at < list.length; at += 2) {
    const name = list[at] as string;
    if (isConnectionHeader(name)) continue;
    if (type !== undefined && name.toLowerCase() === "content-type") continue;
    target.push(name, list[at + 1] as string);
  }
}
