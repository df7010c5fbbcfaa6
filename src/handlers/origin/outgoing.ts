/** Requests to origins: path, headers, and framing of the body. */
import { ModTsError } from "../../base/errors.ts";
import { internals } from "../../request/internals.ts";
import { HeaderTable } from "../../request/headers.ts";
import type { ApacheRequest } from "../../request/request.ts";
import type { RedirectTarget } from "../../request/internals.ts";
import { canonicalPath, requestedHost, requestedUrl } from "../../request/requested-url.ts";
import type { ForeignOrigin } from "./origin-options.ts";

/** Our name in `Via` (RFC 9110, section 7.6.3). */
const pseudonym = "mod_ts";

/** Requests that may have passed through us before. */
export const hopLimit = 10;

/**
 * Headers about the client: ours are set, those sent by clients dropped. Attack: CGI-like servers
 * (WSGI, Rack, PHP) do not distinguish `X_Forwarded_For`, `X.Forwarded.For` and `X~Forwarded~For`.
 */
const forwarding =
  /^(?:forwarded|x[^a-z0-9]forwarded[^a-z0-9].+|(?:x[^a-z0-9](?:real|client)|true[^a-z0-9]client)[^a-z0-9]ip)$/;

/** Path and headers for another server. Throws `MODTS_ORIGIN_LOOP`. */
export function forForeign(
  req: ApacheRequest,
  origin: ForeignOrigin,
): { path: string; headers: OutgoingHeaders } {
  // Attack: the other server gets `/%61dmin` where Apache authorized `/admin`.
  const { host, scheme, uri: asked } = requestedUrl(req);
  const uri = ownPath(req) ?? asked;
  const via = req.headersIn.getAll("via").join(", ");
  // If that server is ourselves, it sees a new request; only our own entries count.
  if (via.split(/\bmod_ts\b/).length > hopLimit) {
    throw new ModTsError(
      "MODTS_ORIGIN_LOOP",
      `${hopLimit} passes through this server on the way to ${origin.name}`,
    );
  }
  const version = /^HTTP\/(\d(?:\.\d)?)$/.exec(req.protocol)?.[1] ?? "1.1";
  const headers = {
    ...toRecord(endToEnd(req.headersIn.raw()), (name) => isReplaced(name) || isForOther(req, name)),
    host: origin.preserveHost ? host : hostOf(origin),
    via: `${via ? `${via}, ` : ""}${version} ${pseudonym}`,
    "x-forwarded-for": req.useragentIp,
    "x-forwarded-host": host,
    "x-forwarded-proto": scheme,
  };
  return { path: origin.base + withoutPrefix(uri, origin.strip), headers };
}

/** Path and headers as sent by the client: Apache must understand them as before. */
export function forApache(
  req: ApacheRequest,
  redirect: RedirectTarget | undefined,
): { path: string; headers: OutgoingHeaders } {
  const { host } = requestedHost(req);
  const asked = req.unparsedUri.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?]*/i, "") || "/";
  const target = ownPath(req) ?? asked;
  const path = redirect?.path ?? (target.startsWith("?") ? `/${target}` : target);
  if (!/^\/[\x21-\x7e]*$/.test(path)) {
    throw new ModTsError("MODTS_BAD_URL", "not valid for a callback");
  }
  const drop = new Set(["host", "expect", "content-length"]);
  if (redirect && !hasBody(req, redirect.method)) for (const name of bodyHeaders) drop.add(name);
  // A multipart response would not show whether it holds source code; servers may ignore ranges.
  if (
    !redirect &&
    isProgram(req[internals].context.filename) &&
    req.headersIn.get("range")?.includes(",")
  )
    drop.add("range");
  const isOther = (name: string): boolean =>
    redirect ? Boolean(redirect.isPart) && isConditional(name) : isForOther(req, name);
  const kept = toRecord(endToEnd(req.headersIn.raw()), (name) => drop.has(name) || isOther(name));
  return { path, headers: { ...kept, host } };
}

/**
 * Path and query of an ErrorDocument or a part included by mod_include, whose request line is that
 * of another request. Attack: a handler refuses `/gate`, and the origin serves the ErrorDocument:
 * asked for the request line, it would return what was refused.
 */
function ownPath(req: ApacheRequest): string | undefined {
  const { context, response } = req[internals];
  const isErrorDocument = response.errorStatus !== undefined;
  if (!isErrorDocument && !context.environment["MOD_TS_SUBREQUEST"]) return undefined;
  const path = canonicalPath(req.uri.replaceAll("%", "%25"), req.uri);
  return req.args === null ? path : `${path}?${req.args}`;
}

