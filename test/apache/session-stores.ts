/** Sessions in real servers of Redis and MariaDB, and in memory, through Apache and two worker processes. */
import t, { type Test } from "tap";
import { Browsers, cookieIn } from "../fixtures/browser.ts";
import { startMariadb } from "../fixtures/databases.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { startRedis } from "../fixtures/redis.ts";
import { until } from "../fixtures/until.ts";

const [redis, mariadb] = await Promise.all([startRedis(t), startMariadb(t)]);
if (process.env["CI"] && !(redis && mariadb)) {
  throw new Error("Redis or MariaDB is missing: node scripts/setup.mjs --test");
}
// Without a flush of the disk for each commit: the machine of a test may have a slow one.
mariadb?.run(`SET GLOBAL innodb_flush_log_at_trx_commit = 0; CREATE DATABASE site CHARACTER SET utf8mb4;
  CREATE USER web@'127.0.0.1' IDENTIFIED BY 'pä/ss'; GRANT ALL ON site.* TO web@'127.0.0.1';`);

/** A hundred requests on one session wait for each other, however slow the machine. */
const patient = "Use TsOption mod_ts.session.lock_timeout 50";

const section = (name: string, store: string, more = ""): string =>
  `<Location "/${name}">\nUse TsOption mod_ts.session.${store}\n${more}\n</Location>`;

const apache = await startApache(t, {
  conf: `
    Use TsPool single
    MaxKeepAliveRequests 0
    KeepAliveTimeout 100
    <Location />
      Use TsHandler counter.ts
    </Location>
    ${section("redis", "store_file redis.txt", patient)}
    ${section("mariadb", "store_file mariadb.txt", patient)}
    ${section("memory", "store memory", "Use TsInterpreter single")}
    ${section("wrong", "store memory")}
  `,
  files: { "redis.txt": `${redis?.url}\n`, "mariadb.txt": `${mariadb?.dsn}\n` },
  config: { pools: { main: { workers: 2 }, single: { workers: 1 } } },
  handlers: {
    "counter.ts": handlerFile("session-stores-counter.ts"),
  },
});
const browsers = new Browsers(t, apache.port);

async function check(t: Test, path: string): Promise<void> {
  const cookie = await browsers.start(path);
  const all = await Promise.all(Array.from({ length: 100 }, () => browsers.ask(path, cookie)));
  t.strictSame(
    all.map(({ body }) => Number(body)).toSorted((a, b) => a - b),
    Array.from({ length: 100 }, (_, at) => at + 2),
    "a hundred at a time on one session",
  );
  const cookies = await Promise.all(Array.from({ length: 200 }, () => browsers.start(path)));
  await Promise.all([...cookies, ...cookies].map((one) => browsers.ask(path, one)));
  const last = await Promise.all(cookies.map((one) => browsers.ask(path, one)));
  t.ok(
    last.every(({ body }) => body === "4"),
    "two hundred sessions",
  );

  const rotated = await browsers.ask(`${path}?rotate`, cookie);
  t.equal(rotated.body, "102");
  t.equal((await browsers.ask(path, cookie)).body, "1", "the old id is dead");
  t.equal((await browsers.ask(path, cookieIn(rotated))).body, "103");
  await browsers.ask(`${path}?end`, cookieIn(rotated));
  t.equal((await browsers.ask(path, cookieIn(rotated))).body, "1");

  const careless = await browsers.ask(`${path}?careless`, cookies[0]);
  t.equal(careless.body, "5");
  t.equal((await browsers.ask(path, cookieIn(careless))).body, "6", "nobody waited for rotate()");
}

async function checkOutage(
  t: Test,
  path: string,
  server: { start(): Promise<void>; stop(): Promise<void> },
): Promise<void> {
  const cookie = await browsers.start(path);
  await server.stop();
  for (const sent of [cookie, "", cookie]) {
    const reply = await browsers.ask(path, sent);
    t.equal(reply.status, 503, "the request fails while the store is down");
    if (sent) t.strictSame(reply.cookies, [], "no new session in place of one that cannot be read");
  }
  const line = new RegExp(
    `MODTS_SESSION_STORE: session store ${path.slice(1)}://127.0.0.1:\\d+.* failed: `,
  );
  t.match(await until(apache.sidecarLog, line), line);
  t.notMatch(apache.sidecarLog(), /pass-of-redis|p%C3%A4|pä/, "the log has no password");
  await server.start();
  const status = async () => String((await browsers.ask(path, cookie)).status);
  t.equal(await until(status, /^(?!503)/), "200", "back without a restart");
}

t.test("Redis", async (t) => {
  if (!redis) return t.plan(0, "Redis is not installed: node scripts/setup.mjs --test");
  await check(t, "/redis");
  await checkOutage(t, "/redis", redis);
});

t.test("MariaDB", async (t) => {
  if (!mariadb) return t.plan(0, "MariaDB is not installed: node scripts/setup.mjs --test");
  await check(t, "/mariadb");
  await checkOutage(t, "/mariadb", mariadb);
});

t.test("memory, where there is one worker", async (t) => {
  await check(t, "/memory");
  t.equal((await browsers.ask("/wrong")).status, 500);
  t.match(
    await until(apache.sidecarLog, "MODTS_BAD_OPTION"),
    /MODTS_BAD_OPTION: invalid option mod_ts.session.store: memory belongs to one process, and 2 workers share these sessions/,
  );
});
