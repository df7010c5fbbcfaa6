/**
 * Password hashes of every scheme that stores may contain.
 *
 * Attack: a flood of guesses fills Node's thread pool, in which bcrypt and argon2 take tens of
 * milliseconds, and every request waits. So only a bounded number is queued. Attack: four attempts with
 * the names of users whose hashes take hours hold all threads. So hashes over a limit count as none.
 */
import { createHash } from "node:crypto";
import { ConcurrencyLimiter } from "./concurrency-limiter.ts";
import { isEqual } from "./crypto.ts";
import { verifyApr1 } from "./apr1.ts";
import { loadPackage } from "./optional-package.ts";

/** `sha1`: `{SHA}` of htpasswd; `md5-hex` and `sha1-hex`: unsalted hashes of old applications. */
export type HashScheme = "bcrypt" | "argon2" | "apr1" | "sha1" | "md5-hex" | "sha1-hex";

const forms: readonly (readonly [HashScheme, RegExp])[] = [
  // Cost 4 to 16; a check of cost 16 takes about 3 seconds.
  ["bcrypt", /^\$2[abxy]\$(?:0[4-9]|1[0-6])\$[./0-9A-Za-z]{53}$/],
  ["argon2", /^\$argon2(?:id|i|d)\$v=(?:16|19)\$[^$]+\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{16,}$/],
  ["apr1", /^\$apr1\$[^$]{1,8}\$[./0-9A-Za-z]{22}$/],
  ["sha1", /^\{SHA\}[A-Za-z0-9+/]{27}=$/],
  ["md5-hex", /^[0-9a-f]{32}$/i],
  ["sha1-hex", /^[0-9a-f]{40}$/i],
];

/** OWASP Password Storage Cheat Sheet: argon2id with 19 MiB. Memory in KiB. */
const argon2Parameters = { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** Matches no password; for stores without a hash of their own. */
export const dummyHash =
  "$argon2id$v=19$m=19456,t=2,p=1$bW9kX3RzIHN0cmFuZ2Vy$bm9ib2R5J3MgcGFzc3dvcmQgZ2l2ZXMgdGhpcyBoYXM";

/** In KiB: the first recommendation of RFC 9106, 2 GiB. */
const maxArgon2Memory = 2 ** 21;
/** Of KiB times passes: that memory twice, which takes seconds. */
const maxArgon2Work = 2 ** 22;

/** Longer passwords could keep a processor busy; no scheme uses more. */
const maxPasswordBytes = 512;
/** Verifications in the thread pool, which runs four at a time. */
const limiter = new ConcurrencyLimiter({ limit: 64, queue: 0, busy: "MODTS_PASSWORDS_BUSY" });

/** Undefined for plain text, crypt(3), other unsupported forms, and hashes that would take too long. */
export function schemeOf(hash: string): HashScheme | undefined {
  const scheme = forms.find(([, form]) => form.test(hash))?.[0];
  return scheme === "argon2" && !isAffordable(hash) ? undefined : scheme;
}

/** Scheme and cost, which decide how long a check takes; empty for hashes without a scheme. */
export function kindOf(hash: string): string {
  const scheme = schemeOf(hash);
  // $2y$10$ and $argon2id$v=19$m=19456,t=2,p=1$
  if (scheme === "bcrypt") return `bcrypt ${hash.slice(4, 6)}`;
  if (scheme === "argon2") return hash.split("$", 4).join("$");
  return scheme ?? "";
}

function isAffordable(hash: string): boolean {
  const [, ...costs] = /\$m=(\d{1,8}),t=(\d{1,8}),p=(\d{1,3})\$/.exec(hash) ?? [];
  const [memory = 0, passes = 0, lanes = 0] = costs.map(Number);
  if (memory > maxArgon2Memory || memory * passes > maxArgon2Work) return false;
  // RFC 9106, section 3.1: 8 KiB for each lane.
  return passes > 0 && lanes > 0 && memory >= 8 * lanes;
}

/**
 * False for empty passwords and unknown schemes. Rejects with `MODTS_PASSWORDS_BUSY` if too many
 * are queued, `MODTS_PACKAGE_MISSING` if a library is not installed.
 */
export async function verifyPassword(hash: string, password: string): Promise<boolean> {
  // Most schemes end at a NUL in some implementation; an empty form sends "".
  if (password === "" || password.includes("\0")) return false;
  if (Buffer.byteLength(password) > maxPasswordBytes) return false;
  switch (schemeOf(hash)) {
    case "bcrypt":
      return limiter.run(async () => (await bcrypt()).verify(password, hash));
    case "argon2":
      return limiter.run(async () => (await argon2()).verify(hash, password));
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
  return limiter.run(async () => (await argon2()).hash(password, argon2Parameters));
}

const bcrypt = (): Promise<typeof import("@node-rs/bcrypt")> =>
  loadPackage("@node-rs/bcrypt", "a bcrypt hash");
const argon2 = (): Promise<typeof import("@node-rs/argon2")> =>
  loadPackage("@node-rs/argon2", "an argon2 hash");

function digest(algorithm: string, text: string, encoding: "hex" | "base64"): string {
  return createHash(algorithm).update(text).digest(encoding);
}
