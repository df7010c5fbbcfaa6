/**
 * The secrets that cookies are signed or encrypted with, and their rotation.
 * @module
 */
import { ModTsError } from "../errors.ts";
import { TokenSigner } from "../signed-token.ts";
import { CookieCipher } from "./cookie-cipher.ts";

/** Characters that a key must have at least: 32 of base64 or hexadecimal digits cannot be guessed. */
const leastLength = 32;
/** More would make every forged cookie expensive. */
const mostKeys = 8;

/** Writes and reads the value of one cookie. */
export interface CookieCodec {
  write(payload: unknown): string;
  /** The payload, when we wrote it with one of the keys; else undefined. */
  read(token: string): unknown;
}

/**
 * Keys for {@link signedCookie} and {@link encryptedCookie}. To rotate: put a new key in front, drop the last one when the cookies that
 * it wrote have expired.
 */
export class CookieKeys {
  readonly #keys: readonly string[];

  /** @param keys the first one writes, all of them read; at least 32 characters each. Throws `MODTS_BAD_ARGUMENT` */
  constructor(keys: readonly string[]) {
    if (!Array.isArray(keys) || keys.length < 1 || keys.length > mostKeys || !keys.every(isGood)) {
      const reason = `it takes a list of 1 to ${mostKeys} keys with at least ${leastLength} characters each`;
      throw new ModTsError("MODTS_BAD_ARGUMENT", { name: "CookieKeys", reason });
    }
    this.#keys = [...keys];
  }

  /** HMAC-SHA256 with a key derived for the name: a value that is moved to another cookie is worth nothing there. */
  signing(name: string): CookieCodec {
    return codec(this.#keys, (key) => {
      const signer = new TokenSigner(key, `signed cookie ${name}`);
      return {
        write: (payload) => signer.sign(payload),
        read: (token) => signer.read(token),
      };
    });
  }

  /** AES-256-GCM with the name as associated data. */
  encrypting(name: string): CookieCodec {
    return codec(this.#keys, (key) => new CookieCipher(key, name));
  }
}

function isGood(key: unknown): boolean {
  return typeof key === "string" && key.length >= leastLength;
}

function codec(keys: readonly string[], make: (key: string) => CookieCodec): CookieCodec {
  const all = keys.map(make);
  return {
    write: (payload) => (all[0] as CookieCodec).write(payload),
    read(token) {
      for (const one of all) {
        const payload = one.read(token);
        if (payload !== undefined) return payload;
      }
      return undefined;
    },
  };
}
