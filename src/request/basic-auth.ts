/** Credentials of the Basic scheme (RFC 7617). */
import { attempt } from "../base/attempt.ts";

/** Not verified yet. */
export interface BasicCredentials {
  readonly user: string;
  readonly password: string;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads an `Authorization` header; undefined if missing, malformed, or of another scheme.
 *
 * No charset is sent: valid UTF-8, as browsers send it, is read as such, anything else as Latin-1.
 */
export function parseBasicAuth(header: string | undefined): BasicCredentials | undefined {
  const encoded = /^basic +([a-z0-9+/]+={0,2}) *$/i.exec(header ?? "")?.[1];
  if (encoded === undefined) return undefined;
  const bytes = Buffer.from(encoded, "base64");
  const text = attempt(() => utf8.decode(bytes), bytes.toString("latin1"));
  const colon = text.indexOf(":");
  // Attack: a NUL truncates the password for other modules of the server, a line break in a user
  // name writes a line into a log. Section 2 allows no control characters.
  if (colon < 0 || /[\x00-\x1f\x7f]/.test(text)) return undefined;
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
