/** Parsing of request targets, and construction of URLs. */

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
