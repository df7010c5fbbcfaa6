/**
 * Headers on their way through: which go on, and which end here.
 * @module
 */

/** Names in lower case; a list where a name stands several times. */
export type OutgoingHeaders = Record<string, string | string[]>;

/**
 * Attack: headers that speak of one connection, passed on, let a client speak to the server behind us about ours: two framings of a
 * body are two requests (RFC 9112, section 11.2). RFC 9110, section 7.6.1, and the older names that are in use.
 */
const hopByHop: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Names and values alternating, without those that end at a hop, those that `Connection` names, and our own. */
export function endToEnd(raw: readonly string[]): string[] {
  const named = connectionOptions(raw);
  const kept: string[] = [];
  for (let at = 0; at < raw.length; at += 2) {
    const name = (raw[at] as string).toLowerCase();
    if (hopByHop.has(name) || named?.has(name) || name.startsWith("mod-ts-")) continue;
    kept.push(raw[at] as string, raw[at + 1] as string);
  }
  return kept;
}

/** The same as a record, names in lower case, as `http-proxy` looks them up. `drop` names what stays behind. */
export function toRecord(raw: readonly string[], drop: (name: string) => boolean): OutgoingHeaders {
  const headers: OutgoingHeaders = Object.create(null);
  for (let at = 0; at < raw.length; at += 2) {
    const name = (raw[at] as string).toLowerCase();
    const value = raw[at + 1] as string;
    if (drop(name)) continue;
    const before = headers[name];
    headers[name] = before === undefined ? value : [before, value].flat();
  }
  return headers;
}

function connectionOptions(raw: readonly string[]): ReadonlySet<string> | undefined {
  let named: Set<string> | undefined;
  for (let at = 0; at < raw.length; at += 2) {
    if ((raw[at] as string).toLowerCase() !== "connection") continue;
    named ??= new Set();
    for (const option of (raw[at + 1] as string).split(",")) named.add(option.trim().toLowerCase());
  }
  return named;
}
