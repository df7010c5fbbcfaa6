/**
 * Password hashes of the forms that stores hold, told apart by how they begin.
 *
 * bcrypt and argon2 take tens of milliseconds on purpose, in Node's thread pool. Attack: a flood of guesses fills that pool, and
 * everybody waits. So a bounded number waits, and the rest is told to come again.
 * @module
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { ModTsError } from "../errors.ts";
import { verifyApr1 } from "./apr1.ts";
import { loadPackage } from "./optional-package.ts";

/** A form of hash. `sha1` is `{SHA}` of htpasswd; `md5-hex` and `sha1-hex` are what old applications wrote, without salt. */
export type HashScheme = "bcrypt" | "argon2" | "apr1" | "sha1" | "md5-hex" | "sha1-hex";

const forms: readonly (readonly [HashScheme, RegExp])[] = [
  ["bcrypt", /^\$2[abxy]\$\d\d\$[./0-9A-Za-z]{53}$/],
  ["argon2", /^\$argon2(?:id|i|d)\$v=\d+\$[^$]+\$[^$]+\$[^$]+$/],
  ["apr1", /^\$apr1\$[^$]{1,8}\$[./0-9A-Za-z]{22}$/],
  ["sha1", /^\{SHA\}[A-Za-z0-9+/]{27}=$/],
  ["md5-hex", /^[0-9a-f]{32}$/i],
  ["sha1-hex", /^[0-9a-f]{40}$/i],
];

/** Parameters for new hashes: OWASP Password Storage Cheat Sheet, argon2id with 19 MiB. Memory in KiB. */
const argon2Parameters = { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** A hash that fits no password, for stores that have shown none of their own yet. */
export const strangerHash =
  "$argon2id$v=19$m=19456,t=2,p=1$bW9kX3RzIHN0cmFuZ2Vy$bm9ib2R5J3MgcGFzc3dvcmQgZ2l2ZXMgdGhpcyBoYXM";

/** Bytes of a password; more could keep a processor busy, and no scheme here uses more than that. */
const passwordLimit = 512;
/** How many verifications may wait for the thread pool, which runs four at a time. */
const queueLimit = 64;
let waiting = 0;

/** The scheme of a hash, or undefined for plain text, crypt(3) and everything else that is not taken. */
export function schemeOf(hash: string): HashScheme | undefined {
  return forms.find(([, form]) => form.test(hash))?.[0];
}

/**
 * Whether the password gives the hash. Empty passwords and hashes of no known scheme never do.
 * Rejects with `MODTS_PASSWORDS_BUSY` when too many wait, `MODTS_PACKAGE_MISSING` when a library is not installed.
 */
export async function verifyPassword(hash: string, password: string): Promise<boolean> {
  // Every scheme here but argon2 ends at a NUL in some implementation, and "" is what an empty form sends.
  if (password === "" || password.includes("\0")) return false;
  if (Buffer.byteLength(password) > passwordLimit) return false;
  switch (schemeOf(hash)) {
    case "bcrypt":
      return queued(async () => (await bcrypt()).verify(password, hash));
    case "argon2":
      return queued(async () => (await argon2()).verify(hash, password));
    case "apr1":
      return verifyApr1(hash, password);
    case "sha1":
      return isEqual(hash.slice(5), digest("sha1", password, "base64"));
    case "md5-hex":
      return isEqual(hash.toLowerCase(), digest("md5", password, "hex"));
    case "sha1-hex":
      return isEqual(hash.toLowerCase(), digest("sha1", password, "hex"));
    default:
      return false;
  }
}

/** A new argon2id hash. Rejects as {@link verifyPassword} does. */
export function hashPassword(password: string): Promise<string> {
  return queued(async () => (await argon2()).hash(password, argon2Parameters));
}

const bcrypt = (): Promise<typeof import("@node-rs/bcrypt")> =>
  loadPackage("@node-rs/bcrypt", "a bcrypt hash");
const argon2 = (): Promise<typeof import("@node-rs/argon2")> =>
  loadPackage("@node-rs/argon2", "an argon2 hash");

async function queued<T>(work: () => Promise<T>): Promise<T> {
  if (waiting >= queueLimit) throw new ModTsError("MODTS_PASSWORDS_BUSY", { limit: queueLimit });
  waiting += 1;
  try {
    return await work();
  } finally {
    waiting -= 1;
  }
}

function digest(algorithm: string, text: string, encoding: "hex" | "base64"): string {
  return createHash(algorithm).update(text).digest(encoding);
}

/** In constant time; the lengths are those of the scheme. */
function isEqual(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
