import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import t from "tap";
import { readSqlOptions } from "../../../../src/handlers/auth/credentials/sql-options.ts";
import type { SqlDatabase } from "../../../../src/base/sql-database.ts";
import { openSqlite } from "../../../../src/handlers/auth/credentials/sqlite-database.ts";

const folder = t.testdir({
  "seed.sql": "CREATE TABLE users (name, password); INSERT INTO users VALUES ('a', '1');",
});
const find = "SELECT password FROM users WHERE name = ?";

function open(file: string, more: Record<string, string> = {}): SqlDatabase {
  const options = { "mod_ts.sql.dsn": `sqlite:${file}`, ...more };
  const database = openSqlite(readSqlOptions(options, folder));
  t.teardown(() => database.close());
  return database;
}

function make(file: string, password: string): void {
  const database = new DatabaseSync(join(folder, file));
  database.exec(
    `CREATE TABLE users (name, password); INSERT INTO users VALUES ('a', '${password}')`,
  );
  database.close();
}

t.test("reads, and does not write unless hashes are renewed", async (t) => {
  make("one.db", "1");
  const update = "UPDATE users SET password = ? WHERE name = ?";
  const database = open("one.db");
  t.strictSame({ ...(await database.select(find, ["a"]))[0] }, { password: "1" });
  t.strictSame(await database.select(find, ["' OR 1=1 --"]), []);
  await t.rejects(database.change(update, ["2", "a"]), /readonly/);
  const writer = open("one.db", { "mod_ts.sql.upgrade": "on" });
  await writer.change(update, ["2", "a"]);
  t.match(await database.select(find, ["a"]), [{ password: "2" }]);
});

t.test("a file in the place of another, and none", async (t) => {
  make("old.db", "old");
  make("new.db", "new");
  const database = open("old.db");
  t.match(await database.select(find, ["a"]), [{ password: "old" }]);
  renameSync(join(folder, "new.db"), join(folder, "old.db"));
  t.match(await database.select(find, ["a"]), [{ password: "new" }]);
  rmSync(join(folder, "old.db"));
  await t.rejects(database.select(find, ["a"]), { code: "ENOENT" });
  writeFileSync(
    join(folder, "old.db"),
    "not a database, but long enough to be taken for one".repeat(50),
  );
  await t.rejects(database.select(find, ["a"]), /not a database/);
});

t.test("a lock of somebody else is waited for shortly", async (t) => {
  make("locked.db", "1");
  const database = open("locked.db");
  await database.select(find, ["a"]);
  const other = new DatabaseSync(join(folder, "locked.db"));
  other.exec("BEGIN EXCLUSIVE");
  await t.rejects(database.select(find, ["a"]), /locked/);
  other.exec("COMMIT");
  other.close();
  t.match(await database.select(find, ["a"]), [{ password: "1" }]);
});

t.test("is made from a file of SQL, whole or not at all", async (t) => {
  const database = open("made.db", { "mod_ts.sql.seed": "seed.sql" });
  t.match(await database.select(find, ["a"]), [{ password: "1" }]);
  writeFileSync(join(folder, "bad.sql"), "CREATE TABLE users (name, password); NONSENSE;");
  const bad = open("bad.db", { "mod_ts.sql.seed": "bad.sql" });
  await t.rejects(bad.select(find, ["a"]), /syntax/);
  await t.rejects(bad.select(find, ["a"]), /syntax/, "no half of a table was left behind");
  mkdirSync(join(folder, "shared"));
  const many = Array.from({ length: 4 }, () =>
    open("shared/x.db", { "mod_ts.sql.seed": "seed.sql" }),
  );
  const found = await Promise.all(many.map((one) => one.select(find, ["a"])));
  t.equal(found.flat().length, 4);
});
