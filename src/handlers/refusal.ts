/**
 * `mod_ts/refusal`: the ErrorDocument that sends what a `TsAuthzHandler` has answered in place of
 * the resource, see `TsRefusals` in `apache-conf/mod_ts.conf`.
 */
import { DONE, type Outcome } from "../base/outcome.ts";
import type { Refusals } from "../engine/refusals.ts";
import type { ApacheRequest } from "../request/request.ts";

export function createRefusal(refusals: Refusals): { handler(req: ApacheRequest): Outcome } {
  return {
    handler(req) {
      // Apache has joined the lines of the header.
      const token = req.subprocessEnv.get("MOD_TS_REFUSAL")?.replaceAll(", ", "") ?? "";
      const refusal = refusals.read(req, token);
      // The ErrorDocument of something else, or an address that somebody has typed.
      if (!refusal) return req.status >= 400 ? req.status : 404;
      const { status, headers, body } = refusal;
      for (let index = 0; index < headers.length; index += 2) {
        req.errHeadersOut.add(headers[index] as string, headers[index + 1] as string);
      }
      if (body === "") return status;
      req.status = status;
      req.write(Buffer.from(body, "base64"));
      return DONE;
    },
  };
}
