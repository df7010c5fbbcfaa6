/** The request object of handlers: {@link RequestFacts} with response, body, and lifecycle. */
import type { Readable } from "node:stream";
import { badArgument } from "../base/errors.ts";
import { parseBasicAuth } from "./basic-auth.ts";
import { bodyOf } from "./body/body.ts";
import { evaluateConditions, fileEtag, quoteEtag } from "./response/conditions.ts";
import { Cookies } from "./cookies/cookies.ts";
import type { Exchange, RequestContext } from "./exchange.ts";
import { addOutputFilter } from "./filters/filtered-exchange.ts";
import type { Filter, TextChange } from "./filters/filter.ts";
import type { Form } from "./body/form.ts";
import type { HeaderTable } from "./headers.ts";
import {
  addHandler,
  type HandlerEntry,
  internals,
  type RequestInternals,
  type RequestPhase,
} from "./internals.ts";
import { errorStatusOf, methodMask, methodNumberOf, RequestFacts } from "./request-facts.ts";
import { M_INVALID } from "./methods.ts";
import { type FormOptions, readForm } from "./body/read-form.ts";
import {
  createSubRequest,
  internalRedirect,
  type InternalRedirectOptions,
  type SubRequest,
} from "./origin.ts";
import { ResponseBuffer } from "./response/response.ts";
import { sendFile } from "./response/send-file.ts";
import { type ContentOptions, serveContent, serveFile } from "./response/serve-content.ts";
import type { Session, SessionOptions } from "./session.ts";
import {
  addSetCookie,
  type CookieAttributes,
  formatSetCookie,
  wantsSecure,
} from "./cookies/set-cookie.ts";
import { toWebRequest } from "./web-standard.ts";

export type { HandlerEntry, RequestInternals, RequestPhase } from "./internals.ts";

/** A function that `req.addHandler` takes. */
export type RequestHandler = (
  req: ApacheRequest,
) => number | Response | void | Promise<number | Response | void>;

/** Values shared by handlers; extend it by declaration merging for types. */
export interface RequestState {
  [name: string]: unknown;
}

/**
 * One request, the same object in every phase. Names are those of mod_python in TypeScript spelling.
 * @example
 * export function handler(req: ApacheRequest) {
 *   req.write(`Hello, ${req.user ?? "stranger"}.`);
 * }
 */
export class ApacheRequest extends RequestFacts {
  readonly #internals: RequestInternals<string | RequestHandler>;
  #state: RequestState | undefined;
  #webRequest: Request | undefined;
  #form: Promise<Form> | undefined;
  #cookies: Cookies | undefined;
  #mtime = 0;

