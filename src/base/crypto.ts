/**
 * Key derivation, constant-time comparison, signed and sealed tokens, the shared secret,
 * and the MACs that Apache writes with it.
 *
 * Attack: a token is moved to a place where it means something else. So each key serves one
 * purpose.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hash,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from "node:crypto";
import { attempt } from "./attempt.ts";
import { ModTsError } from "./errors.ts";

/** Compares in constant time, except for the length. */
export function isEqual(a: string | Buffer, b: string | Buffer): boolean {
  if (typeof a === "string" && typeof b === "string") return isEqualText(a, b);
  const [left, right] = [toBytes(a), toBytes(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** Each request compares a MAC: two buffers for it would cost as much as the MAC. */
function isEqualText(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let at = 0; at < a.length; at += 1) difference |= a.charCodeAt(at) ^ b.charCodeAt(at);
  return difference === 0;
}

/** A 32-byte key for one purpose, which does not reveal the secret. */
export function deriveKey(secret: string, purpose: string): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, "mod_ts", purpose, 32));
}

/** Tokens that a client stores and cannot change. */
export interface TokenCodec {
  /** The payload as JSON, in characters that are valid in cookies and forms. */
  write(payload: unknown): string;
  /** The payload of a token of the same key and purpose, else undefined. It may be out of date. */
  read(token: string): unknown;
}

/** Signed, tamper-proof tokens: readable JSON with an HMAC-SHA256. */
export class TokenSigner implements TokenCodec {
  readonly #key: Buffer;

  constructor(secret: string, purpose: string) {
    this.#key = deriveKey(secret, purpose);
  }

  write(payload: unknown): string {
    const text = Buffer.from(JSON.stringify(payload)).toString("base64url");
    return `${text}.${this.mac(text)}`;
  }

  read(token: string): unknown {
    const [text = "", mac = "", ...more] = token.split(".");
    if (more.length > 0 || !isEqual(mac, this.mac(text))) return undefined;
    return parse(Buffer.from(text, "base64url"));
  }

  mac(text: string): string {
    return createHmac("sha256", this.#key).update(text).digest("base64url");
  }
}

const algorithm = "aes-256-gcm";
/** NIST SP 800-38D, section 8.2.2: random 12-byte nonces are safe for 2^32 messages per key. */
const nonceBytes = 12;
const tagBytes = 16;

/** Sealed, secret and tamper-proof tokens: JSON encrypted with AES-256-GCM. */
export class TokenSealer implements TokenCodec {
  readonly #key: Buffer;

  constructor(secret: string, purpose: string) {
    this.#key = deriveKey(secret, purpose);
  }

  write(payload: unknown): string {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv(algorithm, this.#key, nonce);
    const parts = [nonce, cipher.update(JSON.stringify(payload)), cipher.final()];
    return Buffer.concat([...parts, cipher.getAuthTag()]).toString("base64url");
  }

  read(token: string): unknown {
    const bytes = Buffer.from(token, "base64url");
    // Several texts decode to the same bytes; only the canonical one is accepted.
    if (bytes.length < nonceBytes + tagBytes || bytes.toString("base64url") !== token) return;
    const nonce = bytes.subarray(0, nonceBytes);
    const options = { authTagLength: tagBytes };
    const decipher = createDecipheriv(algorithm, this.#key, nonce, options);
    decipher.setAuthTag(bytes.subarray(-tagBytes));
    return attempt(() => {
      const text = decipher.update(bytes.subarray(nonceBytes, -tagBytes));
      return parse(Buffer.concat([text, decipher.final()]));
    }, undefined);
  }
}

/** Throws `MODTS_SECRET_WRONG` for a wrong secret. */
type SecretCheck = (given: string | undefined) => void;

/** @param secret if empty, every peer passes */
export function createSecretCheck(secret: string): SecretCheck {
  if (secret === "") return () => {};
  const expected = Buffer.from(secret);
  return (given = "") => {
    if (!isEqual(given, expected)) throw new ModTsError("MODTS_SECRET_WRONG");
  };
}

/** `MOD_TS_ORIGIN` of `apache-conf/mod_ts.conf`: part of a header name of callbacks. */
export function originGuard(secret: string): string {
  return deriveKey(secret, "origin guard").toString("hex").slice(0, 32);
}

function toBytes(value: string | Buffer): Buffer {
  return typeof value === "string" ? Buffer.from(value) : value;
}

function parse(bytes: Buffer): unknown {
  return attempt<unknown, undefined>(() => JSON.parse(bytes.toString("utf8")), undefined);
}

/** The use is part of the key: a MAC of one is worthless in another. */
type SealUse = "gateway" | "authorizer" | "answer" | "decider" | "decision" | "callback";

/**
 * Throws `MODTS_SECRET_WRONG` for a MAC that Apache has not written over this text; returns how the
 * bytes of Apache were read.
 */
type SealCheck = (text: string, mac: string | undefined) => "utf8" | "latin1";

/** @param secret shared with Apache; empty: none is configured, and anyone can write the MAC */
export function createSealCheck(secret: string, use: SealUse): SealCheck {
  const write = createSeal(secret, use);
  return (text, mac = "") => {
    if (isEqual(mac, write(text))) return "utf8";
    // Bytes that are not UTF-8 were read as one character each.
    const isOther = /[^\x00-\x7f]/.test(text);
    if (isOther && isEqual(mac, write(Buffer.from(text, "latin1")))) return "latin1";
    throw new ModTsError("MODTS_SECRET_WRONG");
  };
}

/**
 * Writes the MAC as `apache-conf/mod_ts.conf` does: nested SHA-1, as its expressions have no HMAC.
 *
 * @example
 * createSeal("0123456789abcdef", "gateway")("2;t=1790000000000000;http;80"); // 40 hexadecimal digits
 */
export function createSeal(secret: string, use: SealUse): (text: string | Buffer) => string {
  const key = `${use} ${secret || "-"} `;
  const prefix = Buffer.from(key);
  // Each request has several: an object of Node's for each would cost twice as much.
  const digest = (text: string | Buffer): string =>
    hash("sha1", typeof text === "string" ? key + text : Buffer.concat([prefix, text]));
  return (text) => digest(digest(text));
}

/** Milliseconds for which a sealed text is valid: a request may wait for a worker. */
const maxAgeMs = 600_000;
/** Milliseconds that Apache's clock may be ahead. */
const maxSkewMs = 60_000;

/** Milliseconds since 1970 by a time of Apache: that of the request, `t=…`, and since then, `D=…`. */
function readTime(time: string): number {
  if (!/^t=\d{16}(?: D=\d+)?$/.test(time)) return Number.NaN;
  return (Number(time.slice(2, 18)) + Number(time.slice(21))) / 1000;
}

/**
 * Whether a time of Apache in microseconds is recent: `t=1790000000000000`, which `mod_ts.conf` takes from
 * mod_headers, as expressions know only local time without its zone.
 */
export function isRecent(time: string): boolean {
  const age = Date.now() - readTime(time);
  return age <= maxAgeMs && age >= -maxSkewMs;
}
