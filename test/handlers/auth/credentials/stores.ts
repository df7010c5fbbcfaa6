import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import t from "tap";
import { Stores } from "../../../../src/handlers/auth/credentials/stores.ts";

const sha = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=";
const folder = t.testdir({ users: `john:${sha}\n`, groups: "staff: john\n" });

t.test("one store for what says the same", async (t) => {
  const stores = new Stores(folder);
  const one = { "mod_ts.htpasswd.file": "users", other: "1" };
  const first = stores.guard("htpasswd", one);
  t.equal(stores.guard("htpasswd", one), first);
  t.equal(stores.guard("htpasswd", { other: "2", "mod_ts.htpasswd.file": "users" }), first);
  t.not(stores.guard("htpasswd", { "mod_ts.htpasswd.file": "users users" }), first);
  t.equal((await first.verifier.verify("john", "secret")).hash, sha);
  t.equal(stores.groups("groups"), stores.groups(join(folder, "groups")));
});

t.test("what is wrong stays wrong", async (t) => {
  const stores = new Stores(folder);
  for (const options of [
    {},
    { "mod_ts.htpasswd.file": "" },
    { "mod_ts.htpasswd.file": "users", "mod_ts.htpasswd.cache": "x" },
    { "mod_ts.htpasswd.file": "users", "mod_ts.htpasswd.attempts": "-1" },
    { "mod_ts.htpasswd.file": "users", "mod_ts.htpasswd.limits": "http://127.0.0.1" },
    { "mod_ts.htpasswd.file": "users", "mod_ts.htpasswd.limits_file": "nowhere" },
  ] as Record<string, string>[]) {
    t.throws(() => stores.guard("htpasswd", options), { code: "MODTS_BAD_OPTION" });
    t.throws(() => stores.guard("htpasswd", options), { code: "MODTS_BAD_OPTION" });
  }
});

t.test("kinds of store in one section are two stores, and close together", async (t) => {
  const database = new DatabaseSync(join(folder, "users.db"));
  database.exec(`CREATE TABLE users (name, password); INSERT INTO users VALUES ('ann', '${sha}')`);
  database.close();
  writeFileSync(join(folder, "users"), `john:${sha}\n`);
  const stores = new Stores(folder);
  const options = {
    "mod_ts.htpasswd.file": "users",
    "mod_ts.sql.dsn": "sqlite:users.db",
    "mod_ts.sql.legacy": "sha1",
  };
  t.equal((await stores.guard("sql", options).verifier.verify("ann", "secret")).hash, sha);
  t.equal(
    (await stores.guard("htpasswd", options).verifier.verify("ann", "secret")).hash,
    undefined,
  );
  t.equal((await stores.guard("htpasswd", options).verifier.verify("john", "secret")).hash, sha);
  await stores.close();
});
