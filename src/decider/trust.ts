/**
 * May this peer ask what Apache does with a request?
 *
 * Attacks:
 * 1. A client sends our headers. Apache removes them first and sets its own. All other variables are
 *    the client's headers under `HTTP_`, or Apache's.
 * 2. A script of the group of httpd opens the socket, to ask about a made-up request, or to learn the
 *    decisions of a section. The context is sealed with the secret.
 */
import { createSealCheck } from "../base/crypto.ts";
import {
  fieldCount,
  fieldIndex,
  requireContext,
  type SplitHeaders,
  splitHeaders,
} from "../engine/apache-context.ts";
import { headersFrom, type Params } from "../request/headers.ts";

/** What Apache asks about. */
export interface Question {
  readonly headers: SplitHeaders;
  /** The header of an earlier decision about this request; empty: none. */
  readonly decision: string;
  /** Part of a page (mod_include), for example; Apache takes only path and headers of an answer. */
  readonly isSubRequest: boolean;
}

/** Returns what is asked, or throws for a question that must not be answered. */
export type TrustCheck = (params: Params) => Question;

/** @param secret shared with Apache; empty: the permissions of the Unix socket decide */
export function createTrustCheck(secret: string): TrustCheck {
  const checkSeal = createSealCheck(secret, "decider");
  return (params) => {
    const headers = splitHeaders(headersFrom(params));
    requireContext(headers, checkSeal, fieldCount + 1);
    const { fields } = headers;
    const decision = Buffer.from(fields[fieldCount] ?? "", "base64").toString("latin1");
    return { headers, decision, isSubRequest: fields[fieldIndex.isSubRequest] === "true" };
  };
}
