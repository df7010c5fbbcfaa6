/**
 * Cookies with any JSON value that the browser cannot change: signed ones are readable, encrypted
 * ones are not.
 *
 * Attack: a user restores an older value. So anything that must not come back (an amount, a right)
 * belongs in a session.
 */
import { ModTsError } from "../../base/errors.ts";
import type { TokenCodec } from "../../base/crypto.ts";
import type { CookieKeys } from "./cookie-keys.ts";
import type { ApacheRequest } from "../request.ts";
import type { CookieAttributes } from "./set-cookie.ts";

/**
 * `tampered`: changed, moved from another name, or written with a key that is no longer listed.
 * `expired`: older than `maxAge`, even if the browser keeps it longer.
 */
export type CookieStatus = "absent" | "valid" | "expired" | "tampered";

/** A signed or encrypted cookie: created once per module, used with each request. */
export interface ProtectedCookie<T> {
  readonly name: string;
  /** The value if it is valid; else undefined, as without a cookie. */
  get(req: ApacheRequest): T | undefined;
  /** The reason for the result of {@link get}. */
  status(req: ApacheRequest): CookieStatus;
  /** Throws `MODTS_BAD_COOKIE`, also for a value that is too long, and `MODTS_HEADERS_SENT`. */
  set(req: ApacheRequest, value: T): void;
  /** Removes the cookie from the browser. */
  clear(req: ApacheRequest): void;
}

/** Attributes, and a clock for tests: milliseconds since 1970. */
export interface ProtectedCookieOptions extends CookieAttributes {
  now?: () => number;
}

/** A neighboring host may have planted others. Each costs a few hashes, so a flood is cut. */
const mostValues = 4;

/** The browser can read the value but not change it. `maxAge` is enforced here as well. */
export function signedCookie<T>(
  name: string,
  keys: CookieKeys,
  options: ProtectedCookieOptions = {},
): ProtectedCookie<T> {
  return protect(name, keys.signing(name), options);
}

/** The browser can neither read nor change the value. `maxAge` is enforced here as well. */
export function encryptedCookie<T>(
  name: string,
  keys: CookieKeys,
  options: ProtectedCookieOptions = {},
): ProtectedCookie<T> {
  return protect(name, keys.encrypting(name), options);
}

function protect<T>(
  name: string,
  codec: TokenCodec,
  { now = Date.now, ...attributes }: ProtectedCookieOptions,
): ProtectedCookie<T> {
  const seconds = (): number => Math.floor(now() / 1000);
  const life = attributes.maxAge ?? Infinity;
  const read = (req: ApacheRequest): { status: CookieStatus; value?: T } => {
    const tokens = req.cookies.getAll(name).slice(0, mostValues);
    const payloads = tokens.map((token) => codec.read(token)).filter(isPayload);
    const fresh = payloads.find(([, written]) => seconds() < written + life);
    if (fresh) return { status: "valid", value: fresh[0] as T };
    if (payloads.length > 0) return { status: "expired" };
    return { status: tokens.length > 0 ? "tampered" : "absent" };
  };
  return {
    name,
    get: (req) => read(req).value,
    status: (req) => read(req).status,
    set(req, value) {
      if (value === undefined) {
        throw new ModTsError("MODTS_BAD_COOKIE", { name, reason: "undefined is no value" });
      }
      req.setCookie(name, codec.write([value, seconds()]), attributes);
    },
    clear: (req) => req.clearCookie(name, attributes),
  };
}

/** The value and the second in which it was written. */
function isPayload(payload: unknown): payload is [unknown, number] {
  return Array.isArray(payload) && typeof payload[1] === "number";
}
