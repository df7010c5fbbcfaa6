/** Fastify plugins through a real Apache. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { gateConf, gateModule } from "../fixtures/gate.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { journalConf, journalHas, journalModule, readJournal } from "../fixtures/journal.ts";
import { providePackages } from "../fixtures/packages.ts";
import { RawClient } from "../fixtures/raw-client.ts";
import { until } from "../fixtures/until.ts";

/** A plugin that says which version it is, and writes down when it begins and ends. */
const versioned = (name: string): string =>
  handlerFile("fastify-versions.ts").replace('"first"', `"${name}"`);

const apache = await startApache(t, {
  conf: `
    <Location /app>
      Use TsHandler mod_ts/fastify
      Use TsOption mod_ts.fastify.application app.ts
      Use TsOption mod_ts.fastify.base /app
    </Location>
    <Location /root>
      Use TsHandler mod_ts/fastify
      Use TsOption mod_ts.fastify.application app.ts::rooted
    </Location>
    <Location /elsewhere>
      Use TsHandler mod_ts/fastify
      Use TsOption mod_ts.fastify.application app.ts
      Use TsOption mod_ts.fastify.base /app
    </Location>
    <Location /versions>
      Use TsHandler mod_ts/fastify
      Use TsOption mod_ts.fastify.application versions.ts
      Use TsOption mod_ts.fastify.base /versions
    </Location>
    <Location /debug>
      Use TsHandler mod_ts/fastify
      Use TsOption mod_ts.fastify.application versions.ts
      Use TsOption mod_ts.fastify.base /debug
      Use TsDebug On
    </Location>
    <Location /fails>
      Use TsHandler mod_ts/fastify
      Use TsOption mod_ts.fastify.application fails.ts
    </Location>
    <Location /object>
      Use TsHandler mod_ts/fastify
      Use TsOption mod_ts.fastify.application app.ts::options
    </Location>
    ${journalConf}
    ${gateConf}
  `,
  handlers: {
    "journal.ts": journalModule,
    "gate.ts": gateModule,
    "versions.ts": versioned("first"),
    "fails.ts": handlerFile("fastify-fails.ts"),
    "app.ts": handlerFile("fastify-app.ts"),
  },
});
providePackages(apache);

const get = (path: string) => apache.request(path);
const post = (path: string, body: string) =>
  apache.request(path, { method: "POST", body, headers: { "content-type": "application/json" } });
const logHas = async (t: Test, pattern: RegExp) =>
  t.match(await until(apache.sidecarLog, pattern), pattern);
const save = (text: string): void =>
  writeFileSync(join(apache.folder, "handlers/versions.ts"), text);

t.test("routes below the base, registered without it", async (t) => {
  t.match(await get("/app"), { status: 200, body: "root of /app" });
  t.match(await get("/app/"), { status: 200, body: "root of /app" });
  t.match(JSON.parse((await get("/app/items/a%20b?q=1")).body), {
    params: { name: "a b" },
    query: { q: "1" },
    url: "/app/items/a%20b?q=1",
  });
  t.match(await get("/root/a"), { body: "/root/a" });
  t.match(await get("/app/unknown"), { status: 404, body: /Route GET:\/app\/unknown not found/ });
  t.match(await get("/elsewhere"), { status: 404, body: /<h1>Not Found/ });
  t.match(JSON.parse((await get("/app/facts")).body), {
    ip: "127.0.0.1",
    protocol: "http",
    hostname: "127.0.0.1",
    user: null,
  });
});

t.test("bodies, schemas, limits of its own", async (t) => {
  t.match(await post("/app/json", '{"n":"7"}'), { status: 201, body: '{"got":{"n":7}}' });
  t.match(await post("/app/json", "{}"), { status: 400, body: /must have required property/ });
  t.match(await post("/app/json", `{"n":7,"s":"${"x".repeat(100)}"}`), { status: 413 });
});

