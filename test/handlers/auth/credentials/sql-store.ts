import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import t, { type Test } from "tap";
import { createSqlStore } from "../../../../src/handlers/auth/credentials/sql-store.ts";
import type { UserStore } from "../../../../src/handlers/auth/credentials/verifier.ts";

const bcrypt = "$2y$05$2he4puEou6qTB/3fOjRlxupdYaVdKeo3YADouiYoxbKxUqIiGgImu";

function storeOf(t: Test, sql: string, more: Record<string, string> = {}): UserStore {
  const folder = t.testdir({});
  const database = new DatabaseSync(join(folder, "users.db"));
  database.exec(sql);
  database.close();
  const store = createSqlStore({ "mod_ts.sql.dsn": "sqlite:users.db", ...more }, folder);
  t.teardown(() => store.close());
  return store;
}

t.test("gives the hash of the very name", async (t) => {
  const store = storeOf(
    t,
    `CREATE TABLE users (name TEXT COLLATE NOCASE, password);
     INSERT INTO users VALUES ('john', ' ${bcrypt} '), ('null', NULL), ('none', ''), ('number', 7), ('bytes', CAST('${bcrypt}' AS BLOB))`,
  );
  t.match([...store.decoys()], [/^\$argon2id/], "before any hash was seen");
  t.equal(await store.find("john"), bcrypt, "a column of type CHAR is padded");
  t.strictSame([...store.decoys()], [bcrypt]);
  t.equal(await store.find("bytes"), bcrypt);
  for (const name of ["JOHN", "null", "none", "number", "nobody"]) {
    t.equal(await store.find(name), undefined, name);
  }
});

t.test("which hashes count", async (t) => {
  const table = "CREATE TABLE users (name, password)";
  const [plain, both] = [storeOf(t, table), storeOf(t, table, { "mod_ts.sql.legacy": "md5 sha1" })];
  const [md5, sha] = ["5ebe2294ecd0e0f08eab7690d2a6ee69", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="];
  t.strictSame(
    [bcrypt, md5, sha, "secret"].map((hash) => plain.accepts(hash)),
    [true, false, false, false],
  );
  t.strictSame(
    [bcrypt, md5, sha, "secret"].map((hash) => both.accepts(hash)),
    [true, true, true, false],
  );
  t.equal(plain.replace, undefined);
});

t.test("answers that cannot be used let nobody in", async (t) => {
  const table = `CREATE TABLE users (name, password); INSERT INTO users VALUES ('a', '${bcrypt}'), ('a', 'x')`;
  await t.rejects(storeOf(t, table).find("a"), { code: "MODTS_DATABASE_ANSWER" });
  const query = { "mod_ts.sql.query": "SELECT password AS pw FROM users WHERE name = ? LIMIT 1" };
  await t.rejects(storeOf(t, table, query).find("a"), { code: "MODTS_DATABASE_ANSWER" });
  const broken = { "mod_ts.sql.query": "SELECT nonsense FROM users WHERE name = ?" };
  await t.rejects(storeOf(t, table, broken).find("a"), {
    code: "MODTS_DATABASE_DOWN",
    status: 503,
  });
});

t.test("a hash is replaced only while it is the one that was checked", async (t) => {
  const table = "CREATE TABLE users (name, password); INSERT INTO users VALUES ('a', 'old')";
  const store = storeOf(t, table, { "mod_ts.sql.upgrade": "on" });
  await store.replace?.("a", "other", "new");
  t.equal(await store.find("a"), "old");
  await store.replace?.("a", "old", "new");
  t.equal(await store.find("a"), "new");
});
