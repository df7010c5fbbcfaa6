/**
 * Where a browser goes after the login.
 *
 * Attack: a link to our own login page whose return address leads to a page of the attacker, who asks for the password once more.
 * Browsers take `//host`, `/\host` and, as they drop tabs and line breaks, `/<tab>/host` for another host (WHATWG URL, 4.4).
 * @module
 */

/** Characters of an address; longer ones do not fit into every proxy's limits once they are escaped. */
const limit = 2000;

/** The path, query and all, when it is one on this very host; else undefined. Spaces and anything beyond ASCII must be escaped. */
export function safeReturnPath(text: string | undefined): string | undefined {
  if (text === undefined || text.length > limit) return undefined;
  if (!/^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(text)) return undefined;
  const base = "http://host.invalid";
  const url = URL.parse(text, base);
  // `/.//host` is a path that begins with two slashes once its dots are resolved: whoever joins strings goes astray.
  return url && url.origin === base && !url.pathname.startsWith("//") ? text : undefined;
}
