/**
 * Sends the client elsewhere; mod_python: `util.redirect`.
 * @module
 */
import { ModTsError } from "../errors.ts";
import { escapeHtml } from "../html.ts";
import { HttpError } from "../http-error.ts";
import { DONE } from "../outcome.ts";
import { type ApacheRequest, internals } from "./request.ts";

/** How to redirect. */
export interface RedirectOptions {
  /** 301 instead of 302; browsers remember it. Default false. */
  permanent?: boolean;
  /** Another redirect status, e.g. 303 after a form. Wins over {@link permanent}. */
  status?: number;
  /** Body, HTML unless `req.contentType` says otherwise; by default a line with a link. */
  text?: string;
}

/**
 * Ends the request with a redirect: no later phase but log and cleanup runs. Headers set so far go along, cookies too;
 * what was written and has not left is dropped. Never returns.
 *
 * @param location A URL or a path; characters beyond ASCII are escaped, line breaks refused (`MODTS_BAD_HEADER`).
 * @throws ModTsError `MODTS_HEADERS_SENT` when it is too late.
 */
export function redirect(
  req: ApacheRequest,
  location: string,
  options: RedirectOptions = {},
): never {
  const { response } = req[internals];
  if (response.begun) throw new ModTsError("MODTS_HEADERS_SENT", { name: "Location" });
  const target = location.toWellFormed().replace(/[^\x00-\x7f]+| /g, encodeURIComponent);
  req.errHeadersOut.set("Location", target);
  req.headersOut.delete("Location");
  req.status = options.status ?? (options.permanent ? 301 : 302);
  response.discard();
  if (options.text === undefined) req.contentType = "text/html";
  req.write(
    options.text ?? `<p>The document has moved <a href="${escapeHtml(target)}">here</a>.</p>\n`,
  );
  throw new HttpError(DONE);
}
