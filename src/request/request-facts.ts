/** The part of the request object that comes from Apache. */
import { log, type LogLevel } from "../base/log.ts";
import { addCgiVariables, addCommonVariables } from "./cgi-variables.ts";
import {
  ApacheConnection,
  ApacheServer,
  REMOTE_HOST,
  REMOTE_NAME,
  REMOTE_NOLOOKUP,
} from "./connection.ts";
import type {
  Dictionary,
  Exchange,
  MainRequest,
  PreviousRequest,
  RequestContext,
} from "./exchange.ts";
import { FileInfo } from "./file-info.ts";
import { HeaderTable, parseNotes } from "./headers.ts";
import { decodePath, formatUrl, hostnameOf, type ParsedUri, parseUri } from "./uri.ts";
import * as methods from "./methods.ts";

/** Everything is lazy, as most requests need little. Names are those of mod_python. */
export class RequestFacts {
  readonly #context: RequestContext;
  readonly #exchange: Exchange;
  #uri: string | undefined;
  #filename: string | undefined;
  #canonicalFilename: string | undefined;
  #pathInfo: string | undefined;
  #args: string | null | undefined;
  #user: string | null | undefined;
  #authType: string | null | undefined;
  #headersIn: HeaderTable | undefined;
  #subprocessEnv: HeaderTable | undefined;
  #notes: HeaderTable | undefined;
  #finfo: FileInfo | undefined;
  #server: ApacheServer | undefined;
  #connection: ApacheConnection | undefined;
  /** httpd's name of the content handler; free for handlers to set, null by default. */
  handler: string | null = null;
  /** Whether the content handler uses `pathInfo`: 0 accept, 1 reject, 2 default. */
  usedPathInfo = 2;
  /** Seconds since 1970, with fraction, at the arrival in this process. */
  readonly requestTime: number = Date.now() / 1000;

  constructor(context: RequestContext, exchange: Exchange) {
    this.#context = context;
    this.#exchange = exchange;
  }

