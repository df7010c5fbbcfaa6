/**
 * What Apache, or the server behind it, would answer without our handlers, as a web-standard `Response`.
 * @module
 */
import { ModTsError } from "../errors.ts";
import { type ApacheRequest, internals } from "./request.ts";
import { howToCallBack } from "./toolkit.ts";

/**
 * Asks for the original resource: the request goes on as it came, with the changes that handlers made to `req.headersIn`, to
 * `mod_ts.origin.url`, else to this very Apache, which answers as if there were no handler of ours.
 *
 * Returned as it is, the response streams to the client. Its body may be transformed: the coding is `identity`, and it says no
 * `Content-Length`, which a copy of its headers would carry on.
 * @throws ModTsError `MODTS_ORIGIN_…`
 */
export function fetchOrigin(req: ApacheRequest): Promise<Response> {
  const { toolkit } = req[internals];
  if (!toolkit?.origin) throw new ModTsError("MODTS_ORIGIN_UNSET", { reason: howToCallBack });
  return toolkit.origin.fetch(req);
}
