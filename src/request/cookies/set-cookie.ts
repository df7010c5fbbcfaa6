/**
 * `Set-Cookie` headers: cookies that browsers would silently drop are errors (RFC 6265, and its
 * successor draft rfc6265bis for SameSite, name prefixes and limits).
 */
import { stringifySetCookie } from "cookie";
import { ModTsError } from "../../base/errors.ts";
import type { HeaderTable } from "../headers.ts";

/** Attributes of a cookie. */
export interface CookieAttributes {
  /** URL path below which it is sent; `/` by default. */
  path?: string;
  /** Host whose subdomains receive it as well. @default this host only */
  domain?: string;
  /**
   * Seconds until it expires; 0 removes it. @default with {@link expires}: when the browser is
   * closed
   */
  maxAge?: number;
  /** When it expires; {@link maxAge} wins. */
  expires?: Date;
  /** Only over TLS. */
  secure?: boolean;
  /** Hidden from scripts in the page. */
  httpOnly?: boolean;
  /** Requests caused by other sites: `strict` never send it, `lax` only links do, `none` always. */
  sameSite?: "strict" | "lax" | "none";
  /** Separate for each site that embeds ours in a frame (CHIPS). */
  partitioned?: boolean;
  /** Chromium drops low ones first when a host has too many. */
  priority?: "low" | "medium" | "high";
}

const attributeNames: ReadonlySet<string> = new Set(
  "path domain maxAge expires secure httpOnly sameSite partitioned priority".split(" "),
);

/** Browsers drop cookies whose name and value are longer. */
const longestCookie = 4096;

/**
 * Guarantees of name prefixes to readers: a `__Host-` cookie was set by no neighboring host and no
 * page over plain HTTP. Browsers compare them without case, and drop cookies that violate them.
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

/** Whether the prefix of the name requires TLS. */
export function wantsSecure(name: string): boolean {
  return prefixes.some(([prefix]) => prefix.test(name));
}

/** The header of a cookie, with an escaped value. @throws ModTsError `MODTS_BAD_COOKIE` */
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

/** Replaces a `Set-Cookie` of the same cookie; browsers distinguish name, path and domain. */
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
  // A misspelled `httponly` would silently protect less.
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

/** Attack: a `;` or a line break in a client's value begins an attribute or a header. */
function serialize(name: string, value: string, cookie: CookieAttributes): string {
  // The package also accepts names that RFC 6265, section 4.1.1, forbids and servers split.
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
