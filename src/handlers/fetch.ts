/**
 * `mod_ts/fetch`: a fetch application by name, e.g. several in one file. `Use TsHandler app.ts` does for a default export.
 *
 * ```apache
 * <Location "/app">
 *     Use TsHandler mod_ts/fetch
 *     Use TsOption mod_ts.fetch.application app.ts::api
 *     Use TsOption mod_ts.fetch.base /app
 * </Location>
 * ```
 * @module
 */
import { createApplicationHandler } from "../adapters/application-handler.ts";
import { callFetch, fetchOf } from "../adapters/fetch-application.ts";
import type { HandlerResult } from "../handler.ts";
import type { ApacheRequest } from "../request/request.ts";

/** Makes the module that the reference `mod_ts/fetch` stands for. */
export function createFetch(): { handler(req: ApacheRequest): Promise<HandlerResult> } {
  return {
    handler: createApplicationHandler("fetch", ({ req, module, reference, url }) =>
      callFetch(req, fetchOf(module, reference.path), url),
    ),
  };
}
