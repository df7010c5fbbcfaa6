/**
 * May this peer speak for a client?
 *
 * Attacks that this page answers:
 * 1. A client sends our headers itself. Apache removes them before anything else (`unset early`), sets its own.
 * 2. A client names our headers in `Connection`, and mod_proxy drops them as hop-by-hop after Apache has set them.
 *    Everything is in one header, so nothing can be dropped in part; Apache also strips our names from `Connection`,
 *    and sends us what it saw there: if a name of ours is still in it, the request is refused.
 * 3. Somebody reaches the socket without Apache: another backend of the same host, a script in the httpd group, a
 *    mistaken `ProxyPass`. No context, no service; over TCP, or when the administrator chose so, no secret, no service.
 * @module
 */
import { ModTsError } from "../errors.ts";
import { createSecretCheck } from "../secret.ts";
import { decodeBase64, fieldCount, fieldIndex, type SplitHeaders, targetOf } from "./context.ts";

/** A check made once from the configured secret; throws for a request that may not pass. */
export type TrustCheck = (headers: SplitHeaders) => void;

/**
 * @param secret shared with Apache; empty means that the permissions of the Unix socket alone decide
 */
export function createTrustCheck(secret: string): TrustCheck {
  const checkSecret = createSecretCheck(secret);
  return ({ fields }) => {
    if (fields.length === 0) throw refuse("MODTS_CONTEXT_MISSING", "there is no Mod-Ts-Context");
    if (fields[0] !== "1") throw refuse("MODTS_CONTEXT_INVALID", `version ${fields[0]}`);
    if (fields.length !== fieldCount) {
      throw refuse("MODTS_CONTEXT_INVALID", `${fields.length} fields instead of ${fieldCount}`);
    }
    checkSecret(fields[fieldIndex.secret]);
    refuseStrippedHeaders(fields[fieldIndex.connection] ?? "");
    refuseBadTarget(fields[fieldIndex.requestLine] ?? "");
  };
}

function refuseStrippedHeaders(field: string): void {
  if (field !== "" && /mod-ts-/i.test(decodeBase64(field))) {
    throw refuse("MODTS_CONTEXT_INVALID", "the client named our headers in Connection");
  }
}

/** Apache answers 400 for these itself; a peer that sends them is not Apache, or an Apache that we do not know. */
function refuseBadTarget(field: string): void {
  const bytes = Buffer.from(field, "base64");
  if (!bytes.includes("%")) return;
  const [path = ""] = targetOf(bytes.toString("latin1")).split("?");
  if (/%(?![0-9a-f]{2})/i.test(path)) {
    throw new ModTsError("MODTS_BAD_URL", { reason: "a % is not followed by two hex digits" });
  }
}

function refuse(
  code: "MODTS_CONTEXT_MISSING" | "MODTS_CONTEXT_INVALID",
  reason: string,
): ModTsError {
  return new ModTsError(code, { reason });
}
