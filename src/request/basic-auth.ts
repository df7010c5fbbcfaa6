/**
 * Credentials of the Basic scheme (RFC 7617).
 * @module
 */

/** What a client claims. */
export interface BasicCredentials {
  readonly user: string;
  readonly password: string;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads an `Authorization` header; undefined when it is missing, of another scheme, or malformed.
 *
 * The charset is not told: bytes that are valid UTF-8, which is what browsers send, are read as that, others as Latin-1.
 */
export function parseBasicAuth(header: string | undefined): BasicCredentials | undefined {
  const encoded = /^basic +([a-z0-9+/]+={0,2}) *$/i.exec(header ?? "")?.[1];
  if (encoded === undefined) return undefined;
  const text = decode(Buffer.from(encoded, "base64"));
  const colon = text.indexOf(":");
  // Control characters are not allowed (section 2): a NUL cuts the password short for other modules of the same
  // server, a line break in a user name writes its own line into a log.
  if (colon < 0 || /[\x00-\x1f\x7f]/.test(text)) return undefined;
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

function decode(bytes: Buffer): string {
  try {
    return utf8.decode(bytes);
  } catch {
    return bytes.toString("latin1");
  }
}
