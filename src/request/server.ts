/**
 * The virtual host of a request: what of httpd's `server_rec` reaches a process beside it.
 * @module
 */
import { type LogLevel, log } from "../log.ts";
import type { Dictionary, RequestContext } from "./exchange.ts";

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
  /** What httpd says of itself, after `ServerTokens`, e.g. `Apache/2.4.71 (Debian)`. */
  get software(): string {
    return this.#context.serverSoftware;
  }
  /** `Use TsOption`, as merged for this request: the server's own level cannot be told apart behind a proxy. */
  getOptions(): Dictionary {
    return this.#context.options;
  }
  /** Writes to the error log without naming the request. */
  logError(message: string, level: LogLevel = "error"): void {
    log(level, message);
  }
}
