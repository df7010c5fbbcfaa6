/** Parsing of request targets, and construction of URLs. */
import { decodeHeader, encodeHeader } from "./headers.ts";

/** The nine parts of `req.parsedUri`; missing ones are null. Nothing is decoded. */
export interface ParsedUri {
  scheme: string | null;
  /** `user:password@host:port` as one. */
  hostinfo: string | null;
  user: string | null;
  password: string | null;
  hostname: string | null;
  port: number | null;
  path: string | null;
  query: string | null;
  fragment: string | null;
}

/** Splits a request target: a path with query, or an absolute URL (RFC 3986, appendix B). */
export function parseUri(target: string): ParsedUri {
  // Two slashes at the beginning of a path are no authority (RFC 9112, section 3.2.1).
  const pattern = target.startsWith("/")
    ? /^()()([^?#]*)(?:\?([^#]*))?(?:#([^]*))?$/
    : /^(?:([a-z][a-z0-9+.-]*):\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#([^]*))?$/i;
  const [, scheme, hostinfo, path, query, fragment] = pattern.exec(target) ?? [];
  const authority =
    /^(?:([^:@]*)(?::([^@]*))?@)?(\[[^\]]*\]|[^:@]*)(?::(\d*))?$/.exec(hostinfo ?? "") ?? [];
  return {
    scheme: scheme || null,
    hostinfo: hostinfo || null,
    user: authority[1] ?? null,
    password: authority[2] ?? null,
    hostname: authority[3] || null,
    port: authority[4] ? Number(authority[4]) : null,
    path: path || null,
    query: query ?? null,
    fragment: fragment ?? null,
  };
}

export interface Origin {
  readonly scheme: string;
  readonly serverName: string;
  readonly serverPort: number;
}

/** An absolute URL of a path without a default port, like `ap_construct_url`. */
export function formatUrl(origin: Origin, path: string): string {
  const { scheme, serverName, serverPort } = origin;
  const host =
    serverName.includes(":") && !serverName.startsWith("[") ? `[${serverName}]` : serverName;
  const usual = serverPort === 0 || serverPort === (scheme === "https" ? 443 : 80);
  return `${scheme}://${host}${usual ? "" : `:${serverPort}`}${path}`;
}

/** Host of an absolute target or `Host` header, in lower case without port; null if missing. */
export function hostnameOf(target: string, hostHeader: string | undefined): string | null {
  const host = target.startsWith("/") ? hostHeader : (parseUri(target).hostinfo ?? hostHeader);
  const match = /^(?:[^@]*@)?(\[[^\]]*\]|[^:]*?)\.?(?::\d*)?$/.exec(host ?? "");
  return match?.[1]?.toLowerCase() || null;
}

/** The decoded path without `.`, `..` and empty segments; `%2F` is a slash. */
export function decodePath(sent: string): string {
  return decodeHeader(normalizePath(unescapePath(sent, /%([0-9a-f]{2})/gi)));
}

/** One character per byte, so that no encoding makes two paths equal. */
export function unescapePath(path: string, pattern: RegExp): string {
  return encodeHeader(path).replaceAll(pattern, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/**
 * Whether a path without `.` and `..` has them for another server. Attack: one that decodes `%2F` first,
 * takes `\` for a slash (IIS) or cuts `;x` off (Tomcat) leaves `/up` at `/up/..%2F..`, `/up/..\..` and
 * `/up/..;/..`.
 */
export function hidesDots(path: string): boolean {
  const plain = path.replaceAll(/%2e/gi, ".").replaceAll(/%3b/gi, ";");
  return /(?:^|\/)\.\.?(?:[/;]|$)/.test(plain.replaceAll(/%2f|%5c|\\/gi, "/"));
}

/** httpd's `ap_normalize_path`, without `.`, `..` and empty segments; these go first with `MergeSlashes On`. */
export function normalizePath(path: string, mergesFirst = true): string {
  const segments: string[] = [];
  const all = path.replace(/^\//, "").split("/");
  for (const segment of all) {
    if (segment === "..") segments.pop();
    else if (segment !== "." && !(mergesFirst && segment === "")) segments.push(segment);
  }
  const names = segments.filter(Boolean);
  const isDirectory = ["", ".", ".."].includes(all.at(-1) ?? "") && names.length > 0;
  return `/${names.join("/")}${isDirectory ? "/" : ""}`;
}