/** Whether a header is about the refused page, not the ErrorDocument: ranges and conditions. */
function isForOther(req: ApacheRequest, name: string): boolean {
  return isConditional(name) && req[internals].response.errorStatus !== undefined;
}

function isConditional(name: string): boolean {
  return /^(?:range|if-.+)$/.test(name);
}

/**
 * Length of the body as the transport has it, else chunks: handlers may change `headersIn`. A client
 * that waits to be asked for the body waits for the origin, which may refuse it.
 */
export function framing(req: ApacheRequest): OutgoingHeaders {
  const { exchange, context } = req[internals];
  const length = exchange.changesBody
    ? exchange.changedLength?.toString()
    : HeaderTable.fromRaw(context.rawHeaders).get("content-length");
  const expect: OutgoingHeaders = exchange.awaitsContinue ? { expect: "100-continue" } : {};
  if (length === undefined) return { ...expect, "transfer-encoding": "chunked" };
  return { ...expect, "content-length": length };
}

/** Whether a request with this method sends the body. */
export function hasBody(req: ApacheRequest, method: string = req.method): boolean {
  if (method !== req.method && (method === "GET" || method === "HEAD")) return false;
  return req[internals].exchange.hasBody;
}

/** Usually run by a handler; as plain files they show e.g. database passwords. */
const programFiles = /\.(?:php\d?|phtml|phar|inc|cgi|fcgi|pl|py|rb|lua|asp|aspx|jsp)$/i;

export function isProgram(file: string): boolean {
  return programFiles.test(file);
}

const bodyHeaders = ["content-type", "content-encoding", "content-language", "content-location"];

function isReplaced(name: string): boolean {
  return /^(?:host|expect|content-length|via)$/.test(name) || forwarding.test(name);
}

/** Name of another server for `Host`. */
export function hostOf({ target: { protocol, hostname = "", port } }: ForeignOrigin): string {
  const name = hostname.includes(":") ? `[${hostname}]` : hostname;
  const isUsual = port === (protocol === "https:" ? "443" : "80");
  return isUsual ? name : `${name}:${port}`;
}

function withoutPrefix(uri: string, prefix: string): string {
  if (prefix === "" || !uri.startsWith(prefix)) return uri;
  const rest = uri.slice(prefix.length);
  if (rest === "" || rest.startsWith("?")) return `/${rest}`;
  return rest.startsWith("/") ? rest : uri;
}

/** Names in lower case; lists for repeated ones. */
export type OutgoingHeaders = Record<string, string | string[]>;

/**
 * Attack: with hop-by-hop headers, a client controls our connection to the server behind us: two
 * framings of a body are two requests (RFC 9112, section 11.2). RFC 9110, section 7.6.1, and older
 * names in use.
 */
const hopByHop: ReadonlySet<string> = new Set(
  `connection keep-alive proxy-authenticate proxy-authentication-info proxy-authorization
  proxy-connection te trailer transfer-encoding upgrade`.split(/\s+/),
);

/** Pairs without hop-by-hop headers, those in `Connection`, and ours. */
export function endToEnd(raw: readonly string[]): [name: string, value: string][] {
  const options = connectionOptions(raw);
  const pairs: [string, string][] = [];
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] as string;
    const lower = name.toLowerCase();
    if (hopByHop.has(lower) || options?.has(lower) || lower.startsWith("mod-ts-")) continue;
    pairs.push([name, raw[at + 1] as string]);
  }
  return pairs;
}

/** Names in `Connection`, in lower case. */
function connectionOptions(raw: readonly string[]): ReadonlySet<string> | undefined {
  const lists = HeaderTable.fromRaw(raw).getAll("connection");
  if (lists.length === 0) return undefined;
  return new Set(
    lists.flatMap((list) =>
      list
        .toLowerCase()
        .split(",")
        .map((name) => name.trim()),
    ),
  );
}

/** The same as a record, names in lower case. */
export function toRecord(
  pairs: Iterable<readonly [name: string, value: string]>,
  drop: (name: string) => boolean,
): OutgoingHeaders {
  const headers: OutgoingHeaders = Object.create(null);
  for (const [spelling, value] of pairs) {
    const name = spelling.toLowerCase();
    if (drop(name)) continue;
    const before = headers[name];
    headers[name] = before === undefined ? value : [before, value].flat();
  }
  return headers;
}
