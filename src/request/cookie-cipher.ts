/**
 * Cookies that only we can read: AES-256-GCM.
 * @module
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";

const algorithm = "aes-256-gcm";
/** Bytes; NIST SP 800-38D, section 8.2.2: random ones are good for 2^32 messages of one key. */
const nonceLength = 12;
const tagLength = 16;

/** Encrypts and reads the values of one cookie. Its name is associated data: a value that is moved to another cookie is worth nothing there. */
export class CookieCipher {
  readonly #key: Buffer;
  readonly #name: Buffer;

  constructor(master: string, name: string) {
    this.#key = Buffer.from(hkdfSync("sha256", master, "mod_ts", "encrypted cookie", 32));
    this.#name = Buffer.from(name);
  }

  /** Nonce, encrypted JSON and tag, in base64url. */
  write(payload: unknown): string {
    const nonce = randomBytes(nonceLength);
    const cipher = createCipheriv(algorithm, this.#key, nonce).setAAD(this.#name);
    const parts = [nonce, cipher.update(JSON.stringify(payload)), cipher.final()];
    return Buffer.concat([...parts, cipher.getAuthTag()]).toString("base64url");
  }

  /** The payload, when it is ours, for this name, and unchanged; else undefined. */
  read(token: string): unknown {
    const bytes = Buffer.from(token, "base64url");
    if (bytes.length < nonceLength + tagLength || bytes.toString("base64url") !== token) {
      return undefined;
    }
    const options = { authTagLength: tagLength };
    const nonce = bytes.subarray(0, nonceLength);
    const decipher = createDecipheriv(algorithm, this.#key, nonce, options).setAAD(this.#name);
    decipher.setAuthTag(bytes.subarray(-tagLength));
    try {
      const text = decipher.update(bytes.subarray(nonceLength, -tagLength));
      return JSON.parse(Buffer.concat([text, decipher.final()]).toString("utf8"));
    } catch {
      return undefined;
    }
  }
}
