/**
 * Tables of response headers: what they take can stand in an HTTP message, and they close when the headers leave.
 * @module
 */
import { validateHeaderName, validateHeaderValue } from "node:http";
import { ModTsError } from "../errors.ts";
import { HeaderTable } from "./headers.ts";

/** `req.headersOut` and `req.errHeadersOut`. */
export class ResponseHeaders extends HeaderTable {
  #frozen = false;
  #hasLatin1 = false;

  /** Whether a value with bytes beyond ASCII was ever set. */
  get hasLatin1(): boolean {
    return this.#hasLatin1;
  }

  /** From now on every change throws `MODTS_HEADERS_SENT`. */
  freeze(): void {
    this.#frozen = true;
  }

  protected override beforeChange(name: string, value?: string): void {
    if (this.#frozen) throw new ModTsError("MODTS_HEADERS_SENT", { name });
    if (value === undefined) return;
    checkHeader(name, value);
    this.#hasLatin1 ||= /[^\x00-\x7f]/.test(value);
  }
}

/**
 * Response splitting: a line break in a value that a handler took from the client would begin a header, or a whole
 * response, of the client's making. Throws `MODTS_BAD_HEADER` (RFC 9110, section 5.5).
 */
export function checkHeader(name: string, value: string): void {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
  } catch (cause) {
    throw badHeader(name, (cause as Error).message);
  }
  // Two parsers that read a length differently see two different next responses (RFC 9112, section 11.2).
  if (name.length === 14 && name.toLowerCase() === "content-length" && !/^\d{1,15}$/.test(value)) {
    throw badHeader(name, "it must be a number of bytes");
  }
}

/** The reason phrase ends at the line break, and what follows would be read as headers (RFC 9112, section 4). */
export function checkReason(reason: string): void {
  if (/[^\t\x20-\x7e\x80-\xff]/.test(reason)) {
    throw badHeader("statusLine", "it holds a character that cannot stand in a reason phrase");
  }
}

/**
 * Whether a header is not the handler's business but that of the connection: framing and hop-by-hop fields
 * (RFC 9110, section 7.6.1). A handler that copies the headers of another response would break the framing of ours.
 */
export function isConnectionHeader(name: string): boolean {
  return connectionHeaders.has(name.toLowerCase());
}

const connectionHeaders = new Set([
  "connection",
  "content-length",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

function badHeader(name: string, reason: string): ModTsError {
  return new ModTsError("MODTS_BAD_HEADER", { name, reason });
}
