/**
 * What a process lends to its requests. The request API stands below those who build these things, so it knows their shape alone.
 * @module
 */
import type { RedirectTarget } from "./internal-redirect.ts";
import type { ApacheRequest } from "./request.ts";
import type { Session, SessionOptions } from "./session.ts";

/** Made by the worker, handed to each request by the engine. */
export interface Toolkit {
  /** Absolute path of a folder for files that live no longer than a request; made by whoever needs it first, for its user alone. */
  readonly temporary: string;
  /** Serves `req.session()`. */
  openSession?(req: ApacheRequest, options?: SessionOptions): Promise<Session>;
  /** The way to what Apache, or another server, has for a request. */
  readonly origin?: OriginAccess;
}

/** What to do where there is no way back to Apache. */
export const howToCallBack =
  "set origin and secret in mod-ts.config.ts and run mod-ts conf, or name a server with Use TsOption mod_ts.origin.url";

/** See `fetchOrigin` and `req.internalRedirect`. */
export interface OriginAccess {
  /** Whether Apache itself can be asked. */
  readonly callsBack: boolean;
  fetch(req: ApacheRequest): Promise<Response>;
  redirect(req: ApacheRequest, target: RedirectTarget): Promise<void>;
}
