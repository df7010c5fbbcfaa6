/**
 * May this peer ask what Apache does with a request?
 *
 * Attacks:
 * 1. A client sends our headers. Apache removes them first and sets its own. All other variables are
 *    the client's headers under `HTTP_`, or Apache's.
 * 2. A script of the group of httpd opens the socket, and asks with a request of its own making, or
 *    learns what the handlers of a section say. The context is sealed with the secret.
 */
import { createSealCheck, isRecent } from "../base/crypto.ts";
import { ModTsError } from "../base/errors.ts";
import {
  fieldCount,
  fieldIndex,
  type SplitHeaders,
  splitHeaders,
} from "../engine/apache-context.ts";
import type { Params } from "./netstring.ts";

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
    const headers = splitHeaders(readHeaders(params));
    const { fields, sealed } = headers;
    if (fields.length === 0) {
      throw new ModTsError("MODTS_CONTEXT_MISSING", "there is no Mod-Ts-Context");
    }
    if (fields[fieldIndex.version] !== "2") throw invalid(`version ${fields[fieldIndex.version]}`);
    if (fields.length !== fieldCount + 1) {
      throw invalid(`${fields.length} fields instead of ${fieldCount + 1}`);
    }
    checkSeal(sealed, fields[fieldIndex.seal]);
    const time = fields[fieldIndex.time] ?? "";
    if (!isRecent(time)) throw invalid(`the time ${time} of Apache is not about now`);
    const decision = Buffer.from(fields[fieldCount] ?? "", "base64").toString("latin1");
    return { headers, decision, isSubRequest: fields[fieldIndex.isSubRequest] === "true" };
  };
}

/**
 * `HTTP_ACCEPT_LANGUAGE` was `Accept-Language`: Apache drops names with other characters than
 * letters, digits and `-`. Names and values alternate.
 */
function readHeaders(params: Params): string[] {
  const headers: string[] = [];
  for (const [name, value] of params) {
    if (name.startsWith("HTTP_")) headers.push(headerName(name.slice("HTTP_".length)), value);
  }
  const type = params.get("CONTENT_TYPE");
  if (type !== undefined) headers.push("Content-Type", type);
  return headers;
}

/** Clients send few names; one that sends many new ones must not fill the memory. */
const headerNames = new Map<string, string>();

function headerName(variable: string): string {
  const known = headerNames.get(variable);
  if (known !== undefined) return known;
  const words = variable.toLowerCase().split("_");
  const name = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("-");
  if (headerNames.size < 200) headerNames.set(variable, name);
  return name;
}

function invalid(reason: string): ModTsError {
  return new ModTsError("MODTS_CONTEXT_INVALID", reason);
}
