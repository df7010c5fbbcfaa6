/** Fastify plugins through a real Apache. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { startApache } from "../fixtures/httpd.ts";
import { journalConf, journalHas, journalModule, readJournal } from "../fixtures/journal.ts";
import { providePackages } from "../fixtures/packages.ts";
import { RawClient } from "../fixtures/raw-client.ts";
import { until } from "../fixtures/until.ts";

/** A plugin that says which version it is, and writes down when it begins and ends. */
const versioned = (name: string): string => `
  import type { FastifyInstance } from "fastify";
  import { note } from "./journal.ts";
  export default async function (fastify: FastifyInstance) {
    note("${name} starts");
    fastify.addHook("onReady", async () => { await new Promise((done) => setTimeout(done, 20)); note("${name} ready"); });
    fastify.addHook("onClose", async () => { note("${name} closed"); fastify.log.warn("${name} says goodbye"); });
    fastify.get("/", async () => "${name}");
    fastify.get("/slow", async () => {
      note("${name} asked");
      await new Promise((done) => setTimeout(done, 300));
      note("${name} answers");
      return "${name}";
    });
  }
  export const dispose = () => note("${name} disposed");
`;

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
  `,
  handlers: {
    "journal.ts": journalModule,
    "versions.ts": versioned("first"),
    "fails.ts": `
      let tries = 0;
      export default async function () { tries++; throw new Error("no database, try " + tries); }
    `,
    "app.ts": `
      import { Readable } from "node:stream";
      import type { FastifyInstance, FastifyPluginAsync } from "fastify";
      import { note } from "./journal.ts";
      export const options = { bodyLimit: 100 };
      const app: FastifyPluginAsync = async (fastify, { prefix }: { prefix?: string }) => {
        fastify.get("/", async () => "root of " + prefix);
        fastify.get("/items/:name", async (request) => ({ params: request.params, query: request.query, url: request.url }));
        fastify.get("/facts", async (request) => ({
          ip: request.ip, protocol: request.protocol, hostname: request.hostname, user: request.raw.apache!.user,
        }));
        fastify.post("/json", {
          schema: { body: { type: "object", properties: { n: { type: "integer" } }, required: ["n"] } },
        }, async (request, reply) => reply.code(201).send({ got: request.body }));
        fastify.get("/redirect", async (_request, reply) => reply.redirect("items/x"));
        fastify.get("/cookies", async (_request, reply) => reply.header("set-cookie", ["a=1", "b=2"]).send("cookies"));
        fastify.get("/stream", async (_request, reply) => reply.type("text/plain").send(Readable.from(["one ", "two"])));
        fastify.get("/web", async () => new Response("web", { status: 202, headers: { "x-web": "1" } }));
        fastify.get("/events", (request, reply) => {
          reply.hijack();
          reply.raw.writeHead(200, { "content-type": "text/event-stream" });
          const timer = setInterval(() => reply.raw.write("data: tick\\n\\n"), 5);
          reply.raw.on("close", () => { clearInterval(timer); note("events closed"); });
        });
        fastify.get("/throws", async () => { throw new Error("boom in fastify"); });
        fastify.get("/logs", async (request) => { request.log.warn({ a: 1 }, "a %s warning", "real"); request.log.info("for %s", "info"); return "logged"; });
        fastify.get("/nothing", async (_request, reply) => reply.code(204).send());
        fastify.addHook("onResponse", async (request) => note("onResponse " + request.url));
      };
      export default app;
      export const rooted = async (fastify: FastifyInstance) => {
        fastify.get("/root/a", async (request) => request.url);
      };
    `,
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
  await logHas(t, /MODTS_NOT_AN_APPLICATION: .*app\.ts exports an object .*, not a Fastify plugin/);
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
