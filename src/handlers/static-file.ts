/**
 * Fallback when every content handler declined, like Apache's default handler (`default_handler` of
 * server/core.c): the mapped file with type, validators and ranges (RFC 9110, sections 13 and 14),
 * else 404. With callbacks, Apache serves what is more than a file.
 */
import { sep } from "node:path";
import { realpath } from "../loader/disk.ts";
import { isModTsError } from "../base/errors.ts";
import { filesAndCopies } from "../base/backup-files.ts";
import { OK, type Outcome } from "../base/outcome.ts";
import { internals } from "../request/internals.ts";
import type { ApacheRequest } from "../request/request.ts";

/**
 * Attack: a declined request prints sources (mod_python did, list 2006-03). As in "Sources are
 * never shown" of `apache-conf/mod_ts.conf`: handlers, pages, their backups, our configuration.
 * Python's too, which mod_python never showed in a directory that it served, and PHP's, which another
 * handler would have run.
 */
const sourceFile = filesAndCopies("[mc]?ts|tsx|tsp|py[co]?|psp|php\\d?|phtml|phar");
/** Without copies, which PHP does not run. */
const phpFile = /\.(?:php\d?|phtml|phar)$/i;
const ownFile = /\/(?:mod-ts\.config\.|\.mod-ts(?:\/|$))/i;

const allowed = ["GET", "HEAD", "OPTIONS"];

/**
 * Creates the fallback handler, which returns `OK`, or the status for the error page.
 * @param ownPaths absolute paths of the sidecar's own files and directories: configuration, secrets, sockets, keys, sessions
 */
export function createStaticFile(
  ownPaths: readonly string[],
): (req: ApacheRequest) => Promise<Outcome> {
  return async (req) => {
    const origin = req[internals].toolkit?.origin;
    if (origin?.callsBack && isForApache(req)) {
      await origin.pass(req);
      return OK;
    }
    const status = refuse(req, ownPaths);
    if (status !== OK) return status;
    if (req.method === "OPTIONS") {
      req.headersOut.set("Allow", allowed.join(","));
      return OK;
    }
    return send(req);
  };
}

/**
 * Whether Apache can do more than send a file: run PHP, or list a directory. A callback shows no
 * source, see `checkResponse`.
 */
function isForApache({ filename, finfo, method, pathInfo }: ApacheRequest): boolean {
  if (phpFile.test(filename)) return finfo.filetype === "regular";
  const isRead = method === "GET" || method === "HEAD";
  return isRead && finfo.filetype === "directory" && !pathInfo && !ownFile.test(`${filename}/`);
}

function refuse(req: ApacheRequest, ownPaths: readonly string[]): Outcome {
  // Extra path after a file names another resource (httpd directive AcceptPathInfo).
  if (req.pathInfo || req.finfo.filetype !== "regular") return 404;
  if (sourceFile.test(req.filename) || ownFile.test(req.filename)) return 403;
  if (isOwn(req.filename, ownPaths)) return 403;
  if (!allowed.includes(req.method)) {
    req.errHeadersOut.set("Allow", allowed.join(","));
    return 405;
  }
  return OK;
}

/**
 * Attack: a forged context, an Alias or a symbolic link names a key, a session database or the
 * configuration, which this process may read and Apache may not. So real paths are compared.
 */
function isOwn(filename: string, ownPaths: readonly string[]): boolean {
  const file = realpath(filename) ?? filename;
  return ownPaths.some((path) => `${file}${sep}`.startsWith(`${realpath(path) ?? path}${sep}`));
}

async function send(req: ApacheRequest): Promise<Outcome> {
  try {
    return await req.serveFile(req.filename);
  } catch (error) {
    // As in httpd, unreadable files are forbidden, not a failure.
    if (isModTsError(error) && isAccessError(error.cause)) return 403;
    throw error;
  }
}

function isAccessError(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === "EACCES";
}
