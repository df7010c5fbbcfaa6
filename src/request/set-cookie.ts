/**
 * `Set-Cookie` headers: what a browser would drop in silence is an error here (RFC 6265, and its successor draft rfc6265bis for SameSite,
 * name prefixes and limits).
 * @module
 */
import { stringifySetCookie } from "cookie";
import { ModTsError } from "../errors.ts";
import type { HeaderTable } from "./headers.ts";

/** How long, where to, and for whose eyes a cookie is. */
export interface CookieAttributes {
  /** URL path below which the browser sends it; `/` by default. */
  path?: string;
  /** Host whose subdomains get it, too. Missing: this host alone. */
  domain?: string;
  /** Seconds until it expires; 0 removes it. Missing, as {@link expires}: when the browser is closed. */
  maxAge?: number;
  /** When it expires; {@link maxAge} wins. */
  expires?: Date;
  /** Over TLS only. */
  secure?: boolean;
  /** Scripts in the page cannot read it. */
  httpOnly?: boolean;
  /** Whether requests that other sites cause carry it: `strict` never, `lax` for links that are followed, `none` always. */
  sameSite?: "strict" | "lax" | "none";
  /** Kept apart for each site that shows ours in a frame (CHIPS). */
  partitioned?: boolean;
  /** What Chromium throws away first when a host has too many. */
  priority?: "low" | "medium" | "high";
}

const attributeNames: ReadonlySet<string> = new Set<keyof CookieAttributes>([
  "path",
  "domain",
  "maxAge",
  "expires",
  "secure",
  "httpOnly",
  "sameSite",
  "partitioned",
  "priority",
]);

/** Bytes of name and value that browsers take; they drop what is longer. */
const longestCookie = 4096;

/**
 * What a prefix promises to whoever reads the cookie, e.g. `__Host-`: no neighbouring host and no page over plain HTTP has set it. Browsers
 * look at it without case, and drop a cookie that does not keep the promise.
 */
const prefixes: readonly [RegExp, readonly Wish[]][] = [
  [/^__Secure-/i, ["secure"]],
  [/^__Http-/i, ["secure", "httpOnly"]],
  [/^__Host-/i, ["secure", "path", "domain"]],
  [/^__Host-Http-/i, ["httpOnly"]],
];

type Wish = "secure" | "httpOnly" | "path" | "domain";

const wishes: Record<Wish, [isMet: (cookie: CookieAttributes) => boolean, text: string]> = {
  secure: [({ secure }) => secure === true, "secure: true"],
  httpOnly: [({ httpOnly }) => httpOnly === true, "httpOnly: true"],
  path: [({ path }) => path === "/", 'path: "/"'],
  domain: [({ domain }) => domain === undefined, "no domain"],
};

/** Whether the name has a prefix that only cookies for TLS may have. */
export function wantsSecure(name: string): boolean {
  return prefixes.some(([prefix]) => prefix.test(name));
}

/** The header for a cookie; the value is escaped as need be. @throws ModTsError `MODTS_BAD_COOKIE` */
export function formatSetCookie(name: string, value: string, attributes: CookieAttributes): string {
  const cookie = { ...attributes, path: attributes.path ?? "/" };
  if (typeof value !== "string") throw badCookie(name, "its value must be a string");
  check(name, cookie);
  const header = serialize(name, value, cookie);
  const size = (header.split(";")[0] as string).length - 1;
  if (size > longestCookie) {
    const reason = `name and value have ${size} bytes; browsers drop cookies of more than ${longestCookie}`;
    throw badCookie(name, reason);
  }
  return header;
}

/** Adds a `Set-Cookie` header in place of one for the same cookie: browsers tell them apart by name, path and domain. */
export function addSetCookie(table: HeaderTable, header: string): void {
  const key = keyOf(header);
  const others = table.getAll("Set-Cookie").filter((known) => keyOf(known) !== key);
  if (others.length < table.getAll("Set-Cookie").length) {
    table.delete("Set-Cookie");
    for (const other of others) table.add("Set-Cookie", other);
  }
  table.add("Set-Cookie", header);
}

function keyOf(header: string): string {
  const [pair = "", ...attributes] = header.split(/;\s*/);
  const find = (name: string): string =>
    attributes.find((attribute) => attribute.toLowerCase().startsWith(`${name}=`)) ?? "";
  const domain = find("domain").toLowerCase().replace("=.", "=");
  return JSON.stringify([pair.slice(0, pair.indexOf("=")), find("path").slice(5), domain]);
}

function check(name: string, cookie: CookieAttributes): void {
  // A misspelt `httponly` would silently protect less.
  for (const key of Object.keys(cookie)) {
    if (!attributeNames.has(key)) throw badCookie(name, `there is no attribute ${key}`);
  }
  for (const [prefix, wanted] of prefixes) {
    if (!prefix.test(name)) continue;
    const [unmet] = wanted.filter((wish) => !wishes[wish][0](cookie));
    if (unmet) throw badCookie(name, `its prefix wants ${wishes[unmet][1]}`);
  }
  if (cookie.secure) return;
  if (/^none$/i.test(String(cookie.sameSite)))
    throw badCookie(name, 'sameSite: "none" wants secure: true');
  if (cookie.partitioned) throw badCookie(name, "partitioned: true wants secure: true");
}

/** Attack: a `;` or a line break in a value, a path or a domain that came from the client would begin an attribute, or a header, of its making. */
function serialize(name: string, value: string, cookie: CookieAttributes): string {
  // What the package lets pass in names: characters that RFC 6265, section 4.1.1, does not, and servers split at.
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) {
    throw badCookie(name, "a name has letters, digits and !#$%&'*+.^_`|~- alone");
  }
  if (!cookie.path?.startsWith("/")) {
    throw badCookie(name, "its path must begin with /, or browsers choose one");
  }
  try {
    return stringifySetCookie({ ...cookie, name, value });
  } catch (error) {
    throw badCookie(name, (error as Error).message);
  }
}

function badCookie(name: string, reason: string): ModTsError {
  return new ModTsError("MODTS_BAD_COOKIE", { name, reason });
}
