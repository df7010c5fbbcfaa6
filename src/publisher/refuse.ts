/**
 * What is not published.
 * @module
 */
import { HttpError } from "../http-error.ts";
import { type ApacheRequest, internals } from "../request/request.ts";

/** The error that ends the request. Why, stands in the log; the client learns it with `TsDebug On`. */
export function refuse(req: ApacheRequest, status: 403 | 404, reason: string): HttpError {
  req.logError(`mod_ts/publisher: ${status} for ${req.uri}: ${reason}`, "info");
  const options = { body: `${reason}\n`, headers: { "Content-Type": "text/plain; charset=utf-8" } };
  return new HttpError(status, req[internals].debug ? options : {});
}
