/**
 * Basic authentication (RFC 7617): `mod_ts/htpasswd` against files of `htpasswd`, with groups, and
 * `mod_ts/sql` against a table of SQLite, MariaDB, MySQL or PostgreSQL.
 *
 * Options: docs/authentication.md.
 */
import { SectionOptions } from "../../base/options.ts";
import { HttpError } from "../../base/http-error.ts";
import { OK, type Outcome } from "../../base/outcome.ts";
import { addTerms } from "../../request/internals.ts";
import type { ApacheRequest } from "../../request/request.ts";
import type { Stores } from "./credentials/stores.ts";
import type { PasswordGuard } from "./credentials/password-guard.ts";

/** An authen handler for the store that `find` returns. It fails closed without the store. */
export function createBasicAuthen(
  find: (req: ApacheRequest) => PasswordGuard,
): (req: ApacheRequest) => Promise<Outcome> {
  return async (req) => {
    const guard = find(req);
    const password = req.getBasicAuthPassword();
    const { user } = req;
    // The name is only a claim until the password is checked.
    req.user = null;
    if (password === null || !user) return 401;
    const checked = await guard.check(req, user, password);
    if (checked.hash === undefined) {
      if (checked.wait === 0) return 401;
      throw new HttpError(429, { headers: { "retry-after": String(checked.wait) } });
    }
    req.user = user;
    addTerms(req, guard.verifier.store.files ?? []);
    return OK;
  };
}

export interface HtpasswdHandlers {
  authenHandler(req: ApacheRequest): Promise<Outcome>;
  authzHandler(req: ApacheRequest): Outcome;
}

export function createHtpasswd(stores: Stores): HtpasswdHandlers {
  return {
    authenHandler: createBasicAuthen((req) => stores.guard("htpasswd", req.getOptions())),
    authzHandler(req) {
      const options = new SectionOptions(req.getOptions(), "htpasswd");
      const file = stores.groups(options.required("groups", "a group file"));
      options.required("require_group", "one or more groups");
      const groups = options.words("require_group");
      addTerms(req, [file.path]);
      return req.user && file.isMember(req.user, groups) ? OK : 403;
    },
  };
}

export function createSql(stores: Stores): {
  authenHandler(req: ApacheRequest): Promise<Outcome>;
} {
  return { authenHandler: createBasicAuthen((req) => stores.guard("sql", req.getOptions())) };
}
