/**
 * The request object: what a handler is called with.
 *
 * {@link RequestFacts} holds what Apache said; here are the response, the body, and the life of the request.
 * @module
 */
import type { Readable } from "node:stream";
import { ModTsError } from "../errors.ts";
import { parseBasicAuth } from "./basic-auth.ts";
import { evaluateConditions, fileEtag, quoteEtag } from "./conditions.ts";
import { Cookies } from "./cookies.ts";
import type { Exchange, RequestContext } from "./exchange.ts";
import type { Form } from "./form.ts";
import { changeLimits, formLimits } from "./form-limits.ts";
import type { HeaderTable } from "./headers.ts";
import { internalRedirect, type InternalRedirectOptions } from "./internal-redirect.ts";
import { type HandlerEntry, RequestInternals, type RequestPhase } from "./internals.ts";
import { methodMask, methodNumberOf, M_INVALID } from "./methods.ts";
import { type FormOptions, readForm } from "./read-form.ts";
import { RequestFacts } from "./request-facts.ts";
import { ResponseBuffer } from "./response.ts";
import { sendFile } from "./send-file.ts";
import { type ContentOptions, serveContent, serveFile } from "./serve-content.ts";
import { TemporaryFiles } from "./temporary-files.ts";
import type { Session, SessionOptions } from "./session.ts";
import { addSetCookie, type CookieAttributes, formatSetCookie, wantsSecure } from "./set-cookie.ts";
import { toWebRequest } from "./web-request.ts";

export type { HandlerEntry, RequestInternals, RequestPhase } from "./internals.ts";

/**
 * Key of the engine's side of a request; not for handler authors. Registered, because a handler module may carry a
 * second copy of this package, whose `redirect` is given our requests.
 */
export const internals: unique symbol = Symbol.for("mod_ts.internals");

/** A function that `req.addHandler` takes. */
export type RequestHandler = (
  req: ApacheRequest,
) => number | Response | void | Promise<number | Response | void>;

/** Values that handlers keep for each other; extend it by declaration merging to have them typed. */
export interface RequestState {
  [name: string]: unknown;
}

/** One request, the same object in every phase that runs in this process. Names are those of mod_python. */
export class ApacheRequest extends RequestFacts {
  readonly #context: RequestContext;
  readonly #exchange: Exchange;
  #internals: RequestInternals<string | RequestHandler> | undefined;
  #state: RequestState | undefined;
  #webRequest: Request | undefined;
  #form: Promise<Form> | undefined;
  #cookies: Cookies | undefined;
  #mtime = 0;

  constructor(context: RequestContext, exchange: Exchange) {
    super(context, exchange);
    this.#context = context;
    this.#exchange = exchange;
  }

  /** The engine's side. */
  get [internals](): RequestInternals<string | RequestHandler> {
    return (this.#internals ??= new RequestInternals(
      this.#context,
      this.#exchange,
      new ResponseBuffer(this.#exchange, this.headerOnly),
    ));
  }

