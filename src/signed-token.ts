/**
 * Text that we signed: what a browser keeps for us and must not be able to change.
 * @module
 */
import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto";

/** Signs and reads tokens of one purpose. Those of another purpose, or another key, are not taken. */
export class TokenSigner {
  readonly #key: Buffer;

  /** @param master the secret of the installation; `purpose` tells apart what is signed with it */
  constructor(master: string, purpose: string) {
    this.#key = Buffer.from(hkdfSync("sha256", master, "mod_ts", purpose, 32));
  }

  /** `payload` as JSON in base64url, a dot, its signature: no character that a cookie or a form would mind. */
  sign(payload: unknown): string {
    const text = Buffer.from(JSON.stringify(payload)).toString("base64url");
    return `${text}.${this.mac(text)}`;
  }

  /** The payload, when the signature is ours; else undefined. Whether it is still in force is for the caller to see. */
  read(token: string): unknown {
    const [text = "", mac = "", ...more] = token.split(".");
    if (more.length > 0 || !isEqual(mac, this.mac(text))) return undefined;
    try {
      return JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
    } catch {
      return undefined;
    }
  }

  /** HMAC-SHA256 of a text, in base64url. */
  mac(text: string): string {
    return createHmac("sha256", this.#key).update(text).digest("base64url");
  }
}

/** Compares in constant time but for the length. */
export function isEqual(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
