/** One round from options to answer; the rest is in test/apache/basic-stores.ts and sql-servers.ts. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import t from "tap";
import { Stores } from "../../../src/handlers/auth/credentials/stores.ts";
import { createSql } from "../../../src/handlers/auth/basic.ts";
import { startEngine } from "../../fixtures/gateway.ts";

const folder = t.testdir({});
const database = new DatabaseSync(join(folder, "users.db"));
database.exec("CREATE TABLE users (name, password)");
database.exec("INSERT INTO users VALUES ('ann', '5ebe2294ecd0e0f08eab7690d2a6ee69')");
database.close();
const stores = new Stores(folder);
t.teardown(() => stores.close());
const peer = await startEngine(t, { sql: { ...createSql(stores), handler: () => 0 } });

t.test("options decide what counts", async (t) => {
  const ask = async (...options: string[]): Promise<number> => {
    const lines = [
      "authen sql",
      "handler sql",
      ...options.map((text) => `option mod_ts.sql.${text}`),
    ];
    const authorization = `Basic ${Buffer.from("ann:secret").toString("base64")}`;
    return (await peer.ask(lines, { headers: { authorization } })).status;
  };
  t.equal(await ask("dsn sqlite:users.db", "legacy md5"), 200);
  t.equal(await ask("dsn sqlite:users.db"), 401);
  t.equal(await ask("dsn sqlite:users.db", "legacy md5", "table nothing"), 503);
  t.equal(await ask("dsn sqlite:gone.db", "legacy md5"), 503);
  t.equal(await ask("legacy md5"), 500);
});
