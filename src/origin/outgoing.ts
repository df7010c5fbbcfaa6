/**
 * From a request of Apache's to the question for its origin: path, headers, framing of the body.
 * @module
 */
import { ModTsError } from "../errors.ts";
import { type ApacheRequest, internals } from "../request/request.ts";
import type { RedirectTarget } from "../request/internal-redirect.ts";
import { canonicalPath, requestedUrl } from "../request/requested-url.ts";
import { isProgram } from "./check-answer.ts";
import { endToEnd, type OutgoingHeaders, toRecord } from "./message-headers.ts";
import type { ForeignOrigin } from "./settings.ts";

/** How we name ourselves in `Via` (RFC 9110, section 7.6.3). */
export const pseudonym = "mod_ts";

/** Requests that may have gone through us before. */
export const hopLimit = 10;

/**
 * Headers that tell a server whom it speaks for: ours are true, those that a client sent are not.
 *
 * Attack: to a server that is CGI at heart (WSGI, Rack, PHP) `X_Forwarded_For` and `X.Forwarded.For` are the same.
 */
const forwarding =
  /^(?:forwarded|x[-_.]forwarded[-_.].+|x[-_.](?:real|client)[-_.]ip|true[-_.]client[-_.]ip)$/;

/** Path and headers for another server. Throws `MODTS_ORIGIN_LOOP`. */
export function forForeign(
  req: ApacheRequest,
  origin: ForeignOrigin,
): { path: string; headers: OutgoingHeaders } {
  // Attack: what Apache has judged is `/admin`, however it was written; the other server must be asked for the same.
  const { host, scheme, uri: asked } = requestedUrl(req);
  const uri = ownPath(req) ?? asked;
  const via = req.headersIn.getAll("via").join(", ");
  // A server that is ourselves again gets the request as a new one, so only its own words tell.
  if (via.split(/\bmod_ts\b/).length > hopLimit) {
    const reason = `it came through here ${hopLimit} times, and goes to ${origin.name}`;
    throw new ModTsError("MODTS_ORIGIN_LOOP", { reason });
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

/** The path as the client wrote it, and its headers: Apache shall understand them as it did the first time. */
export function forApache(
  req: ApacheRequest,
  redirect: RedirectTarget | undefined,
): { path: string; headers: OutgoingHeaders } {
  const { host } = requestedUrl(req);
  const asked = req.unparsedUri.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?]*/i, "") || "/";
  const target = ownPath(req) ?? asked;
  const path = redirect?.path ?? (target.startsWith("?") ? `/${target}` : target);
  if (!/^\/[\x21-\x7e]*$/.test(path)) {
    throw new ModTsError("MODTS_BAD_URL", { reason: "it cannot be asked for a second time" });
  }
  const drop = new Set(["host", "expect", "content-length"]);
  if (redirect && !hasBody(req, redirect.method)) for (const name of bodyHeaders) drop.add(name);
  // Of several ranges the answer does not tell whether they are those of a source. A server may leave them out of account.
  if (!redirect && isProgram(req) && req.headersIn.get("range")?.includes(",")) drop.add("range");
  const kept = toRecord(
    endToEnd(req.headersIn.raw()),
    (name) => drop.has(name) || (!redirect && isForOther(req, name)),
  );
  return { path, headers: { ...kept, host } };
}

/**
 * Path and query of a request whose line is that of another one: of an ErrorDocument, or of a part that mod_include takes in.
 *
 * Attack: a handler refuses `/gate`, and the ErrorDocument lies where the origin answers: asked for the request line, it gives what was refused.
 */
function ownPath(req: ApacheRequest): string | undefined {
  const { environment } = req[internals].context;
  if (errorStatus(req) === undefined && !environment["MOD_TS_SUBREQUEST"]) return undefined;
  const path = canonicalPath(req.uri.replaceAll("%", "%25"), req.uri);
  return req.args === null ? path : `${path}?${req.args}`;
}

/** The status that an ErrorDocument is for; undefined: the request is for none. */
export function errorStatus(req: ApacheRequest): number | undefined {
  const status = req[internals].context.environment["MOD_TS_STATUS"];
  return status === undefined ? undefined : Number(status);
}

/** Whether a header speaks of the page that was refused, and not of the ErrorDocument: a range, a condition. */
function isForOther(req: ApacheRequest, name: string): boolean {
  return /^(?:range|if-.+)$/.test(name) && errorStatus(req) !== undefined;
}

/** The length of the body as the door has it, else chunks. A handler may have changed `headersIn`; the bytes are what they are. */
export function framing(req: ApacheRequest): OutgoingHeaders {
  const { rawHeaders } = req[internals].context;
  const at = rawHeaders.findIndex(
    (name, index) => index % 2 === 0 && name.toLowerCase() === "content-length",
  );
  return at < 0
    ? { "transfer-encoding": "chunked" }
    : { "content-length": rawHeaders[at + 1] as string };
}

/** Whether a request with this method takes the body along. */
export function hasBody(req: ApacheRequest, method: string = req.method): boolean {
  if (method !== req.method && (method === "GET" || method === "HEAD")) return false;
  return req[internals].exchange.hasBody;
}

const bodyHeaders = ["content-type", "content-encoding", "content-language", "content-location"];

function isReplaced(name: string): boolean {
  return /^(?:host|expect|content-length|via)$/.test(name) || forwarding.test(name);
}

/** The name of another server, as in `Host`. */
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
