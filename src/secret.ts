/**
 * The shared secret of Apache and the sidecar.
 * @module
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { ModTsError } from "./errors.ts";

/** Throws `MODTS_SECRET_WRONG` for anything but the secret; compares in constant time but for the length, which is no secret. */
export type SecretCheck = (given: string | undefined) => void;

/** @param secret empty: there is none, and every peer passes */
export function createSecretCheck(secret: string): SecretCheck {
  if (secret === "") return () => {};
  const expected = Buffer.from(secret);
  return (given = "") => {
    const bytes = Buffer.from(given);
    if (bytes.length === expected.length && timingSafeEqual(bytes, expected)) return;
    throw new ModTsError("MODTS_SECRET_WRONG");
  };
}

/** 32 bytes that nobody can know who does not know the secret, and from which the secret does not follow. */
export function deriveKey(secret: string, purpose: string): Buffer {
  return createHmac("sha256", secret).update(`mod_ts ${purpose}`).digest();
}

/** The word that the name of the client's header is made of in a call back: `MOD_TS_ORIGIN` of `apache-conf/mod_ts.conf`. */
export function originGuard(secret: string): string {
  return deriveKey(secret, "origin guard").toString("hex").slice(0, 32);
}
