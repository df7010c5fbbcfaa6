/**
 * What the header block of a script means for the answer (RFC 3875, sections 6.2 and 6.3).
 * @module
 */
import { isHttpStatus } from "../http-status.ts";
import { isModTsError } from "../errors.ts";
import { OK, type Outcome } from "../outcome.ts";
import { internals, type ApacheRequest } from "../request/request.ts";
import { isConnectionHeader } from "../request/response-headers.ts";
import { BadHead, type ScriptHead } from "./header-parser.ts";

/** What follows from the head. */
export interface ScriptAnswer {
  /** What the handler is to give when the script has ended. */
  readonly outcome: Outcome;
  /** Whether the body that the script writes is the body of the answer. */
  readonly hasBody: boolean;
  /** Path that is to answer in its place. */
  readonly redirect?: string;
}

/** Puts status and headers on the request. Throws {@link BadHead}. */
export function adoptHead(req: ApacheRequest, { fields }: ScriptHead): ScriptAnswer {
  const head = sortFields(fields);
  try {
    adoptFields(req, head.others);
    if (head.type !== undefined) req.contentType = head.type;
    // httpd invents none either: the client knows the file no better than we do.
    else req[internals].response.withoutDefaultType();
    if (head.status !== undefined) adoptStatus(req, head.status);
  } catch (error) {
    throw isModTsError(error) ? new BadHead(error.message) : error;
  }
  if (head.location !== undefined) return redirect(req, head.location, head.status);
  const outcome = meetConditions(req);
  return { outcome, hasBody: outcome === OK };
}

interface SortedFields {
  readonly status: string | undefined;
  readonly type: string | undefined;
  readonly location: string | undefined;
  readonly others: readonly (readonly [string, string])[];
}

function sortFields(fields: ScriptHead["fields"]): SortedFields {
  const last = (wanted: string): string | undefined =>
    fields.findLast(([name]) => name.toLowerCase() === wanted)?.[1];
  const head = {
    status: last("status"),
    type: last("content-type"),
    location: last("location") || undefined,
    others: fields.filter(([name]) => !own.has(name.toLowerCase())),
  };
  // RFC 3875, section 6.2: each kind of response has one of them, and what has none is most often no header at all.
  if (head.status === undefined && head.type === undefined && head.location === undefined) {
    throw new BadHead("it holds neither Content-Type nor Location nor Status");
  }
  return head;
}

const own = new Set(["status", "content-type", "location"]);

function adoptFields(req: ApacheRequest, fields: SortedFields["others"]): void {
  for (const [name, value] of fields) {
    // Framing is the connection's business. The length is an announcement, which a body of another length does not survive.
    if (isConnectionHeader(name) && name.toLowerCase() !== "content-length") continue;
    // As in httpd, a cookie reaches the client whatever becomes of the answer.
    const table = name.toLowerCase() === "set-cookie" ? req.errHeadersOut : req.headersOut;
    if (single.has(name.toLowerCase())) table.set(name, value);
    else table.add(name, value);
  }
}

/** Two of one of these mean two things to two readers. */
const single = new Set(["content-length", "last-modified", "etag", "content-range"]);

function adoptStatus(req: ApacheRequest, text: string): void {
  const status = Number(/^(\d{3})(?: |$)/.exec(text)?.[1]);
  if (!isHttpStatus(status) || status < 200) {
    throw new BadHead(`${JSON.stringify(text.slice(0, 40))} is no final HTTP status`);
  }
  req.status = status;
  if (text.length > 4) req.statusLine = text;
}

/**
 * Where to find the answer. With a status of its own the script answers itself, and Location is a header like others (6.2.4).
 *
 * Without one, an absolute URL is a redirect for the client (6.2.3). A path of this server is for the server to follow, as if the
 * client had asked for it (6.2.2).
 */
function redirect(req: ApacheRequest, location: string, status: string | undefined): ScriptAnswer {
  const isLocal = location.startsWith("/");
  if (status === undefined && isLocal && req[internals].toolkit?.origin?.callsBack) {
    return { outcome: OK, hasBody: false, redirect: location };
  }
  req.headersOut.set("Location", location);
  if (status !== undefined && req.status !== 200) return { outcome: OK, hasBody: true };
  req.status = 302;
  // Where Apache cannot be asked, the client is: it sees another address, and gets what it would have got.
  return isLocal ? { outcome: 302, hasBody: false } : { outcome: OK, hasBody: true };
}

/** As httpd does for a script that says how old its answer is (`ap_scan_script_header_err_core`). */
function meetConditions(req: ApacheRequest): Outcome {
  if (req.method !== "GET" && req.method !== "HEAD") return OK;
  const changed = Date.parse(req.headersOut.get("Last-Modified", ""));
  if (changed > 0) req.updateMtime(changed / 1000);
  return req.meetsConditions() as Outcome;
}
