/**
 * The address that trans handlers chose: `req.uri`, `req.args`, or `req.filename` of a file below
 * the document root.
 */
import { ModTsError } from "../base/errors.ts";
import type { Outcome } from "../base/outcome.ts";
import { internals } from "../request/internals.ts";
import { internalRedirect } from "../request/origin.ts";
import type { ApacheRequest } from "../request/request.ts";

/** Another path of this server. */
export interface Translation {
  /** Decoded, UTF-8. */
  readonly path: string;
  /** Query, escaped as it is; null: none. */
  readonly args: string | null;
}

/**
 * The new address; undefined: it is the old one.
 * @throws ModTsError `MODTS_BAD_TRANSLATION`
 */
export function translationOf(req: ApacheRequest): Translation | undefined {
  const { context } = req[internals];
  const { uri, args, filename } = req;
  const isMoved = uri !== context.uri || (args ?? "") !== context.args;
  if (!isMoved && filename === context.filename) return undefined;
  const path = isMoved ? uri : addressOf(req, filename);
  requireLocal(path);
  if (args !== null && !/^[\x21\x22\x24-\x7e]*$/.test(args))
    throw bad(args, "the query is not escaped");
  return { path, args };
}

/** Responds with the new address by a callback: Apache itself would lose the body of a method. */
export function followTranslation(req: ApacheRequest): Promise<Outcome> {
  const { path, args } = translationOf(req)!;
  const { method } = req;
  return internalRedirect(req, formatAddress(Buffer.from(path), args), { method });
}

/** Escapes a path and a query for a request inside Apache (RFC 3986, section 3.3). */
export function formatAddress(path: Buffer, args: string | null): string {
  const escaped = path.toString("latin1").replace(/[^A-Za-z0-9._~!$&'()*+,;=:@/-]/g, (byte) => {
    return `%${byte.charCodeAt(0).toString(16).padStart(2, "0").toUpperCase()}`;
  });
  return args === null ? escaped : `${escaped}?${args}`;
}

/**
 * Attack: `//host`, `http://host`, `/../etc/passwd` or a line end of a client is taken for another
 * server, another directory, or a header.
 * @throws ModTsError `MODTS_BAD_TRANSLATION`
 */
export function requireLocal(path: string): void {
  if (!/^\/(?!\/)/.test(path)) throw bad(path, "it must begin with one slash");
  if (/[\x00-\x1f\x7f]/.test(path)) throw bad(path, "it has control characters");
  if (/(?:^|\/)\.\.?(?:\/|$)|\/\//.test(path)) throw bad(path, "it has empty or dot segments");
}

/** The path of a file below an `Alias` of this request, or below the document root. */
function addressOf(req: ApacheRequest, file: string): string {
  const { contextPrefix, contextDocumentRoot, documentRoot } = req[internals].context;
  const places = [
    [contextDocumentRoot, contextPrefix],
    [documentRoot, ""],
  ] as const;
  for (const [directory, prefix] of places) {
    const root = directory.replace(/\/$/, "");
    if (root && file.startsWith(`${root}/`))
      return prefix.replace(/\/$/, "") + file.slice(root.length);
  }
  throw bad(file, "no address is known for this file; set req.uri");
}

function bad(target: string, reason: string): ModTsError {
  return new ModTsError("MODTS_BAD_TRANSLATION", { target: JSON.stringify(target), reason });
}
