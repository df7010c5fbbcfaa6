/**
 * May this peer ask for a decision, and does it ask about what it will serve?
 *
 * Attacks that this page answers:
 * 1. Somebody reaches the port without Apache, to guess passwords or to learn what a policy says. The secret, if there is
 *    one, is compared in constant time; without one the supervisor opens loopback alone.
 * 2. A sub-request (server-side include, directory index) brings the variables of the section that its main request lies
 *    in: Apache sets them for the main request only. The policy of one place would decide on another. The macros note the
 *    file that the section was chosen for; when Apache asks about a different one, the answer is no.
 * 3. A parameter that comes twice: which one counts would be a matter of luck.
 * @module
 */
import { ModTsError } from "../errors.ts";
import { createSecretCheck } from "../secret.ts";
import type { Pairs } from "./params.ts";

/** Gives the parameters by name, or throws for a request that must not be decided. */
export type TrustCheck = (pairs: Pairs) => ReadonlyMap<string, string>;

/** @param secret shared with Apache; empty: the loopback address alone decides */
export function createTrustCheck(secret: string): TrustCheck {
  const checkSecret = createSecretCheck(secret);
  return (pairs) => {
    const params = new Map(pairs);
    if (params.size !== pairs.length)
      throw refuse("MODTS_CONTEXT_INVALID", "a parameter comes twice");
    checkSecret(params.get("MOD_TS_SECRET"));
    if (params.get("MOD_TS_VERSION") !== "1") {
      throw refuse("MODTS_CONTEXT_MISSING", "there is no MOD_TS_VERSION");
    }
    if (params.get("MOD_TS_FILENAME") !== params.get("SCRIPT_FILENAME")) {
      throw refuse("MODTS_CONTEXT_INVALID", "a sub-request from another section");
    }
    return params;
  };
}

function refuse(
  code: "MODTS_CONTEXT_MISSING" | "MODTS_CONTEXT_INVALID",
  reason: string,
): ModTsError {
  return new ModTsError(code, { reason });
}
