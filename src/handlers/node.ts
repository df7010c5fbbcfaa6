/**
 * `mod_ts/node`: a listener of `node:http`, `(req, res) => …`, or an Express or Connect application.
 *
 * ```apache
 * <Location "/app">
 *     Use TsHandler mod_ts/node
 *     Use TsOption mod_ts.node.application app.ts
 *     Use TsOption mod_ts.node.base /app
 * </Location>
 * ```
 * @module
 */
import { exportOf, loadApplication, notAnApplication } from "../adapters/application-module.ts";
import { readApplication } from "../adapters/application-options.ts";
import { applicationUrl } from "../adapters/application-url.ts";
import { callListener, type Listener } from "../adapters/node-listener.ts";
import { isClass } from "../call-handler.ts";
import { DECLINED, type Outcome } from "../outcome.ts";
import { nameCulprit } from "../phase-runner.ts";
import type { HeldModule } from "../request/internals.ts";
import type { ApacheRequest } from "../request/request.ts";
import { oncePerSection } from "../section-options.ts";

/** Makes the module that the reference `mod_ts/node` stands for. */
export function createNode(): { handler(req: ApacheRequest): Promise<Outcome> } {
  const optionsOf = oncePerSection((values) => readApplication("node", values));
  return {
    async handler(req) {
      const { reference, base } = optionsOf(req.getOptions());
      const url = applicationUrl(req, base);
      if (!url) return DECLINED;
      const listener = listenerOf(await loadApplication(req, reference), reference.path);
      try {
        return await callListener(req, listener, url);
      } catch (error) {
        throw nameCulprit(error, "handler", `mod_ts/node ${reference.text}`);
      }
    },
  };
}

function listenerOf(module: HeldModule, path: readonly string[]): Listener {
  const value = exportOf(module, path);
  if (typeof value === "function" && !isClass(value)) return value as Listener;
  throw notAnApplication(module, value, "a function (req, res)");
}
