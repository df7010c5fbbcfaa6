/**
 * Addresses in the answer of another server, in the words of the client; httpd: `ProxyPassReverse`.
 * @module
 */
import type { IncomingMessage } from "node:http";
import { hostOf } from "./outgoing.ts";
import type { ForeignOrigin } from "./settings.ts";

const names = new Set(["location", "content-location"]);

/** Changes absolute addresses of the other server into paths of ours. Others stay as they are: they may well be meant. */
export function relocate(answer: IncomingMessage, origin: ForeignOrigin): void {
  const { rawHeaders } = answer;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (!names.has((rawHeaders[at] as string).toLowerCase())) continue;
    rawHeaders[at + 1] = publicPath(rawHeaders[at + 1] as string, origin);
  }
}

function publicPath(address: string, origin: ForeignOrigin): string {
  const { base, strip, target } = origin;
  const url = URL.parse(address, "relative://");
  const own = URL.parse(`${target.protocol}//${hostOf(origin)}`);
  if (!url || url.origin !== own?.origin) return address;
  const isBelow = url.pathname === base || url.pathname.startsWith(`${base}/`);
  if (!isBelow) return address;
  const path = strip + (url.pathname.slice(base.length) || "/");
  // Attack: `http://app//evil.example` is a path there, and without its host the address of another server (RFC 3986, section 4.2).
  return (path.startsWith("//") ? `/.${path}` : path) + url.search + url.hash;
}
