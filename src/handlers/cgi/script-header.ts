/** Header block that a script writes before its body (RFC 3875, section 6). */
import { isModTsError } from "../../base/errors.ts";
import { isHttpStatus } from "../../base/http-status.ts";
import { OK, type Outcome } from "../../base/outcome.ts";
import { internals } from "../../request/internals.ts";
import type { ApacheRequest } from "../../request/request.ts";
import { isConnectionHeader } from "../../request/headers.ts";

export interface ScriptHead {
  /** Names and values in the order written. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** Bytes after the empty line: the beginning of the body. */
  readonly rest: Buffer;
}

/** Reason why a header block is invalid; `nph` if the script writes the status line of HTTP. */
export class BadHead extends Error {
  override readonly name = "BadHead";
  readonly nph: boolean;

  constructor(reason: string, nph = false) {
    super(reason);
    this.nph = nph;
  }
}

/** Attack: a script never writes an empty line, and its output is kept in memory forever. */
const byteLimit = 65_536;
const lineLimit = 100;

const lineFeed = 0x0a;

/** Parser for the output of a script up to the empty line. */
export class HeaderParser {
  readonly #fields: (readonly [string, string])[] = [];
  #pending: Buffer = Buffer.alloc(0);
  #seen = 0;

  /** Whether the script has written nothing yet. */
  get untouched(): boolean {
    return this.#seen === 0 && this.#pending.length === 0;
  }

  /** Returns the block when it is complete. Throws {@link BadHead} if it is invalid. */
  push(chunk: Buffer): ScriptHead | undefined {
    let bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    for (let end = bytes.indexOf(lineFeed); end >= 0; end = bytes.indexOf(lineFeed)) {
      const line = bytes.subarray(0, end).toString("latin1").replace(/\r$/, "");
      bytes = bytes.subarray(end + 1);
      this.#seen += end + 1;
      if (this.#seen > byteLimit) throw tooLong();
      if (line === "") return { fields: this.#fields, rest: bytes };
      this.#fields.push(this.#parse(line));
    }
    if (this.#seen + bytes.length > byteLimit) throw tooLong();
    this.#pending = bytes;
    return undefined;
  }

  #parse(line: string): readonly [string, string] {
    const number = this.#fields.length + 1;
    if (number > lineLimit) throw new BadHead(`the header has more than ${lineLimit} lines`);
    if (number === 1 && /^HTTP\/\d/.test(line)) {
      throw new BadHead(`the script writes the status line ${quote(line)} itself`, true);
    }
    // RFC 9110, section 5.1: the name is a token, directly before the colon.
    const [, name, value] = /^([\w!#$%&'*+.^`|~-]+):(.*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) {
      throw new BadHead(`line ${number}, ${quote(line)}, is not of the form Name: value`);
    }
    return [name, strip(value)];
  }
}

/**
 * The text without surrounding blanks. Attack: a script puts client text into a header. A pattern
 * for trailing blanks begins again at each of 60,000 blanks in the middle and blocks the worker for
 * seconds; `trim()` would remove the last byte of an `à`.
 */
function strip(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && isBlank(text, start)) start += 1;
  while (start < end && isBlank(text, end - 1)) end -= 1;
  return text.slice(start, end);
}

function isBlank(text: string, at: number): boolean {
  return text[at] === " " || text[at] === "\t";
}

function tooLong(): BadHead {
  return new BadHead(`no empty line ends the header within ${byteLimit} bytes`);
}

function quote(line: string): string {
  return JSON.stringify(line.length > 60 ? `${line.slice(0, 60)}…` : line);
}

export interface ScriptResponse {
  /** Outcome of the handler when the script has ended. */
  readonly outcome: Outcome;
  /** Whether the body that the script writes is the body of the response. */
  readonly hasBody: boolean;
  /** Path that is to respond in its place. */
  readonly redirect?: string;
}

/** Puts status and headers on the request. Throws {@link BadHead}. */
export function adoptHead(req: ApacheRequest, { fields }: ScriptHead): ScriptResponse {
  const head = sortFields(fields);
  try {
    adoptFields(req, head.others);
    if (head.type !== undefined) req.contentType = head.type;
    // httpd sends no default either.
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
  // RFC 3875, section 6.2: every response has one of them; without one it is probably no header.
  if (head.status === undefined && head.type === undefined && head.location === undefined) {
    throw new BadHead("the header has neither Content-Type nor Location nor Status");
  }
  return head;
}

const own = new Set(["status", "content-type", "location"]);

function adoptFields(req: ApacheRequest, fields: SortedFields["others"]): void {
  for (const [name, value] of fields) {
    // Framing belongs to the connection. The length is an announcement that the body has to match.
    if (isConnectionHeader(name) && name.toLowerCase() !== "content-length") continue;
    // As in httpd, a cookie reaches the client also with an error.
    const table = name.toLowerCase() === "set-cookie" ? req.errHeadersOut : req.headersOut;
    if (single.has(name.toLowerCase())) table.set(name, value);
    else table.add(name, value);
  }
}

/** Headers that would be read in different ways if they were repeated. */
const single = new Set(["content-length", "last-modified", "etag", "content-range"]);

function adoptStatus(req: ApacheRequest, text: string): void {
  const status = Number(/^(\d{3})(?: |$)/.exec(text)?.[1]);
  if (!isHttpStatus(status) || status < 200) {
    throw new BadHead(`${JSON.stringify(text.slice(0, 40))} is not a final HTTP status`);
  }
  req.status = status;
  if (text.length > 4) req.statusLine = text;
}

/**
 * Redirect of a header block. With a status, the script responds itself, and Location is an
 * ordinary header (6.2.4). Without one, an absolute URL is a redirect for the client (6.2.3), and
 * the server follows a path of its own, as if the client had requested it (6.2.2).
 */
function redirect(
  req: ApacheRequest,
  location: string,
  status: string | undefined,
): ScriptResponse {
  const isLocal = location.startsWith("/");
  if (status === undefined && isLocal && req[internals].toolkit?.origin?.callsBack) {
    return { outcome: OK, hasBody: false, redirect: location };
  }
  req.headersOut.set("Location", location);
  if (status !== undefined && req.status !== 200) return { outcome: OK, hasBody: true };
  req.status = 302;
  // Without a callback to Apache, the client follows: another address, the same content.
  return isLocal ? { outcome: 302, hasBody: false } : { outcome: OK, hasBody: true };
}

/** Conditional requests, as httpd handles them for scripts (`ap_scan_script_header_err_core`). */
function meetConditions(req: ApacheRequest): Outcome {
  if (req.method !== "GET" && req.method !== "HEAD") return OK;
  const changed = Date.parse(req.headersOut.get("Last-Modified", ""));
  if (changed > 0) req.updateMtime(changed / 1000);
  return req.meetsConditions() as Outcome;
}
