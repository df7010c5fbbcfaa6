/**
 * What applications that were not written for Apache learn of it.
 * @module
 */
import type { ApacheRequest } from "./request.ts";

/** Second argument of a fetch application; Hono: `c.env`. */
export interface ApplicationEnv {
  /** The request as Apache sees it: user, notes, options, log. */
  readonly apache: ApacheRequest;
  /** The part of the path that was taken off the URL, as sent, e.g. `/app`; empty when none was. CGI: `SCRIPT_NAME`. */
  readonly base: string;
}

/** Third argument of a fetch application; Hono: `c.executionCtx`. */
export interface ApplicationContext {
  /** Keeps the request and the version of its module until a promise has settled. A rejection is logged. */
  waitUntil(promise: Promise<unknown>): void;
}

declare module "node:http" {
  interface IncomingMessage {
    /** The request as Apache sees it, behind mod_ts. */
    apache?: ApacheRequest;
  }
}
