/**
 * The half of the request object that Apache fills: what was asked, by whom, of which file.
 * @module
 */
import { type LogLevel, log } from "../log.ts";
import { addCgiVariables, addCommonVariables } from "./cgi-variables.ts";
import { ApacheConnection, REMOTE_HOST, REMOTE_NAME, REMOTE_NOLOOKUP } from "./connection.ts";
import type { Dictionary, Exchange, PreviousRequest, RequestContext } from "./exchange.ts";
import { FileInfo } from "./file-info.ts";
import { HeaderTable } from "./headers.ts";
import { methodNumberOf } from "./methods.ts";
import { ApacheServer } from "./server.ts";
import { formatUrl, hostnameOf, parseUri, type ParsedUri } from "./uri.ts";

/** Everything is made when it is first asked for: most requests ask for little. Names are those of mod_python. */
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
  /** httpd's name of the content handler; free for handlers to set, null at the start. */
  handler: string | null = null;
  /** What the content handler wants of `pathInfo`: 0 accept, 1 reject, 2 default. */
  usedPathInfo = 2;
  /** Seconds since 1970, with fraction, when the request reached this process. */
  readonly requestTime: number = Date.now() / 1000;

  constructor(context: RequestContext, exchange: Exchange) {
    this.#context = context;
    this.#exchange = exchange;
  }

  /** Aborts when the client goes away before the response is complete. */
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
  /** Request that this one is a subrequest of; always null, as there are none yet. */
  get main(): null {
    return null;
  }
  /** Request that was redirected here by `internalRedirect`, else null. */
  get prev(): PreviousRequest | null {
    return this.#context.passage?.previous ?? null;
  }
  /** Always null: a request that this one redirects to runs as a request of its own. */
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
  /** Whether the client wants headers only (HEAD). */
  get headerOnly(): boolean {
    return this.#context.method === "HEAD";
  }
  /** Host that the client asked for, from the request line or `Host`, in lower case without port; else null. */
  get hostname(): string | null {
    return hostnameOf(this.unparsedUri, this.headersIn.get("host"));
  }
  /** Request headers in the order sent. */
  get headersIn(): HeaderTable {
    return (this.#headersIn ??= HeaderTable.fromRaw(this.#context.rawHeaders));
  }
  /** Environment of the request: what Apache passes on, and what handlers add. */
  get subprocessEnv(): HeaderTable {
    return (this.#subprocessEnv ??= new HeaderTable(this.#context.environment));
  }
  /** Words between the handlers of one request; they travel from the authorizer to the content handler. */
  get notes(): HeaderTable {
    return (this.#notes ??= new HeaderTable(this.#context.notes));
  }
  /** The user that was established, else null. Set by authen handlers; the access log shows it. */
  get user(): string | null {
    return this.#user === undefined ? this.#context.user || null : this.#user;
  }
  set user(user: string | null) {
    this.#user = user;
  }
  /** How the user was established, e.g. `Basic`; null when nobody was. mod_python: `ap_auth_type`. */
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
  /** File that the URL was mapped to. Setting it refreshes {@link finfo}. */
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
  /** What follows the file in the URL, decoded; empty when nothing does. */
  get pathInfo(): string {
    return this.#pathInfo ?? this.#context.pathInfo;
  }
  set pathInfo(pathInfo: string) {
    this.#pathInfo = pathInfo;
  }
  /** Query string as sent, without `?`; null when there is none. */
  get args(): string | null {
    return this.#args === undefined ? this.#context.args || null : this.#args;
  }
  set args(args: string | null) {
    this.#args = args;
  }
  /** What `stat` says of {@link filename}; read at the first use. */
  get finfo(): FileInfo {
    return (this.#finfo ??= new FileInfo(this.filename));
  }
  /** The parts of {@link unparsedUri}. */
  get parsedUri(): ParsedUri {
    return parseUri(this.unparsedUri);
  }
  /** Everything after the first dot of the file's name, dot included, e.g. `.tar.gz`; null without a dot. */
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

  /** Whether the client came by TLS. */
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
  /** `AuthType` in force as far as Apache says: that of the user it established, else null. */
  getAuthType(): string | null {
    return this.authType;
  }
  /** `Use TsOption key value`, merged for this request. No prototype: any name may be asked for. */
  getOptions(): Dictionary {
    return this.#context.options;
  }
  /** The directives in force that are no handlers; flags are `1` or `0`, as in mod_python. */
  getConfig(): Dictionary {
    const config = Object.create(null) as Record<string, string>;
    config["TsDebug"] = this.#context.debug ? "1" : "0";
    config["TsInterpreter"] = this.#context.interpreter;
    return config;
  }
  /** Name or address of the client, after one of the `REMOTE_*` constants. Never asks the DNS itself. */
  getRemoteHost(type: number = REMOTE_NAME): string | null {
    if (type === REMOTE_NOLOOKUP) return this.useragentIp;
    const name = this.#context.environment["REMOTE_HOST"] ?? null;
    return type === REMOTE_HOST || name !== null
      ? name
      : type === REMOTE_NAME
        ? this.useragentIp
        : null;
  }
  /** Absolute URL of a path on this virtual host; a usual port is left out. */
  constructUrl(path: string): string {
    return formatUrl(this.#context, path);
  }
  /** Fills {@link subprocessEnv} with `HTTP_*`, `SERVER_*`, `REMOTE_*` and the like. */
  addCommonVars(): void {
    addCommonVariables(this.subprocessEnv, this, this.#context);
  }
  /** Fills {@link subprocessEnv} with all that a CGI program is told, except `PATH_TRANSLATED`. */
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
