/**
 * Another address answers this request: `req.internalRedirect`; mod_python: `req.internal_redirect`, httpd: `ap_internal_redirect`.
 * @module
 */
import { ModTsError } from "../errors.ts";
import { OK } from "../outcome.ts";
import { type ApacheRequest, internals } from "./request.ts";
import { howToCallBack } from "./toolkit.ts";

/** Where to, beyond the address. */
export interface InternalRedirectOptions {
  /** Method of the new request. A body goes along with anything but GET and HEAD. @default GET, HEAD for a HEAD */
  method?: string;
}

/** A redirect that was found valid. */
export interface RedirectTarget {
  /** Path and query, escaped. */
  readonly path: string;
  readonly method: string;
}

/** Answers `req` with what Apache gives for another address. Resolves with `OK` when the answer is on its way. */
export async function internalRedirect(
  req: ApacheRequest,
  uri: string,
  options: InternalRedirectOptions = {},
): Promise<number> {
  const { response, settling, toolkit } = req[internals];
  if (response.begun) throw new ModTsError("MODTS_HEADERS_SENT", { name: "internalRedirect" });
  const path = uri.toWellFormed().replace(/[^\x21-\x7e]+/g, encodeURIComponent);
  // Attack: "//host/path" and "http://host/path" that came from a client would choose another server.
  if (!/^\/(?!\/)/.test(path) || path.includes("#")) {
    const reason = "it takes a path that begins with one /, and no fragment";
    throw new ModTsError("MODTS_BAD_ARGUMENT", { name: "internalRedirect", reason });
  }
  const method = options.method ?? (req.headerOnly ? "HEAD" : "GET");
  if (!toolkit?.origin) throw new ModTsError("MODTS_ORIGIN_UNSET", { reason: howToCallBack });
  response.discard();
  // Trap: a handler there that opens the same session would wait for this request, which waits for it.
  await settling?.settle(true);
  await toolkit.origin.redirect(req, { path, method });
  return OK;
}