  /** Anything that handlers of this request want to hand on to later ones. */
  get state(): RequestState {
    return (this.#state ??= Object.create(null) as RequestState);
  }
  /** The running phase; null between phases. */
  get phase(): RequestPhase | null {
    return this[internals].phase;
  }
  /** The entry of the handler list that is running; mod_python: `hlist`. */
  get handlerEntry(): HandlerEntry | null {
    return this[internals].handlerEntry;
  }
  /** Name of the pool that runs the request. */
  get interpreter(): string {
    return this[internals].interpreter;
  }

  /** Status of the response, 200 at the start. It decorates what is written; what a handler returns decides. */
  get status(): number {
    return this[internals].response.status;
  }
  set status(status: number) {
    this[internals].response.status = status;
  }
  /** Status with reason, e.g. `404 Not Here`; dropped when its number is not {@link status}. */
  get statusLine(): string {
    return this[internals].response.statusLine;
  }
  set statusLine(line: string) {
    this[internals].response.statusLine = line;
  }
  /** Media type of the response; until set, what Apache says of the file, or null, and that is not sent. */
  get contentType(): string | null {
    return this[internals].response.contentType ?? (this.#context.contentType || null);
  }
  set contentType(type: string | null) {
    this[internals].response.contentType = type ?? undefined;
  }
  /** Coding of the response, from `Content-Encoding` of {@link headersOut}; null when none is set. */
  get contentEncoding(): string | null {
    return this.headersOut.get("Content-Encoding") ?? null;
  }
  /** Languages of the response, from `Content-Language` of {@link headersOut}. */
  get contentLanguages(): string[] {
    return splitList(this.headersOut.getAll("Content-Language").join(","));
  }
  /** Headers of the response; dropped when the request ends with an error status. */
  get headersOut(): HeaderTable {
    return this[internals].response.headersOut;
  }
  /** Headers of the response that survive an error status. */
  get errHeadersOut(): HeaderTable {
    return this[internals].response.errHeadersOut;
  }
  /** Forbids caches to keep the response: adds `Expires` and `Cache-Control: no-cache` unless they are set. */
  get noCache(): boolean {
    return this[internals].response.noCache;
  }
  set noCache(noCache: boolean) {
    this[internals].response.noCache = noCache;
  }
  /** Bytes of the body that have left; above 0 it is too late for headers. */
  get bytesSent(): number {
    return this[internals].response.sent;
  }
  /** Same as {@link bytesSent}. */
  get sentBodyCt(): number {
    return this[internals].response.sent;
  }
  /** Whether the response headers have left. */
  get headersSent(): boolean {
    return this[internals].response.begun;
  }
  /** Bits of the methods in {@link allowedMethods} that httpd has a number for. */
  get allowed(): number {
    return methodMask(this.allowedMethods);
  }
  /** Methods for the `Allow` header. */
  get allowedMethods(): readonly string[] {
    return this[internals].response.allowed;
  }
  /** Those of {@link allowedMethods} that httpd does not know. */
  get allowedXmethods(): readonly string[] {
    return this.allowedMethods.filter((method) => methodNumberOf(method) === M_INVALID);
  }
  /** When the resource last changed, seconds since 1970; 0 until told by {@link updateMtime}. */
  get mtime(): number {
    return this.#mtime;
  }

  /** Names the methods for the `Allow` header of a 405 or 501; it enforces nothing. `reset` forgets earlier ones. */
  allowMethods(methods: readonly string[], reset = false): void {
    const { response } = this[internals];
    response.allowed = [...new Set([...(reset ? [] : response.allowed), ...methods])];
  }

  /** Adds to the body; strings go out as UTF-8. False: the client is slower, `await req.flush()` before more. */
  write(data: string | Uint8Array, flush = false): boolean {
    return this[internals].response.write(data, flush);
  }
  /** Sends what is buffered, the headers first; resolves when there is room for more. */
  flush(): Promise<void> {
    return this[internals].response.flush();
  }
  /** Announces the length of the body, in bytes. A body of another length breaks the connection off. */
  setContentLength(length: number): void {
    this[internals].response.setContentLength(length);
  }
  /** Sends a part of a file, all from `offset` by default. Returns the number of bytes. Rejects with `MODTS_FILE_UNREADABLE`. */
  sendFile(path: string, offset = 0, length = -1): Promise<number> {
    return sendFile(this[internals].response, path, { offset, length });
  }

  /**
   * Sends a whole file as httpd would: `ETag`, `Last-Modified`, conditions (304, 412) and ranges (206, 416). Gives the outcome
   * to return: `return req.serveFile(path)`; 404 when there is no such file.
   */
  serveFile(path: string, options: ContentOptions = {}): Promise<number> {
    return serveFile(this, path, options);
  }
  /** The same with text (as UTF-8) or bytes; `ETag` is a hash of them unless told. */
  serveContent(data: string | Uint8Array, options: ContentOptions = {}): Promise<number> {
    return serveContent(this, data, options);
  }

  /** `size` bytes of the request body, fewer only at its end; all that is left when `size` is missing or negative. */
  read(size?: number): Promise<Buffer> {
    return this[internals].body.read(size);
  }
  /** The next line of the request body with its line feed, at most `size` bytes; empty at the end. */
  readLine(size?: number): Promise<Buffer> {
    return this[internals].body.readLine(size);
  }
  /** The remaining lines; stops after the one that reaches `hint` bytes in all. */
  readLines(hint?: number): Promise<Buffer[]> {
    return this[internals].body.readLines(hint);
  }
  /** The whole request body as text, UTF-8 unless told; asking again gives the same text. */
  text(encoding?: string): Promise<string> {
    return this[internals].body.text(encoding);
  }
  /**
   * The whole request body as JSON; rejects with `HttpError` 400 when it is none, and 413 when it has more bytes than `limit`, which
   * is no more than `limits.bodyBytes` in any case. The `Content-Type` is not looked at.
   */
  json({ limit }: { limit?: number } = {}): Promise<unknown> {
    return this[internals].body.json(limit);
  }
  /**
   * The fields of the query string and of a body that is a form; asking again gives the same. Files are on disk until the request
   * is over. Rejects with `HttpError` 400 (malformed), 411, 413 (over a limit) or 415 (no form), whose text says why.
   */
  form(options: FormOptions = {}): Promise<Form> {
    return (this.#form ??= this.#readForm(options));
  }
  /** The request body as a Node stream. */
  get body(): Readable {
    return this[internals].body.claim("req.body");
  }
  /** Reads the rest of the request body and forgets it. */
  discardRequestBody(): Promise<void> {
    return this[internals].body.discard();
  }
  /** The request as the web knows it; asking again gives the same. It holds the body from then on. */
  toRequest(): Request {
    return (this.#webRequest ??= toWebRequest(this, this[internals].body));
  }

  /** The cookies that the browser sent. */
  get cookies(): Cookies {
    return (this.#cookies ??= new Cookies(this.headersIn.getAll("Cookie")));
  }
  /**
   * Has the browser keep a cookie, in place of one of the same name, path and domain. It is among the {@link errHeadersOut}, so that
   * redirects and errors carry it, too. Throws `MODTS_BAD_COOKIE` for what browsers would drop, `MODTS_HEADERS_SENT` when it is too late.
   */
  setCookie(name: string, value: string, attributes: CookieAttributes = {}): void {
    addSetCookie(this.errHeadersOut, formatSetCookie(name, value, attributes));
    this[internals].response.setsCookie = true;
  }
  /** Has the browser forget a cookie; path and domain must be those that it was set with. */
  clearCookie(name: string, attributes: CookieAttributes = {}): void {
    const secure = wantsSecure(name) ? { secure: true, httpOnly: true } : {};
    this.setCookie(name, "", { ...secure, ...attributes, maxAge: 0, expires: new Date(0) });
  }

  /**
   * The session of the browser, a new one if it has none; again in the same request, the same object. Its cookie is among the
   * {@link errHeadersOut}. It is locked for other requests, and saved if {@link Session.data} has changed, until the handlers are done.
   * Rejects with `MODTS_SESSION_LOCKED`, `MODTS_SESSION_STORE`, and for a new one with `MODTS_HEADERS_SENT` when it is too late.
   */
  async session(options?: SessionOptions): Promise<Session> {
    const { toolkit } = this[internals];
    if (!toolkit?.openSession) {
      const reason = "there are no sessions in this process";
      throw new ModTsError("MODTS_BAD_ARGUMENT", { name: "req.session", reason });
    }
    return toolkit.openSession(this, options);
  }

  /** Tells when the resource last changed, seconds since 1970; an older time than the known one is ignored. */
  updateMtime(mtime: number): void {
    if (mtime > this.#mtime) this.#mtime = mtime;
  }
  /** Sets `Last-Modified` from {@link mtime}; without one nothing happens. */
  setLastModified(): void {
    if (this.#mtime <= 0) return;
    // A date to come would never be outlived by an edit (RFC 9110, section 8.8.2.1).
    const time = Math.min(this.#mtime * 1000, Date.now());
    this.headersOut.set("Last-Modified", new Date(time).toUTCString());
  }
  /** Sets `ETag`: the given tag, quoted if need be, else one made of size and time of the file, if there is one. */
  setEtag(etag?: string): void {
    const value = etag === undefined ? fileEtag(this.finfo, this.requestTime) : quoteEtag(etag);
    if (value !== undefined) this.headersOut.set("ETag", value);
  }
  /** Compares the `If-*` headers with {@link mtime} and `ETag`; what is not `OK` is to be returned: 304 or 412. */
  meetsConditions(): number {
    if (this.status < 200 || this.status > 299) return 0;
    const etag = this.headersOut.get("ETag") ?? this.errHeadersOut.get("ETag");
    return evaluateConditions(this.method, this.headersIn, {
      etag,
      mtime: this.#mtime || undefined,
    });
  }

  /**
   * Password of the Basic credentials, or null. Sets {@link user} and {@link authType}, so call it before reading them;
   * whether the password is right is for the caller to find out.
   */
  getBasicAuthPassword(): string | null {
    const credentials = parseBasicAuth(this.headersIn.get("authorization"));
    if (!credentials) return null;
    // Whom Apache has established already is not to be replaced by whoever the header names.
    if (this.#context.user)
      return this.#context.user === credentials.user ? credentials.password : null;
    this.user = credentials.user;
    this.authType = "Basic";
    return credentials.password;
  }

  /**
   * Answers with what Apache gives for another path of this host, all its sections and handlers included; the user and the notes go
   * along. Resolves with `OK`, to be returned. Ten in a row are the limit. Rejects with `MODTS_ORIGIN_…`.
   */
  internalRedirect(uri: string, options?: InternalRedirectOptions): Promise<number> {
    return internalRedirect(this, uri, options);
  }
  /** Runs `callback(data)` after the response and its log, the last registered first. Failures are logged. */
  registerCleanup<T = undefined>(callback: (data: T) => unknown, data?: T): void {
    this[internals].cleanups.push(() => callback(data as T));
  }
  /**
   * Appends a handler to the running or a later phase of this request, after the configured ones. A phase that is over
   * or unknown throws `MODTS_BAD_PHASE` at once, what is neither text nor function `MODTS_BAD_ARGUMENT`; a reference that
   * leads nowhere fails when it is reached.
   */
  addHandler(phase: RequestPhase, handler: string | RequestHandler): void {
    // An undefined entry would end the list before the handlers that were added after it.
    if (!handler || (typeof handler !== "string" && typeof handler !== "function")) {
      const reason = "it takes a reference or a function";
      throw new ModTsError("MODTS_BAD_ARGUMENT", { name: "addHandler", reason });
    }
    this[internals].add(phase, handler);
  }

  async #readForm({ onFile, ...limits }: FormOptions): Promise<Form> {
    const { headersIn } = this;
    const state = this[internals];
    let files: TemporaryFiles | undefined;
    const source = {
      args: this.args,
      contentType: headersIn.get("content-type"),
      hasLength: headersIn.has("content-length"),
      body: state.body,
      files: () => {
        if (files) return files;
        const made = new TemporaryFiles(state.toolkit?.temporary);
        // Too late for a cleanup, the files of a handler that was given up would stay.
        if (state.isOver) void made.remove();
        else this.registerCleanup(() => made.remove());
        return (files = made);
      },
    };
    return readForm(source, changeLimits(formLimits(this.getOptions()), limits), onFile);
  }
}

function splitList(value: string): string[] {
  return value
    .split(",")
    .map((item) => item.trim())
    .filter(Boolean);
}
