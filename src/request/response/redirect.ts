/** Redirects of the client; mod_python: `util.redirect`. */
import { ModTsError } from "../../base/errors.ts";
import { escapeHtml } from "../../base/html.ts";
import { HttpError } from "../../base/http-error.ts";
import { DONE } from "../../base/outcome.ts";
import { internals } from "../internals.ts";
import type { ApacheRequest } from "../request.ts";

export interface RedirectOptions {
  /** 301 instead of 302; browsers remember it. Default false. */
  permanent?: boolean;
  /** Another redirect status, e.g. 303 after a form. Wins over {@link permanent}. */
  status?: number;
  /** Body, HTML unless `req.contentType` says otherwise; by default a line with a link. */
  text?: string;
}

/**
 * Ends the request with a redirect: only log and cleanup phases follow. Headers and cookies are
 * sent, written content is dropped. Never returns.
 *
 * @param location a URL or a path; characters beyond ASCII are escaped, line breaks are rejected
 * (`MODTS_BAD_HEADER`)
 * @throws ModTsError `MODTS_HEADERS_SENT`
 *
 * @example
 * ```ts
 * if (!req.user) redirect(req, "/login");
 * redirect(req, "https://example.org/moved", { permanent: true });
 * ```
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