  constructor(context: RequestContext, exchange: Exchange) {
    super(context, exchange);
    this.#internals = {
      context,
      exchange,
      response: new ResponseBuffer(exchange, context.method === "HEAD", errorStatusOf(context)),
      body: undefined,
      phase: null,
      endedPhase: null,
      handlerEntry: null,
      added: undefined,
      interpreter: context.interpreter,
      modules: undefined,
      toolkit: undefined,
      finalizer: undefined,
      isOver: false,
      cleanups: [],
    };
  }

  /** For engine and transports. */
  get [internals](): RequestInternals<string | RequestHandler> {
    return this.#internals;
  }
  /** Values for later handlers of this request. */
  get state(): RequestState {
    return (this.#state ??= Object.create(null) as RequestState);
  }
  /** The running phase; null between phases. */
  get phase(): RequestPhase | null {
    return this.#internals.phase;
  }
  /** The running entry of the handler list; mod_python: `hlist`. */
  get handlerEntry(): HandlerEntry | null {
    return this.#internals.handlerEntry;
  }
  /** Name of the pool. */
  get interpreter(): string {
    return this.#internals.interpreter;
  }

  /**
   * Status of the response, 200 by default, and in an `ErrorDocument` the status that it is for. It
   * decorates the body; the result of handlers decides.
   */
  get status(): number {
    return this.#internals.response.status;
  }
  set status(status: number) {
    this.#internals.response.status = status;
  }
  /** Status with reason, e.g. `404 Not Here`; ignored if its number is not {@link status}. */
  get statusLine(): string {
    return this.#internals.response.statusLine;
  }
  set statusLine(line: string) {
    this.#internals.response.statusLine = line;
  }
  /** Media type of the response; by default Apache's for the file, which is not sent, or null. */
  get contentType(): string | null {
    return this.#internals.response.contentType ?? (this.#internals.context.contentType || null);
  }
  set contentType(type: string | null) {
    this.#internals.response.contentType = type ?? undefined;
  }
  /** `Content-Encoding` of {@link headersOut}, or null. */
  get contentEncoding(): string | null {
    return this.headersOut.get("Content-Encoding") ?? null;
  }
  /** `Content-Language` of {@link headersOut}. */
  get contentLanguages(): string[] {
    const lists = this.headersOut.getAll("Content-Language");
    return lists.flatMap((list) => list.split(/[\s,]+/)).filter(Boolean);
  }
  /** Headers of the response; dropped when the request ends with an error status. */
  get headersOut(): HeaderTable {
    return this.#internals.response.headersOut;
  }
  /** Headers of the response that survive an error status. */
  get errHeadersOut(): HeaderTable {
    return this.#internals.response.errHeadersOut;
  }
  /** Disables caching: adds `Expires` and `Cache-Control: no-cache` unless they are set. */
  get noCache(): boolean {
    return this.#internals.response.noCache;
  }
  set noCache(noCache: boolean) {
    this.#internals.response.noCache = noCache;
  }
  /** Bytes of the body sent so far; above 0 headers can no longer be changed. */
  get bytesSent(): number {
    return this.#internals.response.sent;
  }
  /** Same as {@link bytesSent}. */
  get sentBodyCt(): number {
    return this.#internals.response.sent;
  }
  /** Whether the response headers were sent. */
  get headersSent(): boolean {
    return this.#internals.response.begun;
  }
  /** Bit mask of {@link allowedMethods}, as far as httpd has a number. */
  get allowed(): number {
    return methodMask(this.allowedMethods);
  }
  /** Methods for the `Allow` header. */
  get allowedMethods(): readonly string[] {
    return this.#internals.response.allowed;
  }
  /** Those of {@link allowedMethods} that httpd does not know. */
  get allowedXmethods(): readonly string[] {
    return this.allowedMethods.filter((method) => methodNumberOf(method) === M_INVALID);
  }
  /** When the resource changed, seconds since 1970; 0 if unknown. See {@link updateMtime}. */
  get mtime(): number {
    return this.#mtime;
  }

  /** Sets the `Allow` header of a 405 or 501; enforces nothing. `reset` drops earlier methods. */
  allowMethods(methods: readonly string[], reset = false): void {
    const { response } = this.#internals;
    response.allowed = [...new Set([...(reset ? [] : response.allowed), ...methods])];
  }

  /**
   * Sends the response through a filter, after those of the configuration, until its first byte was
   * sent. A function is one over the whole text; see `textFilter`, `chunkFilter`, `htmlFilter`.
   * @throws ModTsError `MODTS_HEADERS_SENT`
   * @example
   * req.addOutputFilter((text) => text.replaceAll("{year}", "2026"));
   */
  addOutputFilter(filter: TextChange | Filter): void {
    addOutputFilter(this, filter);
  }
  /**
   * Appends to the response body; strings are sent as UTF-8. Returns false if the client is slower:
   * then `await req.flush()`.
   * @example
   * for (const row of rows) if (!req.write(`${row}\n`)) await req.flush();
   */
  write(data: string | Uint8Array, flush = false): boolean {
    return this.#internals.response.write(data, flush);
  }
  /** Sends the buffer, headers first; resolves when there is room for more. */
  flush(): Promise<void> {
    return this.#internals.response.flush();
  }
  /** Announces the length of the body in bytes. Another length closes the connection. */
  setContentLength(length: number): void {
    this.#internals.response.setContentLength(length);
  }
  /** Sends a file, or a part; returns its bytes. Rejects with `MODTS_FILE_UNREADABLE`. */
  sendFile(path: string, offset = 0, length = -1): Promise<number> {
    return sendFile(this.#internals.response, path, { offset, length });
  }

  /**
   * Sends a whole file like httpd, with conditional (304, 412) and range requests (206, 416).
   * Resolves with the outcome to return; 404 when there is no such file.
   * @example
   * return req.serveFile(`/srv/reports/${id}.pdf`);
   */
  serveFile(path: string, options: ContentOptions = {}): Promise<number> {
    return serveFile(this, path, options);
  }
  /** Like {@link serveFile} for text (UTF-8) or bytes; the default `ETag` is a hash. */
  serveContent(data: string | Uint8Array, options: ContentOptions = {}): Promise<number> {
    return serveContent(this, data, options);
  }

  /** `size` bytes of the request body, fewer at the end; by default, or if negative, the rest. */
  read(size?: number): Promise<Buffer> {
    return bodyOf(this.#internals).read(size);
  }
  /** The next line of the body with its line feed, at most `size` bytes; empty at the end. */
  readLine(size?: number): Promise<Buffer> {
    return bodyOf(this.#internals).readLine(size);
  }
  /** The remaining lines; stops after the one that reaches `hint` bytes in total. */
  readLines(hint?: number): Promise<Buffer[]> {
    return bodyOf(this.#internals).readLines(hint);
  }
  /** The whole request body as text, UTF-8 by default; the same for later calls. */
  text(encoding?: string): Promise<string> {
    return bodyOf(this.#internals).text(encoding);
  }
  /**
   * The whole request body as JSON, whatever its `Content-Type`. Rejects with `HttpError` 400 if it
   * is invalid, 413 above `limit` (at most `limits.bodyBytes`).
   */
  json({ limit }: { limit?: number } = {}): Promise<unknown> {
    return bodyOf(this.#internals).json(limit);
  }
  /**
   * The fields of the query string and of a form in the body; the same for later calls. Files are
   * on disk until the request is over. Rejects with `HttpError` 400 (malformed), 411, 413 (above a
   * limit) or 415 (not a form); its text is the reason.
   * @example
   * const form = await req.form({ fileBytes: 5_000_000 });
   * await form.file("photo")?.saveAs(`/srv/photos/${randomUUID()}`);
   */
  form(options: FormOptions = {}): Promise<Form> {
    return (this.#form ??= readForm(this, options));
  }
  /** The request body as a Node.js stream. */
  get body(): Readable {
    return bodyOf(this.#internals).claim("req.body");
  }
  /** Reads and discards the rest of the request body. */
  discardRequestBody(): Promise<void> {
    return bodyOf(this.#internals).discard();
  }
  /** The web-standard `Request`, the same for later calls. It owns the body from then on. */
  toRequest(): Request {
    return (this.#webRequest ??= toWebRequest(this));
  }

  get cookies(): Cookies {
    return (this.#cookies ??= new Cookies(this.headersIn.getAll("Cookie")));
  }
  /**
   * Sets a cookie; replaces one of the same name, path and domain. Redirects and errors carry it as
   * well ({@link errHeadersOut}). Throws `MODTS_BAD_COOKIE` if browsers would drop it, and
   * `MODTS_HEADERS_SENT`.
   * @example
   * req.setCookie("theme", "dark", { path: "/", maxAge: 31_536_000, sameSite: "lax" });
   */
  setCookie(name: string, value: string, attributes: CookieAttributes = {}): void {
    addSetCookie(this.errHeadersOut, formatSetCookie(name, value, attributes));
    this.#internals.response.setsCookie = true;
  }
  /** Removes a cookie from the browser; path and domain must be those of {@link setCookie}. */
  clearCookie(name: string, attributes: CookieAttributes = {}): void {
    const secure = wantsSecure(name) ? { secure: true, httpOnly: true } : {};
    this.setCookie(name, "", { ...secure, ...attributes, maxAge: 0, expires: new Date(0) });
  }

  /**
   * The session of the browser, new if it has none; the same object for later calls. Its cookie is
   * added to {@link errHeadersOut}. It is locked for other requests until the handlers are done,
   * then saved if {@link Session.data} has changed. Rejects with `MODTS_SESSION_LOCKED`,
   * `MODTS_SESSION_STORE`, and for a new one with `MODTS_HEADERS_SENT`.
   * @example
   * const session = await req.session();
   * session.data["visits"] = Number(session.data["visits"] ?? 0) + 1;
   */
  async session(options?: SessionOptions): Promise<Session> {
    const { toolkit } = this.#internals;
    if (!toolkit?.openSession) {
      throw badArgument("req.session", "there are no sessions in this process");
    }
    return toolkit.openSession(this, options);
  }

  /** Sets `mtime`, unless the known one is newer. */
  updateMtime(mtime: number): void {
    if (mtime > this.#mtime) this.#mtime = mtime;
  }
  /** Sets `Last-Modified` from {@link mtime}, if known. */
  setLastModified(): void {
    if (this.#mtime <= 0) return;
    // A future date would hide later edits (RFC 9110, section 8.8.2.1).
    const time = Math.min(this.#mtime * 1000, Date.now());
    this.headersOut.set("Last-Modified", new Date(time).toUTCString());
  }
  /** Sets `ETag`: the given tag, quoted if needed, else one of the file's size and time. */
  setEtag(etag?: string): void {
    const value = etag === undefined ? fileEtag(this.finfo, this.requestTime) : quoteEtag(etag);
    if (value !== undefined) this.headersOut.set("ETag", value);
  }
  /** Evaluates `If-*` headers for {@link mtime} and `ETag`: `OK`, or 304 or 412 to be returned. */
  meetsConditions(): number {
    if (this.status < 200 || this.status > 299) return 0;
    const etag = this.headersOut.get("ETag") ?? this.errHeadersOut.get("ETag");
    return evaluateConditions(this.method, this.headersIn, {
      etag,
      mtime: this.#mtime || undefined,
    });
  }

  /**
   * Password of the Basic credentials, or null. Sets {@link user} and {@link authType}, so call it
   * first. The password is not verified.
   */
  getBasicAuthPassword(): string | null {
    const credentials = parseBasicAuth(this.headersIn.get("authorization"));
    if (!credentials) return null;
    // Attack: the header must not replace a user that Apache has authenticated.
    const { user } = this.#internals.context;
    if (user) return user === credentials.user ? credentials.password : null;
    this.user = credentials.user;
    this.authType = "Basic";
    return credentials.password;
  }

  /**
   * Responds with another path of this host, with all its sections and handlers; user and notes are
   * kept. Resolves with `OK`, to be returned. At most ten redirects in a row. Rejects with
   * `MODTS_ORIGIN_…`.
   * @example
   * return req.internalRedirect(`/articles/view.php?id=${id}`);
   */
  internalRedirect(uri: string, options?: InternalRedirectOptions): Promise<number> {
    return internalRedirect(this, uri, options);
  }
  /**
   * Another path of this host, with its sections, access control and handlers, as a web-standard
   * `Response`: `run()` for the content, `lookup()` for status and headers. Check `status` or `ok`.
   */
  subRequest(uri: string): SubRequest {
    return createSubRequest(this, uri);
  }
  /** Runs `callback(data)` after the response and its log, last one first. Errors are logged. */
  registerCleanup<T = undefined>(callback: (data: T) => unknown, data?: T): void {
    this.#internals.cleanups.push(() => callback(data as T));
  }
  /**
   * Appends a handler to the running or a later phase, after the configured ones. Throws
   * `MODTS_BAD_PHASE` for a phase that is over or unknown, `MODTS_BAD_ARGUMENT` for other types. A
   * reference is resolved when it is reached.
   */
  addHandler(phase: RequestPhase, handler: string | RequestHandler): void {
    // An undefined entry would end the list.
    if (!handler || (typeof handler !== "string" && typeof handler !== "function")) {
      throw badArgument("addHandler", "it takes a reference or a function");
    }
    addHandler(this.#internals, phase, handler);
  }
}
