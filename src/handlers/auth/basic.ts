/**
 * Basic authentication (RFC 7617): `mod_ts/htpasswd` against files of `htpasswd`, with groups, and
 * `mod_ts/sql` against a table of SQLite, MariaDB, MySQL or PostgreSQL.
 *
 * | option (`Use TsOption …`)       | means                                                                        |
 * |---------------------------------|------------------------------------------------------------------------------|
 * | `mod_ts.htpasswd.file`          | one or more files, separated by spaces; required                             |
 * | `mod_ts.htpasswd.cache`         | seconds for which a result is cached; 60 by default                          |
 * | `mod_ts.htpasswd.attempts`      | attempts for one user, then one a minute; 10 by default, 0 is unlimited      |
 * | `mod_ts.htpasswd.limits`        | `redis://…`: attempts of all workers and machines count together             |
 * | `mod_ts.htpasswd.groups`        | a group file, for the authz handler                                          |
 * | `mod_ts.htpasswd.require_group` | groups, separated by spaces: the user must be a member of one                |
 *
 * The options of `mod_ts/sql` are those of `credentials/sql-options.ts`.
 */
import { SectionOptions } from "../../base/options.ts";
import { HttpError } from "../../base/http-error.ts";
import { OK, type Outcome } from "../../base/outcome.ts";
import { addTerms } from "../../request/internals.ts";
import type { ApacheRequest } from "../../request/request.ts";
import type { Stores } from "./credentials/stores.ts";
import type { PasswordGuard } from "./credentials/password-guard.ts";

/** An authen handler for the store that `find` returns. Without the store, nobody passes. */
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
      const file = stores.groups(options.required("groups", "name a group file"));
      options.required("require_group", "name one or more groups");
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
