/**
 * Cookies that hold any JSON value and that the browser cannot change: signed ones it can read, encrypted ones it cannot.
 *
 * A user can still put an older value of his own back; what must not come back (an amount, a right) belongs into a session.
 * @module
 */
import { ModTsError } from "../errors.ts";
import type { CookieCodec, CookieKeys } from "./cookie-keys.ts";
import type { ApacheRequest } from "./request.ts";
import type { CookieAttributes } from "./set-cookie.ts";

/**
 * What became of a cookie. `tampered`: somebody changed it, moved it here from another name, or it was written with a key that is not
 * listed any more. `expired`: it is ours, but older than `maxAge`; browsers may be told to keep it for longer.
 */
export type CookieStatus = "absent" | "valid" | "expired" | "tampered";

/** A signed or encrypted cookie: made once for a module, used with each request. */
export interface ProtectedCookie<T> {
  readonly name: string;
  /** The value, when it is ours and not too old; else undefined, as if there were no cookie. */
  get(req: ApacheRequest): T | undefined;
  /** Why {@link get} gives what it gives. */
  status(req: ApacheRequest): CookieStatus;
  /** Has the browser keep a value. Throws `MODTS_BAD_COOKIE`, also for one that is too long, and `MODTS_HEADERS_SENT`. */
  set(req: ApacheRequest, value: T): void;
  /** Has the browser forget it. */
  clear(req: ApacheRequest): void;
}

/** Attributes, and a clock for tests: milliseconds since 1970. */
export interface ProtectedCookieOptions extends CookieAttributes {
  now?: () => number;
}

/** A neighbouring host may have planted others beside ours. Each costs a few hashes, so not all of a flood are looked at. */
const mostValues = 4;

/** A cookie whose value the browser can read but not change. `maxAge` counts here, too, not only in the browser. */
export function signedCookie<T>(
  name: string,
  keys: CookieKeys,
  options: ProtectedCookieOptions = {},
): ProtectedCookie<T> {
  return protect(name, keys.signing(name), options);
}

/** A cookie whose value the browser can neither read nor change. `maxAge` counts here, too, not only in the browser. */
export function encryptedCookie<T>(
  name: string,
  keys: CookieKeys,
  options: ProtectedCookieOptions = {},
): ProtectedCookie<T> {
  return protect(name, keys.encrypting(name), options);
}

function protect<T>(
  name: string,
  codec: CookieCodec,
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
