/**
 * Basic authentication (RFC 7617) against a store of users.
 * @module
 */
import type { Verifier } from "./credentials/verifier.ts";
import { OK, type Outcome } from "./outcome.ts";
import type { ApacheRequest } from "./request/request.ts";

/** An authen handler that asks the store which `find` gives for a request. What the store cannot say, nobody passes for. */
export function createBasicAuthen(
  find: (req: ApacheRequest) => Verifier,
): (req: ApacheRequest) => Promise<Outcome> {
  return async (req) => {
    const verifier = find(req);
    const password = req.getBasicAuthPassword();
    const { user } = req;
    // Until the password is checked nobody is there.
    req.user = null;
    if (password === null || !user) return 401;
    if ((await verifier.verify(user, password)) === undefined) return 401;
    req.user = user;
    return OK;
  };
}
