/**
 * The URL that a client asked for, in the one spelling that says what Apache serves.
 *
 * Attack: `/public/../admin`, `//admin`, `/%61dmin` or `/public%2F..%2Fadmin` is judged as it was written, and served as `/admin`.
 * Whoever decides by the path, here or in another service, must get the path in the form in which Apache has understood it.
 * @module
 */
import type { RequestFacts } from "./request-facts.ts";
import { formatUrl, parseUri } from "./uri.ts";

/** An absolute URL in its parts. */
export interface RequestedUrl {
  /** `http` or `https`. */
  readonly scheme: string;
  /** Host as the client named it, with its port if it named one. */
  readonly host: string;
  /** Path and query, escaped; the path without `.`, `..` and empty segments. */
  readonly uri: string;
}

/** What is read of a request. */
export type Requested = Pick<
  RequestFacts,
  "unparsedUri" | "uri" | "args" | "headersIn" | "server" | "isHttps"
>;

/** The parts of the URL that was asked for. A rewritten path is not shown: rules are about the addresses that people see. */
export function requestedUrl(req: Requested): RequestedUrl {
  const { path, hostinfo } = parseUri(req.unparsedUri);
  const { serverHostname: serverName, port: serverPort } = req.server;
  const scheme = req.isHttps() ? "https" : "http";
  const named = hostinfo ?? req.headersIn.get("host");
  const own = formatUrl({ scheme, serverName, serverPort }, "").replace(/^https?:\/\//, "");
  const query = req.args === null ? "" : `?${printable(req.args)}`;
  const uri = canonicalPath(path ?? "/", req.uri) + query;
  return { scheme, host: named && isHost(named) ? named : own, uri };
}

/**
 * The path as Apache understood it, escaped anew. `served` is the decoded path of the resource, and tells what `%2F` meant: a
 * slash (`AllowEncodedSlashes On`) or itself (`NoDecode`).
 */
export function canonicalPath(sent: string, served: string): string {
  const decoded = normalize(unescape(sent, /%([0-9a-f]{2})/gi));
  if (!/%2f/i.test(sent) || toText(decoded) === served) return escape(decoded);
  const kept = normalize(unescape(sent, /%((?!2f)[0-9a-f]{2})/gi));
  if (toText(kept).toLowerCase() === served.toLowerCase()) {
    return escape(kept).replaceAll(/%252f/gi, "%2F");
  }
  // Rewritten, and with a meaning that nobody here knows: what is served is the safe thing to judge.
  return escape(normalize(toBytes(served)));
}

/** The decoded path without `.`, `..` and empty segments, every `%2F` taken for a slash. */
export function decodePath(sent: string): string {
  return toText(normalize(unescape(sent, /%([0-9a-f]{2})/gi)));
}

/** One character a byte from here on, so that no encoding can blur two paths into one. */
function unescape(path: string, pattern: RegExp): string {
  return toBytes(path).replaceAll(pattern, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** Without `.`, `..` and empty segments, as httpd's `ap_normalize_path` does it with `MergeSlashes On`. */
function normalize(path: string): string {
  const segments: string[] = [];
  const all = path.split("/");
  for (const segment of all) {
    if (segment === "..") segments.pop();
    else if (segment !== "." && segment !== "") segments.push(segment);
  }
  const isFolder = ["", ".", ".."].includes(all.at(-1) ?? "") && segments.length > 0;
  return `/${segments.join("/")}${isFolder ? "/" : ""}`;
}

/** RFC 3986, section 3.3: what a path may hold unescaped. */
function escape(path: string): string {
  return path.replaceAll(
    /[^A-Za-z0-9._~!$&'()*+,;=:@/-]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, "0").toUpperCase()}`,
  );
}

/** A query goes on as it came, but for what cannot stand in a header. */
function printable(query: string): string {
  return escapeBytes(toBytes(query));
}

function escapeBytes(bytes: string): string {
  return bytes.replaceAll(
    /[^\x21-\x7e]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, "0").toUpperCase()}`,
  );
}

function isHost(host: string): boolean {
  return /^(?:\[[0-9a-f:.]+\]|[\w.~-]+)(?::\d{1,5})?$/i.test(host);
}

function toBytes(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

function toText(bytes: string): string {
  const buffer = Buffer.from(bytes, "latin1");
  const text = buffer.toString("utf8");
  return text.includes("\ufffd") ? bytes : text;
}