t.test("answers", async (t) => {
  t.match(await get("/app/redirect"), { status: 302, headers: { location: "items/x" } });
  t.strictSame((await get("/app/cookies")).headers["set-cookie"], ["a=1", "b=2"]);
  t.match(await get("/app/stream"), { body: "one two" });
  t.match(await get("/app/web"), { status: 202, body: "web", headers: { "x-web": "1" } });
  t.match(await get("/app/nothing"), { status: 204, body: "" });
  const head = await apache.request("/app/facts", { method: "HEAD" });
  t.match(head, { status: 200, body: "" });
  const notes = await journalHas(apache, "onResponse /app/nothing");
  t.ok(notes.includes("onResponse /app/stream"));
});

t.test("events, until the client leaves", async (t) => {
  const client = new RawClient(apache.port).head("GET /app/events HTTP/1.1");
  await client.until(/tick[^]*tick/);
  client.leave();
  t.ok(await journalHas(apache, "events closed"));
});

t.test("its log is ours", async (t) => {
  t.match(await get("/app/throws"), { status: 500 });
  await logHas(
    t,
    /mod_ts:error\][^\n]*\[client 127[^\n]*mod_ts\/fastify app\.ts: boom in fastify[^]*app\.ts:\d+/,
  );
  await get("/app/logs");
  await logHas(t, /mod_ts:warn\][^\n]*mod_ts\/fastify app\.ts: a real warning/);
  await logHas(t, /mod_ts:info\][^\n]*mod_ts\/fastify app\.ts: for info/);
  t.notMatch(apache.sidecarLog(), /incoming request|request completed/);
});

t.test("one instance for each version, closed after its last request", async (t) => {
  const first = await Promise.all([get("/versions"), get("/versions"), get("/versions")]);
  t.strictSame(
    first.map(({ body }) => body),
    ["first", "first", "first"],
  );
  const slow = get("/versions/slow");
  await journalHas(apache, "first asked");
  save(versioned("second"));
  t.equal((await get("/versions")).body, "second");
  await get("/gate");
  t.equal((await slow).body, "first");
  const notes = await journalHas(apache, "first disposed");
  t.strictSame(
    notes.filter((entry) => /first|second/.test(entry)),
    [
      "first starts",
      "first ready",
      "first asked",
      "second starts",
      "second ready",
      "first answers",
      "first closed",
      "first disposed",
    ],
  );
});

t.test("a plugin that cannot start leaves the last good one in its place", async (t) => {
  save(`export default async (fastify: any) => { throw new Error("no third"); };`);
  t.equal((await get("/versions")).body, "second");
  t.equal((await get("/versions")).body, "second");
  await logHas(
    t,
    /MODTS_APPLICATION_FAILED: mod_ts\/fastify versions\.ts cannot start: no third; the version before it/,
  );
  save("export default async (fastify: any) => {");
  t.equal((await get("/versions")).body, "second");
  t.match(await get("/debug"), { status: 500, body: /versions\.ts/ });
  t.notOk((await readJournal(apache)).includes("second closed"));
  save(versioned("fourth"));
  t.equal((await get("/versions")).body, "fourth");
  await journalHas(apache, "second disposed");
});

t.test("an application that never started", async (t) => {
  t.match(await get("/fails"), { status: 500 });
  await logHas(t, /mod_ts\/fastify fails\.ts cannot start: no database, try 1/);
  t.match(await get("/object"), { status: 500 });
  await logHas(
    t,
    /MODTS_NOT_AN_APPLICATION: .*app\.ts exports an object .*; expected a Fastify plugin/,
  );
});

t.test("the end of the process closes what is open", async (t) => {
  apache.sidecar.kill("SIGTERM");
  await new Promise((resolve) => apache.sidecar.once("exit", resolve));
  t.equal(apache.sidecar.exitCode, 0);
  t.match(
    await until(apache.sidecarLog, /versions\.ts: fourth says goodbye/),
    /versions\.ts: fourth says goodbye/,
  );
});
