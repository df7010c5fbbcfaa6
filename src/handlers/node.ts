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
import { createApplicationHandler } from "../adapters/application-handler.ts";
import { exportOf, notAnApplication } from "../adapters/application-module.ts";
import { callListener, type Listener } from "../adapters/node-listener.ts";
import { isClass } from "../call-handler.ts";
import type { Outcome } from "../outcome.ts";
import type { HeldModule } from "../request/internals.ts";
import type { ApacheRequest } from "../request/request.ts";

/** Makes the module that the reference `mod_ts/node` stands for. */
export function createNode(): { handler(req: ApacheRequest): Promise<Outcome> } {
  return {
    handler: createApplicationHandler("node", ({ req, module, reference, url }) =>
      callListener(req, listenerOf(module, reference.path), url),
    ),
  };
}

function listenerOf(module: HeldModule, path: readonly string[]): Listener {
  const value = exportOf(module, path);
  if (typeof value === "function" && !isClass(value)) return value as Listener;
  throw notAnApplication(module, value, "a function (req, res)");
}
