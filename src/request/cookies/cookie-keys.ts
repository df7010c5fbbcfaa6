/** Secrets of signed and encrypted cookies, and their rotation. */
import { badArgument } from "../../base/errors.ts";
import { type TokenCodec, TokenSealer, TokenSigner } from "../../base/crypto.ts";

/** 32 base64 or hexadecimal digits cannot be guessed. */
const leastLength = 32;
/** More would make every forged cookie expensive. */
const mostKeys = 8;

/**
 * Keys for {@link signedCookie} and {@link encryptedCookie}. To rotate: add a new key in front, and
 * remove the last one when its cookies have expired.
 */
export class CookieKeys {
  readonly #keys: readonly string[];

  /**
   * @param keys the first one writes, all read; at least 32 characters. Throws `MODTS_BAD_ARGUMENT`
   */
  constructor(keys: readonly string[]) {
    if (!Array.isArray(keys) || keys.length < 1 || keys.length > mostKeys || !keys.every(isGood)) {
      throw badArgument(
        "CookieKeys",
        `expected a list of 1 to ${mostKeys} keys with at least ${leastLength} characters each`,
      );
    }
    this.#keys = [...keys];
  }

  /** Signs with a key for this name: a value moved to another cookie is invalid there. */
  signing(name: string): TokenCodec {
    return codec(this.#keys, (key) => new TokenSigner(key, `signed cookie ${name}`));
  }

  encrypting(name: string): TokenCodec {
    return codec(this.#keys, (key) => new TokenSealer(key, `encrypted cookie ${name}`));
  }
}

function isGood(key: unknown): boolean {
  return typeof key === "string" && key.length >= leastLength;
}

function codec(keys: readonly string[], make: (key: string) => TokenCodec): TokenCodec {
  const all = keys.map(make);
  return {
    write: (payload) => (all[0] as TokenCodec).write(payload),
    read(token) {
      for (const one of all) {
        const payload = one.read(token);
        if (payload !== undefined) return payload;
      }
      return undefined;
    },
  };
}
