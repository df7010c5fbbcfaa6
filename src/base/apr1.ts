/** `$apr1$salt$hash`, the default hash of `htpasswd`: APR-util's `apr_md5_encode`. */
import { createHash } from "node:crypto";
import { isEqual } from "./crypto.ts";

const magic = "$apr1$";
const alphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const form = /^\$apr1\$([^$]{1,8})\$([./0-9A-Za-z]{22})$/;

/** Bytes of the digest behind each group of four characters; the last byte, 11, is separate. */
const groups = [
  [0, 6, 12],
  [1, 7, 13],
  [2, 8, 14],
  [3, 9, 15],
  [4, 10, 5],
] as const;

/** False for any other hash. Blocks the thread for about a millisecond. */
export function verifyApr1(hash: string, password: string): boolean {
  const salt = form.exec(hash)?.[1];
  if (salt === undefined) return false;
  return isEqual(hash, hashApr1(password, salt));
}

/** @param salt at most eight characters */
export function hashApr1(password: string, salt: string): string {
  const bytes = Buffer.from(password);
  let digest = md5(...firstRound(bytes, salt));
  for (let round = 0; round < 1000; round += 1) {
    digest = md5(
      round & 1 ? bytes : digest,
      round % 3 ? salt : "",
      round % 7 ? bytes : "",
      round & 1 ? digest : bytes,
    );
  }
  return `${magic}${salt}$${encode(digest)}`;
}

function firstRound(password: Buffer, salt: string): (Buffer | string)[] {
  const alternate = md5(password, salt, password);
  const parts: (Buffer | string)[] = [password, magic, salt];
  for (let left = password.length; left > 0; left -= 16) {
    parts.push(alternate.subarray(0, Math.min(16, left)));
  }
  for (let bits = password.length; bits > 0; bits >>= 1) {
    parts.push(bits & 1 ? "\0" : password.subarray(0, 1));
  }
  return parts;
}

function md5(...parts: readonly (Buffer | string)[]): Buffer {
  const hash = createHash("md5");
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function encode(digest: Buffer): string {
  const text = groups.map(([a, b, c]) =>
    sixBits((digest.readUInt8(a) << 16) | (digest.readUInt8(b) << 8) | digest.readUInt8(c), 4),
  );
  return text.join("") + sixBits(digest.readUInt8(11), 2);
}

function sixBits(value: number, count: number): string {
  let text = "";
  for (let rest = value; text.length < count; rest >>= 6) text += alphabet[rest & 63];
  return text;
}
