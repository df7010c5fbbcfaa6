/**
 * `mod_ts/htpasswd`: Basic authentication against files of `htpasswd`, and groups.
 *
 * | option (`Use TsOption …`)       | means                                                                        |
 * |---------------------------------|------------------------------------------------------------------------------|
 * | `mod_ts.htpasswd.file`          | one or more files, separated by spaces; required                             |
 * | `mod_ts.htpasswd.cache`         | seconds for which a right password is not hashed again; 60 by default        |
 * | `mod_ts.htpasswd.groups`        | a group file, for the authz handler                                          |
 * | `mod_ts.htpasswd.require_group` | groups, separated by spaces: the user must be in one of them                 |
 * @module
 */
import { createBasicAuthen } from "../basic-authen.ts";
import type { Stores } from "../credentials/stores.ts";
import { SectionOptions } from "../section-options.ts";
import { OK, type Outcome } from "../outcome.ts";
import type { ApacheRequest } from "../request/request.ts";

export interface HtpasswdHandlers {
  authenHandler(req: ApacheRequest): Promise<Outcome>;
  authzHandler(req: ApacheRequest): Outcome;
}

/** Makes the module that the reference `mod_ts/htpasswd` stands for. */
export function createHtpasswd(stores: Stores): HtpasswdHandlers {
  return {
    authenHandler: createBasicAuthen((req) => stores.verifier("htpasswd", req.getOptions())),
    authzHandler(req) {
      const options = new SectionOptions(req.getOptions(), "htpasswd");
      const file = stores.groups(options.required("groups", "it names a file of groups"));
      options.required("require_group", "it names one or more groups");
      const groups = options.words("require_group");
      return req.user && file.isMember(req.user, groups) ? OK : 403;
    },
  };
}
