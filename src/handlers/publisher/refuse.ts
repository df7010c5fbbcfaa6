/** Refusals of the publisher: names (403, 404), methods (405), parameters (400). */
import { HttpError } from "../../base/http-error.ts";
import { internals } from "../../request/internals.ts";
import type { ApacheRequest } from "../../request/request.ts";
import { badArgument } from "../../base/errors.ts";

/** Ends the request. The reason is logged; clients see it only with `TsDebug On`. */
export function refuse(req: ApacheRequest, status: 403 | 404, reason: string): HttpError {
  req.logError(`mod_ts/publisher: ${status} for ${req.uri}: ${reason}`, "info");
  const options = { body: `${reason}\n`, headers: { "Content-Type": "text/plain; charset=utf-8" } };
  return new HttpError(status, req[internals].context.debug ? options : {});
}

const usual: readonly string[] = ["GET", "HEAD", "POST"];

/** Throws `HttpError` 405. `own` is the function's list; default GET, HEAD and POST. */
export function requireMethod(req: ApacheRequest, own: unknown): void {
  const allowed = own === undefined ? usual : complete(own);
  if (allowed.includes(req.method)) return;
  req.allowMethods(allowed, true);
  throw new HttpError(405);
}

/** GET implies HEAD (RFC 9110, section 9.1). */
function complete(own: unknown): readonly string[] {
  if (!Array.isArray(own) || !own.every((method) => typeof method === "string")) {
    throw badArgument("methods", 'must be a list, such as ["GET", "PUT"]');
  }
  return own.includes("GET") ? [...own, "HEAD"] : own;
}

export interface Problem {
  /** Name of the parameter, with the path into it, e.g. `tags.1`; empty: all of them. */
  readonly parameter: string;
  readonly message: string;
}

/** Attack: ten thousand bad fields make a response of ten thousand lines. */
const maxListed = 100;

/** Status 400 with the list: JSON for clients that accept `application/json`, else plain text. */
export function badParameters(req: ApacheRequest, problems: readonly Problem[]): HttpError {
  const shown = problems.slice(0, maxListed);
  const wantsJson = /\bapplication\/json\b/i.test(req.headersIn.get("accept") ?? "");
  // The response depends on Accept: caches must know.
  const headers = { Vary: "Accept", "Content-Type": "text/plain; charset=utf-8" };
  if (!wantsJson) return new HttpError(400, { body: shown.map(lineOf).join(""), headers });
  headers["Content-Type"] = "application/json";
  return new HttpError(400, { body: JSON.stringify({ problems: shown }), headers });
}

function lineOf({ parameter, message }: Problem): string {
  return parameter === "" ? `${message}\n` : `${parameter}: ${message}\n`;
}
