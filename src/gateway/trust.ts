/**
 * Check of whether a peer may speak for a client.
 *
 * Attacks:
 * 1. A client sends our headers. Apache removes them first (`unset early`) and sets its own.
 * 2. A client names our headers in `Connection`, and mod_proxy drops them as hop-by-hop. They are
 *    one header, so nothing is dropped in part. Apache also removes our names from `Connection` and
 *    sends its value: a request that still has one is rejected.
 * 3. A peer reaches the socket without Apache: another backend of the host, a script in the httpd
 *    group, a mistaken `ProxyPass`. A context is required, and with a secret a valid seal.
 * 4. Somebody reads or changes a context: a `RequestHeader` line in .htaccess names another user.
 *    The seal needs the secret, is valid for this context only, and for minutes. Without a secret
 *    anybody could write one, so Apache sends none.
 */
import { invalidContext, ModTsError } from "../base/errors.ts";
import { createSealCheck } from "../base/crypto.ts";
import {
  decodeBase64,
  fieldCount,
  fieldIndex,
  type SplitHeaders,
  requireContext,
  targetOf,
} from "../engine/apache-context.ts";

/** Throws for a request that is not admitted. */
export type TrustCheck = (headers: SplitHeaders) => void;

/** @param secret shared with Apache; empty: the permissions of the Unix socket decide */
export function createTrustCheck(secret: string): TrustCheck {
  const checkSeal = secret === "" ? undefined : createSealCheck(secret, "gateway");
  // The same for nearly all requests: "keep-alive" or nothing.
  let usual = "";
  return (headers) => {
    requireContext(headers, checkSeal, fieldCount);
    const { fields } = headers;
    const connection = fields[fieldIndex.connection] ?? "";
    if (connection !== usual) refuseStrippedHeaders(connection);
    usual = connection;
    refuseBadTarget(fields[fieldIndex.requestLine] ?? "");
  };
}

function refuseStrippedHeaders(field: string): void {
  if (/mod-ts-/i.test(decodeBase64(field))) {
    throw invalidContext("the client named our headers in Connection");
  }
}

/** Faster than a buffer for each request. */
function decode(field: string): string {
  try {
    return atob(field);
  } catch {
    throw invalidContext("a field is not base64");
  }
}

/** Apache itself responds 400: a peer that sends them is not a known Apache. */
function refuseBadTarget(field: string): void {
  const line = decode(field);
  if (!line.includes("%")) return;
  const [path = ""] = targetOf(line).split("?");
  if (/%(?![0-9a-f]{2})/i.test(path)) {
    throw new ModTsError("MODTS_BAD_URL", "a % is not followed by two hex digits");
  }
}
