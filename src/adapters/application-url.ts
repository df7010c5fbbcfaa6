/**
 * The URL that an application is given.
 *
 * It is the one that was sent, letter by letter, unless Apache took it for another one. Attack: `/app/public/../admin` or
 * `/app//admin` is judged by Apache as `/app/admin` and routed by the application as it stands, or the other way round.
 * So what has such segments, or was rewritten by `RewriteRule`, is given in the form that Apache has understood.
 * @module
 */
import type { ApacheRequest } from "../request/request.ts";
import { canonicalPath, decodePath } from "../request/requested-url.ts";
import { parseUri } from "../request/uri.ts";

/** A URL without scheme and host, divided as WSGI does it. */
export interface ApplicationUrl {
  /** What was taken off, as sent, e.g. `/app`; empty when nothing was. WSGI: `SCRIPT_NAME`. */
  readonly base: string;
  /** What is left, escapes and query included; begins with a slash. WSGI: `PATH_INFO`. */
  readonly rest: string;
  /** Both. */
  readonly whole: string;
}

/** The URL of a request below `base`, a decoded path without a slash at its end; undefined when it lies elsewhere. */
export function applicationUrl(req: ApacheRequest, base: string): ApplicationUrl | undefined {
  const path = pathOf(req);
  const length = lengthOf(path, base);
  if (length === undefined) return undefined;
  const query = req.args === null ? "" : `?${req.args}`;
  return {
    base: path.slice(0, length),
    rest: (path.slice(length) || "/") + query,
    whole: path + query,
  };
}

function pathOf(req: ApacheRequest): string {
  const target = req.unparsedUri;
  const query = target.indexOf("?");
  // Nearly every request: nothing is escaped, nothing was rewritten.
  if (req.uri === (query < 0 ? target : target.slice(0, query))) return req.uri;
  const sent = parseUri(target).path ?? "/";
  // What an escaped slash means depends on the directive AllowEncodedSlashes.
  if (/%2f/i.test(sent)) return canonicalPath(sent, req.uri);
  const isRewritten = decodePath(sent) !== req.uri;
  if (isRewritten) return canonicalPath(req.uri.replaceAll("%", "%25"), req.uri);
  return hasSpecialSegments(sent) ? canonicalPath(sent, req.uri) : sent;
}

/** Whether a path has empty segments, `.` or `..`, escaped ones included; the empty one after the last slash is none. */
function hasSpecialSegments(path: string): boolean {
  return /\/(?:\/|(?:\.|%2e){1,2}(?:\/|$))/i.test(path);
}

/** How much of a path is the base; undefined when it is not below it. */
function lengthOf(path: string, base: string): number | undefined {
  if (base === "") return 0;
  if (path.startsWith(base)) {
    const next = path.charAt(base.length);
    return next === "" || next === "/" ? base.length : undefined;
  }
  const sent = path.split("/").slice(0, base.split("/").length).join("/");
  return decodePath(sent) === base ? sent.length : undefined;
}
