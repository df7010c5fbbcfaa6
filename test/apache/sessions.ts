/** Sessions in the SQLite file, through a real Apache and two worker processes: nothing that a browser did is lost. */
import { readFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import t from "tap";
import { Browsers, cookieIn } from "../fixtures/browser.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache, temporaryFolder } from "../fixtures/httpd.ts";
import { until } from "../fixtures/until.ts";

const shared = temporaryFolder(t);
const start = () =>
  startApache(t, {
    authorizer: true,
    conf: `
      MaxKeepAliveRequests 0
      KeepAliveTimeout 100
      Use TsOption mod_ts.session.store sqlite:${shared}/sessions.db
      Use TsOption mod_ts.session.lock_timeout 5
      # The second Apache has another DocumentRoot, which is part of the default realm.
      Use TsOption mod_ts.session.realm shop
      <Location />
        Use TsHandler sessions.ts
        Use TsOption pid ${shared}/pid
      </Location>
      <Location /impatient>
        Use TsOption mod_ts.session.lock_timeout 0
      </Location>
      <Location /broken>
        Use TsOption mod_ts.session.store sqlite:/dev/null/sessions.db
      </Location>
      <Directory "\${FOLDER}/htdocs">
        Require all granted
      </Directory>
      <Location /private>
        SetHandler default-handler
        AuthType mod_ts
        AuthName x
        Use TsAuthenHandler guard.ts
        Require valid-user
      </Location>
    `,
    files: { "htdocs/private/a.txt": "private\n", "htdocs/private/bad.txt": "private\n" },
    config: { pools: { main: { workers: 2 } }, limits: { handlerTimeout: 2000 } },
    handlers: {
      "guard.ts": handlerFile("sessions-guard.ts"),
      "sessions.ts": handlerFile("sessions.ts"),
    },
  });

const apache = await start();
const browsers = new Browsers(t, apache.port);
const database = new DatabaseSync(join(shared, "sessions.db"));
t.teardown(() => database.close());

const count = async (cookie: string): Promise<number> =>
  Number.parseInt((await browsers.ask("/count", cookie)).body, 10);
const locks = (): unknown[] => database.prepare("SELECT lock FROM session WHERE lock != ''").all();

/** A request that has the session until it is destroyed. */
async function hold(cookie: string): Promise<{ pid: number; destroy(): void }> {
  const { port } = apache;
  const options = { host: "127.0.0.1", port, path: "/hold", headers: { cookie }, agent: false };
  const request = httpRequest(options);
  request.on("error", () => {});
  await new Promise((resolve) => {
    request.once("response", (response) => {
      response.once("data", resolve).on("error", () => {});
    });
    request.end();
  });
  const pid = Number(readFileSync(join(shared, "pid"), "utf8"));
  return { pid, destroy: () => request.destroy() };
}

/** The second worker is ready a moment after the first one. */
async function bothWorkers(): Promise<void> {
  const pids = new Set<string | undefined>();
  for (let tries = 0; pids.size < 2 && tries < 1000; tries += 1) {
    const all = await Promise.all(Array.from({ length: 8 }, () => apache.request("/count")));
    for (const { body } of all) pids.add(body.split(" ")[1]);
  }
}

t.test("a hundred requests at a time on one session", async (t) => {
  await bothWorkers();
  const cookie = await browsers.start("/count");
  const all = await Promise.all(
    Array.from({ length: 100 }, () => apache.request("/count", { headers: { cookie } })),
  );
  t.strictSame(
    all.map(({ body }) => Number.parseInt(body, 10)).toSorted((a, b) => a - b),
    Array.from({ length: 100 }, (_, at) => at + 2),
    "each saw what the one before it had left",
  );
  t.equal(new Set(all.map(({ body }) => body.split(" ")[1])).size, 2, "both workers took part");
  t.strictSame(locks(), []);
});

t.test("ids that are not ours", async (t) => {
  const rows = (): number =>
    Number(database.prepare("SELECT count(*) AS n FROM session WHERE id != '#sweep'").get()?.["n"]);
  for (const id of [
    "",
    "A",
    "A".repeat(43),
    "A".repeat(7000),
    "é".repeat(43),
    "../../../../etc/passwd",
    "' OR 1=1; DROP TABLE session; --",
    "%00%0d%0aSet-Cookie:x=1",
    "__proto__",
    '"',
  ]) {
    const before = rows();
    const reply = await browsers.ask("/count", `tssid=${encodeURIComponent(id)}`);
    t.match(reply, { status: 200, body: /^1 / }, id.slice(0, 50));
    t.match(cookieIn(reply), /^tssid=[\w-]{43}$/);
    t.not(cookieIn(reply), `tssid=${id}`);
    t.equal(rows(), before + 1);
  }
});

t.test(
  "fixation: the id that an attacker has planted is worth nothing after the login",
  async (t) => {
    const planted = await browsers.start("/count");
    const login = await browsers.ask("/login", planted);
    t.equal(login.status, 302, "the cookie comes with the redirect");
    const own = cookieIn(login);
    t.equal((await browsers.ask("/whoami", own)).body, "ann");
    t.equal((await browsers.ask("/whoami", planted)).body, "undefined");
    t.equal(await count(own), 2, "what was there before the login is still there");
    await browsers.ask("/logout", own);
    t.equal((await browsers.ask("/whoami", own)).body, "undefined");
  },
);

t.test("Apache's own files behind a session, which fails closed", async (t) => {
  const cookie = cookieIn(await browsers.ask("/login"));
  t.match(await browsers.ask("/private/a.txt", cookie), { status: 200, body: "private\n" });
  t.equal((await browsers.ask("/private/a.txt")).status, 401);
  t.not((await browsers.ask("/private/bad.txt", cookie)).body, "private\n");
  t.match(
    await until(apache.sidecarLog, "data.bad"),
    /MODTS_SESSION_DATA: session cannot store data.bad/,
  );
  t.equal(await count(cookie), 1, "nobody waits for it");
});

t.test("refused, failed, too late: who keeps what, and nobody the lock", async (t) => {
  const cookie = await browsers.start("/count");
  t.equal((await browsers.ask("/refuse", cookie)).status, 409);
  t.equal(await count(cookie), 3, "a refusal is no failure");
  t.equal((await browsers.ask("/fail", cookie)).status, 500);
  t.equal((await browsers.ask("/late", cookie)).status, 504);
  const date = await browsers.ask("/date", cookie);
  t.equal(date.status, 500);
  t.notMatch(date.body, /never seen/);
  t.equal(await count(cookie), 4, "failures change nothing");
  t.equal((await browsers.ask("/stream", cookie)).body, "5");
  t.equal(await count(cookie), 6, "also what a stream changes is kept");
  t.strictSame(locks(), []);
});

t.test("whoever waits in vain is told, and so is the log", async (t) => {
  const cookie = await browsers.start("/count");
  const holder = await hold(cookie);
  t.equal((await browsers.ask("/impatient", cookie)).status, 503);
  t.match(
    await until(apache.sidecarLog, "MODTS_SESSION_LOCKED"),
    /MODTS_SESSION_LOCKED: session is locked: held by another request for \d+\.\d s, gave up after 0 s/,
  );
  holder.destroy();
  t.equal(await count(cookie), 2, "a client that goes away lets the next one in");
});

t.test("a worker that dies with the lock holds nobody up", async (t) => {
  const cookie = await browsers.start("/count");
  const { pid } = await hold(cookie);
  process.kill(pid, "SIGKILL");
  // Its lease would last for longer than the limit of 5 seconds. Apache still has connections to the dead worker.
  const ask = () => apache.request("/count", { headers: { cookie } });
  let reply = await ask().catch(() => undefined);
  for (let tries = 0; reply?.status !== 200 && tries < 500; tries += 1) {
    reply = await ask().catch(() => undefined);
  }
  t.match(reply?.body, /^2 /, "what it had not saved is lost with it");
  t.notMatch(apache.sidecarLog(), /gave up after 5 s/);
});

t.test("a store that cannot be had: 503, and never a new session", async (t) => {
  const reply = await browsers.ask("/broken");
  t.equal(reply.status, 503);
  t.strictSame(reply.cookies, []);
  t.match(
    await until(apache.sidecarLog, "MODTS_SESSION_STORE"),
    /MODTS_SESSION_STORE: session store \/dev\/null\/sessions.db failed/,
  );
});

t.test("sessions survive a restart", async (t) => {
  const cookie = await browsers.start("/count");
  apache.sidecar.kill("SIGTERM");
  await new Promise((resolve) => apache.sidecar.once("exit", resolve));
  const again = await start();
  t.match(await again.request("/count", { headers: { cookie } }), { body: /^2 / });
});
