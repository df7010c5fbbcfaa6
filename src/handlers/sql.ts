/**
 * `mod_ts/sql`: Basic authentication against a table of SQLite, MariaDB, MySQL or PostgreSQL.
 *
 * | option (`Use TsOption …`)    | means                                                                              |
 * |------------------------------|------------------------------------------------------------------------------------|
 * | `mod_ts.sql.dsn`             | `sqlite:file`, `mysql://…`, `mariadb://…`, `postgres://…`                          |
 * | `mod_ts.sql.dsn_file`        | a file that holds the same, for addresses with a password                          |
 * | `mod_ts.sql.table`           | table, `users` by default; also `schema.table`                                     |
 * | `mod_ts.sql.user_column`     | column of the user's name, `name` by default                                       |
 * | `mod_ts.sql.password_column` | column of the hash, `password` by default                                          |
 * | `mod_ts.sql.query`           | in place of these three: gives columns `password` and `user`, with `?` for the name |
 * | `mod_ts.sql.legacy`          | `md5`, `sha1` or both: hashes without salt count, too                              |
 * | `mod_ts.sql.upgrade`         | `on`: at a login older hashes become argon2id                                      |
 * | `mod_ts.sql.cache`           | seconds for which a right password is not hashed again; 60 by default              |
 * | `mod_ts.sql.seed`            | SQL that fills a SQLite file which does not exist yet                              |
 * @module
 */
import { createBasicAuthen } from "../basic-authen.ts";
import type { Stores } from "../credentials/stores.ts";
import type { Outcome } from "../outcome.ts";
import type { ApacheRequest } from "../request/request.ts";

/** Makes the module that the reference `mod_ts/sql` stands for. */
export function createSql(stores: Stores): {
  authenHandler(req: ApacheRequest): Promise<Outcome>;
} {
  return { authenHandler: createBasicAuthen((req) => stores.verifier("sql", req.getOptions())) };
}
