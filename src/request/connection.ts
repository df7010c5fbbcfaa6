/** The connection of the client and its virtual host, as far as known: `conn_rec`, `server_rec`. */
import { log, type LogLevel } from "../base/log.ts";
import type { Dictionary, Exchange, RequestContext } from "./exchange.ts";

/** Ask for a host name; null unless httpd has looked it up. */
export const REMOTE_HOST = 0;
/** Ask for a host name, else the address. */
export const REMOTE_NAME = 1;
/** Ask for the address. */
export const REMOTE_NOLOOKUP = 2;
/** Ask for a host name verified by a second lookup; null without `HostnameLookups Double`. */
export const REMOTE_DOUBLE_REV = 3;

/** `req.connection`. */
export class ApacheConnection {
  readonly #context: RequestContext;
  readonly #exchange: Exchange;
  /** The virtual host; mod_python's `base_server`. */
  readonly baseServer: ApacheServer;

  constructor(context: RequestContext, exchange: Exchange, baseServer: ApacheServer) {
    this.#context = context;
    this.#exchange = exchange;
    this.baseServer = baseServer;
  }

  /** Address of the TCP peer, before mod_remoteip; compare `req.useragentIp`. */
  get clientIp(): string {
    return this.#context.connectionAddress;
  }
  /** Address and port of the TCP peer. */
  get clientAddr(): [string, number] {
    return [this.#context.connectionAddress, this.#context.remotePort];
  }
  /** Port of the client. */
  get remotePort(): number {
    return this.#context.remotePort;
  }
  /** Name of the client; null unless httpd looked it up and passes `REMOTE_HOST` on. */
  get remoteHost(): string | null {
    return this.#context.environment["REMOTE_HOST"] ?? null;
  }
  /** Address that the client connected to; null unless the section says `Use TsLocalAddress`. */
  get localIp(): string | null {
    return this.#context.environment["SERVER_ADDR"] ?? null;
  }
  /** Address and port that the client connected to; null as {@link localIp}. */
  get localAddr(): [string, number] | null {
    return this.localIp === null ? null : [this.localIp, this.#context.serverPort];
  }
  /** Whether the client has disconnected. */
  get aborted(): boolean {
    return this.#exchange.signal.aborted;
  }
  /** Writes to the error log with the address of the client. */
  logError(message: string, level: LogLevel = "error"): void {
    log(level, message, { client: this.clientAddr.join(":") });
  }
}

/** `req.server`. */
export class ApacheServer {
  readonly #context: RequestContext;

  constructor(context: RequestContext) {
    this.#context = context;
  }

  /** `ServerAdmin`. */
  get serverAdmin(): string {
    return this.#context.serverAdmin;
  }
  /** Name of the virtual host, as `UseCanonicalName` makes it. */
  get serverHostname(): string {
    return this.#context.serverName;
  }
  /** Port of the virtual host, as `UseCanonicalPhysicalPort` makes it. */
  get port(): number {
    return this.#context.serverPort;
  }
  /** Server version by `ServerTokens`, e.g. `Apache/2.4.71 (Debian)`. */
  get software(): string {
    return this.#context.serverSoftware;
  }
  /** `Use TsOption`, merged for this request: the server level alone is not known to a sidecar. */
  getOptions(): Dictionary {
    return this.#context.options;
  }
  /** Writes to the error log without naming the request. */
  logError(message: string, level: LogLevel = "error"): void {
    log(level, message);
  }
}
