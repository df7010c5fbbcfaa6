/** Headers that forbid caches to store a response, unless a handler has set its own. */
import type { HeaderTable } from "../headers.ts";

export interface CacheFacts {
  readonly noCache: boolean;
  readonly isPrivate: boolean;
  readonly setsCookie: boolean;
  readonly headersOut: HeaderTable;
  readonly errHeadersOut: HeaderTable;
}

export function addCacheHeaders(response: CacheFacts): void {
  const { noCache, isPrivate, setsCookie, headersOut, errHeadersOut } = response;
  if (noCache) {
    headersOut.setDefault("Expires", new Date(0).toUTCString());
    headersOut.setDefault("Cache-Control", "no-cache");
  }
  if (headersOut.has("Cache-Control")) return;
  // Attack: a shared cache would send protected content to everybody (RFC 9111, section 5.2.2.7).
  if (isPrivate) errHeadersOut.setDefault("Cache-Control", "private");
  // Attack: a shared cache would send the cookie of one user to everybody (RFC 9111, section 5.2.2.4).
  if (setsCookie) errHeadersOut.setDefault("Cache-Control", 'no-cache="set-cookie"');
}
