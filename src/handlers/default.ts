/**
 * What Apache's own default handler would do, for a request that every content handler declined: the plain file that
 * Apache mapped, with its content type, validators and ranges; else 404.
 *
 * httpd: `default_handler` of server/core.c. RFC 9110, sections 13 (conditional requests) and 14 (ranges).
 * @module
 */
import { isModTsError } from "../errors.ts";
import { OK, type Outcome } from "../outcome.ts";
import { parseRange, rangeApplies } from "../request/range.ts";
import type { ApacheRequest } from "../request/request.ts";

/**
 * A declined request must not print sources (mod_python did, list 2006-03). The same files as in the section "Sources are never
 * shown" of `apache-conf/mod_ts.conf`: handlers, pages, what editors leave behind of them, our configuration.
 */
const sourceFile =
  /\.(?:[mc]?ts|tsx|tsp)(?:[~#][^/]*|___jb_\w+|\.(?:bak|backup|old|orig|save|sav|tmp|temp|rej|sw[a-z]|un~|~\d+~|\d+))*$/i;
const ownFile = /\/(?:mod-ts\.config\.|\.mod-ts(?:\/|$))/i;

/** For a file whose type Apache does not know (httpd directive TypesConfig): the browser must not guess. */
const defaultType = "application/octet-stream";

const allowed = ["GET", "HEAD", "OPTIONS"];

/** Answers with the file of the request. Gives `OK`, or the status for the error page. */
export async function serveFile(req: ApacheRequest): Promise<Outcome> {
  const status = refuse(req);
  if (status !== OK) return status;
  if (req.method === "OPTIONS") {
    req.headersOut.set("Allow", allowed.join(","));
    return OK;
  }
  describe(req);
  const outcome = req.meetsConditions();
  return outcome === OK ? deliver(req) : outcome;
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

function describe(req: ApacheRequest): void {
  if (!req.headersOut.has("Content-Type")) req.contentType = req.contentType || defaultType;
  req.headersOut.setDefault("Accept-Ranges", "bytes");
  req.updateMtime(req.finfo.mtime ?? 0);
  req.setLastModified();
  if (!req.headersOut.has("ETag")) req.setEtag();
}

async function deliver(req: ApacheRequest): Promise<Outcome> {
  const { headersIn, headersOut } = req;
  const size = req.finfo.size ?? 0;
  const validators = {
    etag: headersOut.get("ETag"),
    lastModified: headersOut.get("Last-Modified"),
  };
  const applies = rangeApplies(headersIn.get("If-Range"), validators);
  const range = applies ? parseRange(headersIn.get("Range"), size) : undefined;
  if (range === "unsatisfiable") {
    // How long the file is, for a better try (RFC 9110, section 15.5.17).
    req.errHeadersOut.set("Content-Range", `bytes */${size}`);
    return 416;
  }
  if (range) {
    const { offset, length } = range;
    req.status = 206;
    headersOut.set("Content-Range", `bytes ${offset}-${offset + length - 1}/${size}`);
  }
  return send(req, range?.offset, range?.length);
}

async function send(req: ApacheRequest, offset?: number, length?: number): Promise<Outcome> {
  try {
    await req.sendFile(req.filename, offset, length);
    return OK;
  } catch (error) {
    // A file that we may not read is forbidden, as in httpd, and not our failure.
    if (isModTsError(error) && isAccessError(error.cause)) return 403;
    throw error;
  }
}

function isAccessError(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === "EACCES";
}
