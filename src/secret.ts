/**
 * The shared secret of Apache and the sidecar.
 * @module
 */
import { timingSafeEqual } from "node:crypto";
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
