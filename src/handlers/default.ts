/**
 * What Apache's own default handler would do, for a request that every content handler declined: the plain file that
 * Apache mapped, with its content type, validators and ranges; else 404.
 *
 * httpd: `default_handler` of server/core.c. RFC 9110, sections 13 (conditional requests) and 14 (ranges).
 * @module
 */
import { isModTsError } from "../errors.ts";
import { filesAndLeftOvers } from "../left-overs.ts";
import { OK, type Outcome } from "../outcome.ts";
import type { ApacheRequest } from "../request/request.ts";

/**
 * A declined request must not print sources (mod_python did, list 2006-03). The same files as in the section "Sources are never
 * shown" of `apache-conf/mod_ts.conf`: handlers, pages, what editors and administrators leave behind of them, our configuration.
 */
const sourceFile = filesAndLeftOvers("[mc]?ts|tsx|tsp");
const ownFile = /\/(?:mod-ts\.config\.|\.mod-ts(?:\/|$))/i;

const allowed = ["GET", "HEAD", "OPTIONS"];

/** Answers with the file of the request. Gives `OK`, or the status for the error page. */
export async function serveFile(req: ApacheRequest): Promise<Outcome> {
  const status = refuse(req);
  if (status !== OK) return status;
  if (req.method === "OPTIONS") {
    req.headersOut.set("Allow", allowed.join(","));
    return OK;
  }
  return send(req);
}

function refuse(req: ApacheRequest): Outcome {
  // Extra path after a file means another resource than the file (httpd directive AcceptPathInfo).
  if (req.pathInfo || req.finfo.filetype !== "regular") return 404;
  if (sourceFile.test(req.filename) || ownFile.test(req.filename)) return 403;
  if (!allowed.includes(req.method)) {
    req.errHeadersOut.set("Allow", allowed.join(","));
    return 405;
  }
  return OK;
}

async function send(req: ApacheRequest): Promise<Outcome> {
  try {
    return await req.serveFile(req.filename);
  } catch (error) {
    // A file that we may not read is forbidden, as in httpd, and not our failure.
    if (isModTsError(error) && isAccessError(error.cause)) return 403;
    throw error;
  }
}

function isAccessError(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === "EACCES";
}
