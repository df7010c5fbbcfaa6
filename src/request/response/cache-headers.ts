/** Headers that tell caches what not to keep, unless a handler has told them already. */
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
  // Attack: a shared cache would hand to all what a rule lets some see (RFC 9111, section 5.2.2.7).
  if (isPrivate) errHeadersOut.setDefault("Cache-Control", "private");
  // Attack: a shared cache would hand the cookie of one user to all (RFC 9111, section 5.2.2.4).
  if (setsCookie) errHeadersOut.setDefault("Cache-Control", 'no-cache="set-cookie"');
}
