/**
 * The requested URL in the one spelling that identifies Apache's resource.
 *
 * Attack: `/public/../admin`, `//admin`, `/%61dmin` or `/public%2F..%2Fadmin` is checked as
 * written, and served as `/admin`. Any decision by path, here or in another service, needs Apache's
 * interpretation.
 */
import { ModTsError } from "../base/errors.ts";
import { decodeHeader, encodeHeader } from "./headers.ts";
import type { RequestFacts } from "./request-facts.ts";
import { formatUrl, hidesDots, normalizePath, parseUri, unescapePath } from "./uri.ts";

export interface RequestedUrl {
  /** `http` or `https`. */
  readonly scheme: string;
  /** Host as sent, in lower case and without a trailing dot; with its port unless the scheme implies it. */
  readonly host: string;
  /** Path and query, escaped; the path without `.`, `..` and empty segments. */
  readonly uri: string;
}

export type Requested = Pick<
  RequestFacts,
  "unparsedUri" | "uri" | "args" | "headersIn" | "server" | "isHttps"
>;

/** The parts of the URL. A rewritten path is not shown: rules are about visible addresses. */
export function requestedUrl(req: Requested): RequestedUrl {
  // Of the query, only characters that are invalid in a header are escaped.
  const query = req.args === null ? "" : `?${escape(encodeHeader(req.args), /[^\x21-\x7e]/g)}`;
  const uri = canonicalPath(parseUri(req.unparsedUri).path ?? "/", req.uri) + query;
  return { ...requestedHost(req), uri };
}

/** The same without the path. */
export function requestedHost(req: Requested): Omit<RequestedUrl, "uri"> {
  const { hostinfo } = parseUri(req.unparsedUri);
  const { serverHostname: serverName, port: serverPort } = req.server;
  const scheme = req.isHttps() ? "https" : "http";
  const named = hostinfo ?? req.headersIn.get("host");
  const own = formatUrl({ scheme, serverName, serverPort }, "").replace(/^https?:\/\//, "");
  return { scheme, host: (named && canonicalHost(named, scheme)) || own };
}

/**
 * The path in Apache's interpretation, escaped again. `served`, the decoded path of the resource,
 * reveals whether `%2F` was a slash (`AllowEncodedSlashes On`) or itself (`NoDecode`).
 */
export function canonicalPath(sent: string, served: string): string {
  const path = inApache(sent, served);
  if (!hidesDots(path)) return path;
  throw new ModTsError("MODTS_BAD_URL", "it hides .. from some servers");
}

function inApache(sent: string, served: string): string {
  const path = normalizePath(served);
  const decoded = resolve(unescapePath(sent, /%([0-9a-f]{2})/gi), path);
  if (decoded !== undefined && (!/%2f/i.test(sent) || decodeHeader(decoded) === path))
    return escape(decoded);
  const kept = resolve(unescapePath(sent, /%((?!2f)[0-9a-f]{2})/gi), path);
  if (kept !== undefined && decodeHeader(kept).toLowerCase() === path.toLowerCase())
    return escape(kept).replaceAll(/%252f/gi, "%2F");
  // Rewritten, with unknown meaning: the served path is safe to check.
  return escape(encodeHeader(path));
}

/**
 * Attack: with `MergeSlashes Off`, `..` removes an empty segment: `/priv//../secret` is
 * `/priv/secret`, otherwise `/secret`. The served path decides; undefined if it is neither.
 */
function resolve(path: string, served: string): string | undefined {
  const merged = normalizePath(path);
  const unmerged = normalizePath(path, false);
  if (merged === unmerged) return merged;
  return [merged, unmerged].find(
    (each) => decodeHeader(each).toLowerCase() === served.toLowerCase(),
  );
}

/** RFC 3986, section 3.3: characters that need no escape in a path. */
const needsEscape = /[^A-Za-z0-9._~!$&'()*+,;=:@/-]/g;

function escape(bytes: string, pattern: RegExp = needsEscape): string {
  return bytes.replaceAll(
    pattern,
    (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, "0").toUpperCase()}`,
  );
}

/**
 * Attack: `Admin.example.:80` reaches the virtual host `admin.example`, but a login service finds no
 * rule for that name. httpd ignores case and one trailing dot, too.
 */
export function canonicalHost(host: string, scheme: string): string | undefined {
  const pattern = /^(\[[0-9a-f:.]+\]|[\w.~-]*[\w~-])\.?(?::(\d{1,5}))?$/i;
  const [, name, port] = pattern.exec(host.toLowerCase()) ?? [];
  const isUsual = port === undefined || Number(port) === (scheme === "https" ? 443 : 80);
  return isUsual ? name : `${name}:${Number(port)}`;
}
