/**
 * What a process lends to its requests. The request API stands below those who build these things, so it knows their shape alone.
 * @module
 */
import type { ApacheRequest } from "./request.ts";
import type { Session, SessionOptions } from "./session.ts";

/** Made by the worker, handed to each request by the engine. */
export interface Toolkit {
  /** Absolute path of a folder for files that live no longer than a request; made by whoever needs it first, for its user alone. */
  readonly temporary: string;
  /** Serves `req.session()`. */
  openSession?(req: ApacheRequest, options?: SessionOptions): Promise<Session>;
}
