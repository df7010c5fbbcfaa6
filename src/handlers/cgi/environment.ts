/** Environment of a script: RFC 3875, section 4.1, with the additions of httpd. */
import { decodeHeader, HeaderTable } from "../../request/headers.ts";
import { internals } from "../../request/internals.ts";
import type { ApacheRequest } from "../../request/request.ts";

/** Default `PATH`, as a program needs one to find others. */
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Attack: the sidecar's environment may hold passwords, and scripts often print their environment.
 * So nothing of it is passed on except `PATH`, as in httpd.
 */
export function cgiEnvironment(req: ApacheRequest): Record<string, string> {
  // Last: variables of the configuration and of handlers must not replace those of the request.
  req.addCgiVars();
  const table = new HeaderTable({ PATH: process.env["PATH"] ?? defaultPath });
  table.update(req.subprocessEnv);
  table.set("REMOTE_HOST", req.getRemoteHost() ?? req.useragentIp);
  const { errorStatus } = req[internals].response;
  if (errorStatus !== undefined) table.set("REDIRECT_STATUS", String(errorStatus));
  if (req.pathInfo) table.set("PATH_TRANSLATED", translate(req));
  return toRecord(table);
}

/**
 * RFC 3875, section 4.1.6: the path info mapped to a file as a path of its own. Apache would apply
 * all its rules; known here are only the DocumentRoot and the Alias of this request.
 */
function translate(req: ApacheRequest): string {
  const prefix = req.subprocessEnv.get("CONTEXT_PREFIX", "");
  const directory = req.subprocessEnv.get("CONTEXT_DOCUMENT_ROOT", "");
  const isAliased = prefix !== "" && directory !== "" && req.pathInfo.startsWith(`${prefix}/`);
  if (isAliased) return directory + req.pathInfo.slice(prefix.length);
  return req.documentRoot() + req.pathInfo;
}

function toRecord(table: HeaderTable): Record<string, string> {
  const record: Record<string, string> = Object.create(null);
  for (const [name, value] of table) {
    // Ours mean nothing to a script; shells reject other names; values end at a zero byte.
    if (!/^(?!MOD_TS_)[A-Za-z_]\w*$/.test(name) || value.includes("\0")) continue;
    // Node writes environments as UTF-8: bytes of a header would be encoded twice.
    record[name] = name.startsWith("HTTP_") ? decodeHeader(value) : value;
  }
  return record;
}
