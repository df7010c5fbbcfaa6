/** The variables of CGI (RFC 3875, section 4.1) and those that httpd adds (`util_script.c`). */
import type { RequestContext } from "./exchange.ts";
import type { HeaderTable } from "./headers.ts";

/** The context, and values that handlers may have changed. */
export interface CgiSource {
  readonly method: string;
  readonly protocol: string;
  readonly unparsedUri: string;
  readonly uri: string;
  readonly args: string | null;
  readonly filename: string;
  readonly pathInfo: string;
  readonly user: string | null;
  readonly authType: string | null;
  readonly headersIn: HeaderTable;
}

/** Adds `HTTP_*`, `SERVER_*`, `REMOTE_*` and similar. */
export function addCommonVariables(
  table: HeaderTable,
  source: CgiSource,
  context: RequestContext,
): void {
  addHeaders(table, source.headersIn);
  if (context.scheme === "https") table.set("HTTPS", "on");
  table.set("SERVER_SOFTWARE", context.serverSoftware);
  table.set("SERVER_NAME", context.serverName);
  table.set("SERVER_PORT", context.serverPort);
  table.set("SERVER_ADMIN", context.serverAdmin);
  table.set("REMOTE_ADDR", context.remoteAddress);
  table.set("REMOTE_PORT", context.remotePort);
  table.set("DOCUMENT_ROOT", context.documentRoot);
  table.set("REQUEST_SCHEME", context.scheme);
  table.set("CONTEXT_PREFIX", context.contextPrefix);
  table.set("CONTEXT_DOCUMENT_ROOT", context.contextDocumentRoot);
  table.set("SCRIPT_FILENAME", source.filename);
  if (context.uniqueId) table.set("UNIQUE_ID", context.uniqueId);
  if (source.user !== null) table.set("REMOTE_USER", source.user);
  if (source.authType !== null) table.set("AUTH_TYPE", source.authType);
}

/** Adds the variables of the CGI standard; without `PATH_TRANSLATED`, as in mod_python. */
export function addCgiVariables(table: HeaderTable, source: CgiSource): void {
  table.set("GATEWAY_INTERFACE", "CGI/1.1");
  table.set("SERVER_PROTOCOL", source.protocol);
  table.set("REQUEST_METHOD", source.method);
  table.set("QUERY_STRING", source.args ?? "");
  table.set("REQUEST_URI", source.unparsedUri);
  table.set("SCRIPT_NAME", scriptName(source.uri, source.pathInfo));
  if (source.pathInfo) table.set("PATH_INFO", source.pathInfo);
}

function addHeaders(table: HeaderTable, headers: HeaderTable): void {
  for (const name of headers.keys()) {
    const lower = name.toLowerCase();
    // Attack: programs use HTTP_PROXY as their outgoing proxy (CVE-2016-5385), and `X_User` would
    // pose as `X-User`. Credentials are for the authen phase only.
    if (hidden.has(lower) || /[^a-z0-9-]/.test(lower)) continue;
    const variable = lower.toUpperCase().replaceAll("-", "_");
    const joined = headers.getAll(name).join(lower === "cookie" ? "; " : ", ");
    table.set(plain.has(lower) ? variable : `HTTP_${variable}`, joined);
  }
}

const hidden = new Set(["proxy", "authorization", "proxy-authorization"]);
const plain = new Set(["content-type", "content-length"]);

function scriptName(uri: string, pathInfo: string): string {
  return pathInfo && uri.endsWith(pathInfo) ? uri.slice(0, -pathInfo.length) : uri;
}

/** Whether a variable is one of CGI's or httpd's, not a handler's (RFC 3875, section 4.1). */
export function isCgiVariable(name: string): boolean {
  return cgiName.test(name);
}

const cgiName =
  /^(?:(?:HTTP|SERVER|REQUEST|CONTEXT|SCRIPT|PATH|CONTENT)_\w+|REMOTE_(?:ADDR|PORT|USER|HOST|IDENT)|AUTH_TYPE|DOCUMENT_ROOT|GATEWAY_INTERFACE|HTTPS|QUERY_STRING|UNIQUE_ID)$/;
