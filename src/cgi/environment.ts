/**
 * The environment of a script: RFC 3875, section 4.1, what httpd adds, what the configuration passes on. Nothing else.
 * @module
 */
import { HeaderTable } from "../request/headers.ts";
import type { ApacheRequest } from "../request/request.ts";

/** What a program needs to find others, where the configuration says nothing of it. */
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Attack: the sidecar's own environment may hold passwords (of databases, of session keys), and scripts print their environment
 * gladly. So it is not handed on; but for PATH, as httpd does it, too.
 */
export function cgiEnvironment(req: ApacheRequest): Record<string, string> {
  // After what the configuration and handlers say: they must not replace what is true of this request.
  req.addCgiVars();
  const table = new HeaderTable({ PATH: process.env["PATH"] ?? defaultPath });
  table.update(req.subprocessEnv);
  table.set("REMOTE_HOST", req.getRemoteHost() ?? req.useragentIp);
  if (req.pathInfo) table.set("PATH_TRANSLATED", translate(req));
  return toRecord(table);
}

/**
 * RFC 3875, section 4.1.6: the path info as a file, were it a path of its own. Apache would look it up with all its rules; who
 * is not Apache knows the DocumentRoot and the Alias of this very request.
 */
function translate(req: ApacheRequest): string {
  const prefix = req.subprocessEnv.get("CONTEXT_PREFIX", "");
  const folder = req.subprocessEnv.get("CONTEXT_DOCUMENT_ROOT", "");
  const isAliased = prefix !== "" && folder !== "" && req.pathInfo.startsWith(`${prefix}/`);
  if (isAliased) return folder + req.pathInfo.slice(prefix.length);
  return req.documentRoot() + req.pathInfo;
}

function toRecord(table: HeaderTable): Record<string, string> {
  const record: Record<string, string> = Object.create(null);
  for (const [name, value] of table) {
    // A shell trips over other names, and a value cannot be told to a process beyond a zero byte.
    if (!/^[A-Za-z_]\w*$/.test(name) || value.includes("\0")) continue;
    record[name] = name.startsWith("HTTP_") ? decode(value) : value;
  }
  return record;
}

/** Node gives a header as one character a byte, and writes an environment as UTF-8: the bytes of the client would be coded twice. */
function decode(value: string): string {
  if (!/[^\x00-\x7f]/.test(value)) return value;
  const text = Buffer.from(value, "latin1").toString("utf8");
  return text.includes("\ufffd") ? value : text;
}
