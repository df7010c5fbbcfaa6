/** `mod_ts/sql` with real servers of MariaDB and PostgreSQL, which come and go. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import t, { type Test } from "tap";
import { type Database, startMariadb, startPostgres } from "../fixtures/databases.ts";
import { type Reply, startApache } from "../fixtures/httpd.ts";
import { until } from "../fixtures/until.ts";

const argon2 =
  "$argon2id$v=19$m=19456,t=2,p=1$E5V2TIxJYPJkAoE2XeEXTw$R9ye6zqm3/ZfgBtTszj0SKrjizdixGzr7qj6g/OOoeA";
const rows = `('john', '${argon2}'), ('md5', '5ebe2294ecd0e0f08eab7690d2a6ee69'), ('jörg', '${argon2}')`;

const tables: Record<string, string> = {
  mariadb: `CREATE DATABASE site CHARACTER SET utf8mb4; USE site;
    CREATE TABLE users (name VARCHAR(255) PRIMARY KEY, password VARCHAR(255)); INSERT INTO users VALUES ${rows};
    CREATE USER web@'127.0.0.1' IDENTIFIED BY 'pä/ss'; GRANT SELECT, UPDATE ON site.* TO web@'127.0.0.1';`,
  postgres: `CREATE TABLE users (name TEXT PRIMARY KEY, password TEXT); INSERT INTO users VALUES ${rows};
    CREATE USER web PASSWORD 'pä/ss'; GRANT SELECT, UPDATE ON users TO web;`,
};

const secret = "0123456789abcdef";
const program = join(import.meta.dirname, "../../src/cli/cli.ts");
const section = (name: string, more: string): string =>
  `<Location "/${name}">\nAuthType Basic\nAuthName x\nUse TsAuthenHandler mod_ts/sql\nRequire valid-user
  Use TsOption mod_ts.sql.dsn_file dsn\n${more}\n</Location>`;

async function check(
  t: Test,
  kind: string,
  start: (t: Test) => Promise<Database | undefined>,
): Promise<void> {
  const database = await start(t);
  if (!database && kind === "mariadb" && process.env["CI"])
    throw new Error(`${kind} is missing: node scripts/setup.mjs --test`);
  if (!database) return t.plan(0, `${kind} is not installed: node scripts/setup.mjs --test`);
  database.run(tables[kind] ?? "");
  const apache = await startApache(t, {
    authorizer: true,
    before: `Define MOD_TS_SECRET ${secret}`,
    config: { secret },
    conf: `<Directory "\${FOLDER}/htdocs">\nRequire all granted\n</Directory>
      ${section("plain", "")}\n${section("legacy", "Use TsOption mod_ts.sql.legacy md5\nUse TsOption mod_ts.sql.upgrade on")}
      ${section("query", 'Use TsOption mod_ts.sql.query "SELECT password FROM users WHERE name = ? AND password IS NOT NULL"')}
      ${section("none", "Use TsOption mod_ts.sql.table nothing")}
      ${section("quick", "Use TsTicket\nRequire mod_ts_ticket").replace("Require valid-user", "")}`,
    files: {
      dsn: `${database.dsn}\n`,
      ...Object.fromEntries(
        ["plain", "legacy", "query", "none", "quick"].map((name) => [
          `htdocs/${name}/a.txt`,
          "in\n",
        ]),
      ),
    },
  });
  const ask = async (path: string, user: string, password = "secret"): Promise<number> => {
    const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
    const reply = await apache.request(`/${path}/a.txt`, { headers: { authorization } });
    t.equal(reply.body === "in\n", reply.status === 200);
    return reply.status;
  };

  t.equal(await ask("plain", "john"), 200);
  t.equal(await ask("plain", "john", "wrong"), 401);
  t.equal(await ask("plain", "nobody"), 401);
  t.equal(await ask("plain", "jörg"), 200);
  for (const other of ["JOHN", "john ", "jorg", "' OR ''='", "$1", "?"]) {
    t.equal(await ask("plain", other), 401, `${other} is not the name in the table`);
  }
  t.equal(await ask("query", "john"), 200);
  t.equal(await ask("plain", "md5"), 401);
  t.equal(await ask("legacy", "md5"), 200);
  t.equal(await ask("plain", "md5"), 200, "renewed");
  t.equal(await ask("plain", "md5", "wrong"), 401);
  t.equal(await ask("none", "john"), 503, "no such table");

  // Nobody tells Apache of a change: a ticket holds until it expires or is revoked.
  const quick = async (cookie = ""): Promise<Reply> => {
    const headers = { authorization: `Basic ${btoa("john:secret")}`, ...(cookie && { cookie }) };
    return apache.request("/quick/a.txt", { headers });
  };
  const given = async (): Promise<string> => (await quick()).headers["set-cookie"]?.[0] ?? "";
  const [ticket] = (await until(given, "mod_ts_ticket=")).split(";");
  const setPassword = (hash: string): void =>
    database.run(`${kind === "mariadb" ? "USE site; " : ""}UPDATE users SET password = '${hash}'
      WHERE name = 'john';`);
  setPassword("none");
  t.equal((await quick()).status, 401, "without a ticket");
  t.equal((await quick(ticket)).status, 200, "with one");
  execFileSync(process.execPath, [program, "tickets", "revoke", "--user", "john", apache.folder]);
  t.equal((await quick(ticket)).status, 401, "revoked");
  setPassword(argon2);

  await database.stop();
  t.equal(await ask("plain", "john"), 503, "also who was let in a moment ago");
  const log = await until(apache.sidecarLog, "ECONNREFUSED");
  t.match(
    log,
    new RegExp(
      `MODTS_DATABASE_DOWN: user lookup in ${kind}://127\\.0\\.0\\.1:${database.port}/\\w+ failed`,
    ),
  );
  t.notMatch(log, /p(?:ä|%C3%A4)/, "no password in the log");
  await database.start();
  t.equal(await ask("plain", "john"), 200, "nothing was restarted but the database");

  if (kind === "mariadb") {
    // A server that is there and says nothing: no connection of the pool is any good.
    await database.freeze(true);
    t.strictSame(
      await Promise.all(["a", "b", "c"].map((user) => ask("plain", user))),
      [503, 503, 503],
    );
    await database.freeze(false);
    t.equal(await ask("plain", "john"), 200);
  }
  t.equal(apache.sidecar.exitCode, null);
}

t.test("MariaDB", (t) => check(t, "mariadb", startMariadb));
t.test("PostgreSQL", (t) => check(t, "postgres", startPostgres));
