/**
 * What the content handlers for applications have in common: options, base, module, and the name in their errors.
 * @module
 */
import { DECLINED, type Outcome } from "../outcome.ts";
import { nameCulprit } from "../phase-runner.ts";
import type { HeldModule } from "../request/internals.ts";
import type { ApacheRequest } from "../request/request.ts";
import { oncePerSection } from "../section-options.ts";
import { loadApplication } from "./application-module.ts";
import { type ApplicationOptions, readApplication } from "./application-options.ts";
import { type ApplicationUrl, applicationUrl } from "./application-url.ts";

/** A request that an application is to answer. */
export interface ApplicationCall extends ApplicationOptions {
  readonly req: ApacheRequest;
  readonly url: ApplicationUrl;
  /** The version of the application's module. */
  readonly module: HeldModule;
  /** For log and errors, e.g. `mod_ts/node app.ts`. */
  readonly name: string;
}

/** Makes the handler of `mod_ts/<kind>`. What lies elsewhere than the base is declined. */
export function createApplicationHandler<Result>(
  kind: string,
  answer: (call: ApplicationCall) => Result | Promise<Result>,
): (req: ApacheRequest) => Promise<Result | Outcome> {
  const optionsOf = oncePerSection((values) => readApplication(kind, values));
  return async (req) => {
    const options = optionsOf(req.getOptions());
    const url = applicationUrl(req, options.base);
    if (!url) return DECLINED;
    const module = await loadApplication(req, options.reference);
    const name = `mod_ts/${kind} ${options.reference.text}`;
    try {
      return await answer({ ...options, req, url, module, name });
    } catch (error) {
      throw nameCulprit(error, "handler", name);
    }
  };
}
