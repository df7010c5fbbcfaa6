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
import { loadApplication } from "../adapters/application-module.ts";
import { readApplication } from "../adapters/application-options.ts";
import { applicationUrl } from "../adapters/application-url.ts";
import { callFetch, fetchOf } from "../adapters/fetch-application.ts";
import type { HandlerResult } from "../handler.ts";
import { DECLINED } from "../outcome.ts";
import { nameCulprit } from "../phase-runner.ts";
import type { ApacheRequest } from "../request/request.ts";
import { oncePerSection } from "../section-options.ts";

/** Makes the module that the reference `mod_ts/fetch` stands for. */
export function createFetch(): { handler(req: ApacheRequest): Promise<HandlerResult> } {
  const optionsOf = oncePerSection((values) => readApplication("fetch", values));
  return {
    async handler(req) {
      const { reference, base } = optionsOf(req.getOptions());
      const url = applicationUrl(req, base);
      if (!url) return DECLINED;
      const fetch = fetchOf(await loadApplication(req, reference), reference.path);
      try {
        return await callFetch(req, fetch, url);
      } catch (error) {
        throw nameCulprit(error, "handler", `mod_ts/fetch ${reference.text}`);
      }
    },
  };
}
