/**
 * The connection of the client to httpd: what of httpd's `conn_rec` reaches a process beside it.
 * @module
 */
import { type LogLevel, log } from "../log.ts";
import type { Exchange, RequestContext } from "./exchange.ts";
import type { ApacheServer } from "./server.ts";

/** Ask for a host name; null unless httpd has looked it up. */
export const REMOTE_HOST = 0;
/** Ask for a host name, else the address. */
export const REMOTE_NAME = 1;
/** Ask for the address. */
export const REMOTE_NOLOOKUP = 2;
/** Ask for a host name that was confirmed by a second lookup; null unless `HostnameLookups Double` made httpd do it. */
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
  /** Whether the client has gone away. */
  get aborted(): boolean {
    return this.#exchange.signal.aborted;
  }
  /** Writes to the error log with the address of the client. */
  logError(message: string, level: LogLevel = "error"): void {
    log(level, message, { client: this.clientAddr.join(":") });
  }
}
