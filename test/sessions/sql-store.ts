import t, { type Test } from "tap";
import type { SessionStore } from "../../src/sessions/session-store.ts";
import { openSqlStore } from "../../src/sessions/sql-store.ts";
import type { StoreAddress } from "../../src/sessions/session-store.ts";
import { type Database, startMariadb, startPostgres } from "../fixtures/databases.ts";
import { checkStore } from "../fixtures/session-store.ts";

const accounts: Record<string, string> = {
  mysql: `CREATE DATABASE site CHARACTER SET latin1; CREATE USER web@'127.0.0.1' IDENTIFIED BY 'pä/ss';
    GRANT ALL ON site.* TO web@'127.0.0.1';`,
  postgres: `CREATE USER web PASSWORD 'pä/ss'; GRANT ALL ON SCHEMA public TO web;`,
};
const restrict: Record<string, string> = {
  mysql: `REVOKE ALL ON site.* FROM web@'127.0.0.1'; GRANT SELECT, INSERT, UPDATE, DELETE ON site.* TO web@'127.0.0.1';`,
  postgres: "REVOKE ALL ON SCHEMA public FROM web; GRANT USAGE ON SCHEMA public TO web;",
};

async function check(
  t: Test,
  kind: "mysql" | "postgres",
  start: (t: Test) => Promise<Database | undefined>,
): Promise<void> {
  const database = await start(t);
  if (!database && process.env["CI"]) {
    throw new Error(`${kind} is missing: node scripts/setup.mjs --test`);
  }
  if (!database) return t.plan(0, `${kind} is not installed: node scripts/setup.mjs --test`);
  database.run(accounts[kind] ?? "");
  const address = (table: string): StoreAddress => {
    const source = database.dsn.replace(/^mariadb:/, "mysql:");
    return { kind, source, title: kind, table };
  };
  const opened: SessionStore[] = [];
  t.teardown(() => Promise.all(opened.map((store) => store.close())));
  const open = async (table = "mod_ts_sessions"): Promise<SessionStore> => {
    const store = await openSqlStore(address(table));
    opened.push(store);
    return store;
  };
  const [store, other] = await Promise.all([open(), open()]);
  await checkStore(t, store as SessionStore, other as SessionStore);

  await t.test("the right to make tables is needed once", async (t) => {
    database.run(restrict[kind] ?? "");
    t.equal(await (await open()).load("none"), undefined);
    await t.rejects(open("elsewhere"), /denied/);
  });

  await t.test("a server that goes and comes back", async (t) => {
    await database.stop();
    await t.rejects(Promise.resolve(store?.load("none")));
    await database.start();
    t.equal(await store?.load("none"), undefined);
  });
}

t.test("MariaDB", (t) => check(t, "mysql", startMariadb));
t.test("PostgreSQL", (t) => check(t, "postgres", startPostgres));
