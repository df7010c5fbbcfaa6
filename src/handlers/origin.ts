/**
 * `mod_ts/origin`: the original resource, as if there were no handler of ours. It answers for a list whose other handlers decline or
 * only set headers; the options are in `origin/settings.ts`.
 *
 * ```apache
 * <Location "/blog">
 *     Use TsAroundHandler "gate.ts mod_ts/origin"
 * </Location>
 * ```
 * @module
 */
import type { UpgradeHandler } from "../handler.ts";
import type { Origin } from "../origin/origin.ts";
import { OK, type Outcome } from "../outcome.ts";
import type { ApacheRequest } from "../request/request.ts";

/** Makes the module that the reference `mod_ts/origin` stands for. */
export function createOrigin(origin: Origin): {
  handler(req: ApacheRequest): Promise<Outcome>;
  upgradeHandler: UpgradeHandler;
} {
  return {
    async handler(req) {
      await origin.pass(req);
      return OK;
    },
    upgradeHandler: (req, socket, head) => origin.tunnel(req, socket, head),
  };
}
