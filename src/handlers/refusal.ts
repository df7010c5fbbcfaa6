/**
 * `mod_ts/refusal`: the ErrorDocument that sends what a `TsAuthzHandler` has answered in place of
 * the resource, see `TsRefusals` in `apache-conf/mod_ts.conf`.
 */
import { DONE, type Outcome } from "../base/outcome.ts";
import type { Refusals } from "../engine/refusals.ts";
import { HeaderTable } from "../request/headers.ts";
import type { ApacheRequest } from "../request/request.ts";

export function createRefusal(refusals: Refusals): { handler(req: ApacheRequest): Outcome } {
  return {
    handler(req) {
      // Apache has joined the lines of the header.
      const token = req.subprocessEnv.get("MOD_TS_REFUSAL")?.replaceAll(", ", "") ?? "";
      const refusal = refusals.read(req, token);
      // Another ErrorDocument, or a request of a client for this address.
      if (!refusal) return req.status >= 400 ? req.status : 404;
      const { status, headers, body } = refusal;
      for (const [name, value] of HeaderTable.fromRaw(headers)) req.errHeadersOut.add(name, value);
      if (body === "") return status;
      req.status = status;
      req.write(Buffer.from(body, "base64"));
      return DONE;
    },
  };
}