  /** Seconds since {@link requestTime}; of a request that Apache has served, until it ended. */
  get duration(): number {
    return Date.now() / 1000 - this.requestTime;
  }
  /** Aborts if the client disconnects before the response is complete. */
  get signal(): AbortSignal {
    return this.#exchange.signal;
  }
  /** The connection of the client to Apache. */
  get connection(): ApacheConnection {
    return (this.#connection ??= new ApacheConnection(this.#context, this.#exchange, this.server));
  }
  /** The virtual host. */
  get server(): ApacheServer {
    return (this.#server ??= new ApacheServer(this.#context));
  }
  /** The page that a part of it (mod_include) or a listing was looked up for, else null. */
  get main(): MainRequest | null {
    if (!this.#context.environment["MOD_TS_SUBREQUEST"]) return null;
    return requestOf(this.#context);
  }
  /** The request before an `internalRedirect`, or the failed one in an `ErrorDocument`, else null. */
  get prev(): PreviousRequest | null {
    const { callback, environment, user } = this.#context;
    if (errorStatusOf(this.#context) === undefined) return callback?.previous ?? null;
    const notes = parseNotes(environment["MOD_TS_PREVIOUS_NOTES"] ?? "");
    return { ...requestOf(this.#context), user: user || null, notes };
  }
  /** Always null: a redirected request is a separate request. */
  get next(): null {
    return null;
  }
  /** The request line as sent, e.g. `GET /a%2Fb?x=1 HTTP/1.1`. */
  get theRequest(): string {
    return this.#context.requestLine;
  }
  /** Protocol that the client spoke, e.g. `HTTP/1.1`. */
  get protocol(): string {
    return this.#context.protocol;
  }
  /** {@link protocol} as a number, e.g. 1001 for HTTP/1.1 and 2000 for HTTP/2. */
  get protoNum(): number {
    const [, major, minor] = /(\d+)(?:\.(\d+))?$/.exec(this.protocol) ?? [];
    return Number(major ?? 0) * 1000 + Number(minor ?? 0);
  }
  /** Method as sent, e.g. `GET`. */
  get method(): string {
    return this.#context.method;
  }
  /** One of the `M_*` numbers; HEAD counts as GET. */
  get methodNumber(): number {
    return methodNumberOf(this.method);
  }
  /** Whether only headers are requested (HEAD). */
  get headerOnly(): boolean {
    return this.#context.method === "HEAD";
  }
  /** Requested host, from the request line or `Host`, in lower case without port; else null. */
  get hostname(): string | null {
    return hostnameOf(this.unparsedUri, this.headersIn.get("host"));
  }
  /** Request headers in the order sent. */
  get headersIn(): HeaderTable {
    return (this.#headersIn ??= HeaderTable.fromRaw(this.#context.rawHeaders));
  }
  /** Environment of the request: variables of Apache and of handlers. */
  get subprocessEnv(): HeaderTable {
    return (this.#subprocessEnv ??= new HeaderTable(this.#context.environment));
  }
  /** Notes of handlers for later ones, from the authorizer to the content handler. */
  get notes(): HeaderTable {
    return (this.#notes ??= new HeaderTable(this.#context.notes));
  }
  /** The authenticated user, else null. Set by authen handlers; shown in the access log. */
  get user(): string | null {
    return this.#user === undefined ? this.#context.user || null : this.#user;
  }
  set user(user: string | null) {
    this.#user = user;
  }
  /** Method of authentication, e.g. `Basic`; null without a user. mod_python: `ap_auth_type`. */
  get authType(): string | null {
    return this.#authType === undefined ? this.#context.authType || null : this.#authType;
  }
  set authType(type: string | null) {
    this.#authType = type;
  }
  /** Request target as sent, escapes and query included. */
  get unparsedUri(): string {
    return this.#context.target;
  }
  /** Path of the URL, decoded. */
  get uri(): string {
    return this.#uri ?? this.#context.uri;
  }
  set uri(uri: string) {
    this.#uri = uri;
  }
  /** File of the URL. Setting it refreshes {@link finfo}. */
  get filename(): string {
    return this.#filename ?? this.#context.filename;
  }
  set filename(filename: string) {
    this.#filename = filename;
    this.#finfo = undefined;
  }
  /** The {@link filename}, unless set to something else. */
  get canonicalFilename(): string {
    return this.#canonicalFilename ?? this.filename;
  }
  set canonicalFilename(filename: string) {
    this.#canonicalFilename = filename;
  }
  /** Path after the file, decoded; may be empty. */
  get pathInfo(): string {
    return this.#pathInfo ?? this.#context.pathInfo;
  }
  set pathInfo(pathInfo: string) {
    this.#pathInfo = pathInfo;
  }
  /** Query string as sent, without `?`; empty for `/x?`, null when there is none. */
  get args(): string | null {
    return this.#args === undefined ? argsOf(this.#context) : this.#args;
  }
  set args(args: string | null) {
    this.#args = args;
  }
  /** File status of {@link filename}; read on first use. */
  get finfo(): FileInfo {
    return (this.#finfo ??= new FileInfo(this.filename));
  }
  /** The parts of {@link unparsedUri}. */
  get parsedUri(): ParsedUri {
    return parseUri(this.unparsedUri);
  }
  /** The file's extensions from the first dot, e.g. `.tar.gz`; null without a dot. */
  get extension(): string | null {
    const name = this.filename.slice(this.filename.lastIndexOf("/") + 1);
    const dot = name.indexOf(".");
    return dot < 0 ? null : name.slice(dot);
  }
  /** Address of the client, after mod_remoteip; compare `req.connection.clientIp`. */
  get useragentIp(): string {
    return this.#context.remoteAddress;
  }
  /** Address and port of the client, after mod_remoteip. */
  get useragentAddr(): [string, number] {
    return [this.#context.remoteAddress, this.#context.remotePort];
  }
  /** Id of the request in Apache's own log. */
  get uniqueId(): string {
    return this.#context.uniqueId;
  }

  /** Whether the client uses TLS. */
  isHttps(): boolean {
    return this.#context.scheme === "https";
  }
  /** A variable of mod_ssl, e.g. `SSL_PROTOCOL`; null unless the configuration passes it on. */
  sslVarLookup(name: string): string | null {
    return this.#context.environment[name] ?? null;
  }
  /** `DocumentRoot` in force. */
  documentRoot(): string {
    return this.#context.documentRoot;
  }
  /** `AuthType` of the authenticated user, else null. */
  getAuthType(): string | null {
    return this.authType;
  }
  /** `Use TsOption key value`, merged for this request. Any name is safe. */
  getOptions(): Dictionary {
    return this.#context.options;
  }
  /** Directives other than handlers; flags are `1` or `0`, as in mod_python. */
  getConfig(): Dictionary {
    const config = Object.create(null) as Record<string, string>;
    config["TsDebug"] = this.#context.debug ? "1" : "0";
    config["TsInterpreter"] = this.#context.interpreter;
    return config;
  }
  /** Name or address of the client, by one of the `REMOTE_*` constants. No DNS lookup. */
  getRemoteHost(type: number = REMOTE_NAME): string | null {
    if (type === REMOTE_NOLOOKUP) return this.useragentIp;
    const name = this.#context.environment["REMOTE_HOST"] ?? null;
    return type === REMOTE_HOST || name !== null
      ? name
      : type === REMOTE_NAME
        ? this.useragentIp
        : null;
  }
  /** Absolute URL of a path on this virtual host, without a default port. */
  constructUrl(path: string): string {
    return formatUrl(this.#context, path);
  }
  /** Adds `HTTP_*`, `SERVER_*`, `REMOTE_*` and similar to {@link subprocessEnv}. */
  addCommonVars(): void {
    addCommonVariables(this.subprocessEnv, this, this.#context);
  }
  /** Adds all CGI variables to {@link subprocessEnv}, except `PATH_TRANSLATED`. */
  addCgiVars(): void {
    this.addCommonVars();
    addCgiVariables(this.subprocessEnv, this);
  }
  /** Writes to the error log, with the client's address and Apache's id of the request. */
  logError(message: string, level: LogLevel = "error"): void {
    const { remoteAddress, remotePort, uniqueId } = this.#context;
    log(level, message, { client: `${remoteAddress}:${remotePort}`, uniqueId });
  }
}

/** `mod_ts.conf` passes on the status that an `ErrorDocument` is for. */
export function errorStatusOf({ environment }: RequestContext): number | undefined {
  const status = environment["MOD_TS_STATUS"];
  return status !== undefined && /^[45]\d\d$/.test(status) ? Number(status) : undefined;
}

/** The request that the request line is about: of a subrequest, or of an error page, another one. */
function requestOf({ requestLine, target }: RequestContext): MainRequest {
  const [method = ""] = requestLine.split(" ");
  return { method, unparsedUri: target, uri: decodePath(parseUri(target).path ?? "/") };
}

/** Apache does not distinguish `/x?` and `/x`. */
function argsOf({ args, target }: RequestContext): string | null {
  return args || (target.endsWith("?") ? "" : null);
}

const numbers: ReadonlyMap<string, number> = new Map(
  Object.entries(methods).map(([name, number]) => [name.slice(2).replaceAll("_", "-"), number]),
);

/** As in httpd, HEAD counts as GET, and unknown methods are `M_INVALID`. */
export function methodNumberOf(method: string): number {
  return numbers.get(method === "HEAD" ? "GET" : method) ?? methods.M_INVALID;
}

/** A bit for each method that has a number. */
export function methodMask(allowed: readonly string[]): number {
  return allowed
    .map(methodNumberOf)
    .filter((number) => number !== methods.M_INVALID)
    .reduce((mask, number) => mask | (1 << number), 0);
}
