import { join } from "node:path";
import t from "tap";
import {
  readSqlOptions,
  type SqlOptions,
} from "../../../../src/handlers/auth/credentials/sql-options.ts";

const folder = t.testdir({ dsn: "postgres://u:p%2F@db/site\n" });

function read(options: Record<string, string>): SqlOptions {
  const entries = Object.entries(options).map(([key, value]) => [`mod_ts.sql.${key}`, value]);
  return readSqlOptions(Object.fromEntries(entries), folder);
}

t.test("where the database is", async (t) => {
  t.match(read({ dsn: "sqlite:users.db" }), {
    driver: "sqlite",
    source: join(folder, "users.db"),
    title: join(folder, "users.db"),
  });
  t.match(read({ dsn: "sqlite:///srv/users.db" }), { source: "/srv/users.db" });
  t.match(read({ dsn: "mariadb://u:secret@db:3307/site" }), {
    driver: "mysql",
    source: "mysql://u:secret@db:3307/site",
    title: "mariadb://db:3307/site",
  });
  t.match(read({ dsn_file: "dsn" }), { driver: "postgres", title: "postgres://db/site" });
});

t.test("statements", async (t) => {
  t.strictSame(read({ dsn: "sqlite:x" }).statements, {
    find: 'SELECT "password" AS "password", "name" AS "user" FROM "users" WHERE "name" = ?',
    replace: undefined,
  });
  t.strictSame(
    read({
      dsn: "mysql://db/x",
      table: "a.b",
      user_column: "u",
      password_column: "p",
      upgrade: "on",
    }).statements,
    {
      find: "SELECT `p` AS `password`, `u` AS `user` FROM `a`.`b` WHERE `u` = ?",
      replace: "UPDATE `a`.`b` SET `p` = ? WHERE `u` = ? AND `p` = ?",
    },
  );
  const query = "SELECT x AS password FROM y WHERE z = ?";
  t.strictSame(read({ dsn: "sqlite:x", query }).statements, { find: query, replace: undefined });
});

t.test("mistakes name their option, and show no password", async (t) => {
  for (const [key, options] of [
    ["dsn", {}],
    ["dsn", { dsn: "users.db" }],
    ["dsn", { dsn: "oracle:secret" }],
    ["dsn", { dsn: "sqlite:" }],
    ["dsn", { dsn: "sqlite::memory:" }],
    ["dsn", { dsn: "mysql://u:secret@" }],
    ["dsn_file", { dsn_file: "gone" }],
    ["table", { dsn: "sqlite:x", table: "users; DROP TABLE users" }],
    ["table", { dsn: "sqlite:x", table: "a.b.c" }],
    ["table", { dsn: "sqlite:x", table: 'a"b' }],
    ["user_column", { dsn: "sqlite:x", user_column: "a.b" }],
    ["password_column", { dsn: "sqlite:x", password_column: "1=1 --" }],
    ["query", { dsn: "sqlite:x", query: "SELECT 1" }],
    ["query", { dsn: "sqlite:x", query: "SELECT ?, ?" }],
    ["upgrade", { dsn: "sqlite:x", query: "SELECT ?", upgrade: "on" }],
    ["upgrade", { dsn: "sqlite:x", upgrade: "yes" }],
    ["legacy", { dsn: "sqlite:x", legacy: "md5 crypt" }],
    ["passwd", { dsn: "sqlite:x", passwd: "secret" }],
  ] as [string, Record<string, string>][]) {
    const label = JSON.stringify(options);
    try {
      read(options);
      t.fail(label);
    } catch (error) {
      t.match(error, { code: "MODTS_BAD_OPTION" }, label);
      t.match(String(error), `mod_ts.sql.${key}:`, label);
      t.notMatch(String(error), "secret", label);
    }
  }
});
