/** Fetch applications through a real Apache: Hono, an object with fetch, a function. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { journalConf, journalHas, journalModule } from "../fixtures/journal.ts";
import { providePackages } from "../fixtures/packages.ts";
import { RawClient } from "../fixtures/raw-client.ts";
import { until } from "../fixtures/until.ts";

const apache = await startApache(t, {
  modules: ["mod_rewrite"],
  conf: `
    <Location /app>
      Use TsHandler hono.ts
    </Location>
    <Location /stripped>
      Use TsHandler mod_ts/fetch
      Use TsOption mod_ts.fetch.application hono.ts::inner
      Use TsOption mod_ts.fetch.base /stripped/
    </Location>
    <Location "/with space">
      Use TsHandler url.ts
      Use TsOption mod_ts.fetch.base "/with space"
    </Location>
    <Location /url>
      Use TsHandler url.ts
    </Location>
    <Location /below>
      Use TsHandler url.ts
      Use TsOption mod_ts.fetch.base /below
    </Location>
    <Location /elsewhere>
      Use TsHandler url.ts
      Use TsOption mod_ts.fetch.base /below
    </Location>
    <Location /badbase>
      Use TsHandler url.ts
      Use TsOption mod_ts.fetch.base app
    </Location>
    RewriteEngine On
    RewriteRule "^/old/(.*)" "/below/new/$1" [PT,QSA]
    AllowEncodedSlashes NoDecode
    <Location /function>
      Use TsHandler function.ts
      Use TsOption greeting hello
    </Location>
    <Location /both>
      Use TsHandler both.ts
    </Location>
    <Location /class>
      Use TsHandler class.ts
    </Location>
    <Location /express>
      Use TsHandler express.ts
    </Location>
    <Location /wrong>
      Use TsHandler wrong.ts
    </Location>
    <Location /saved>
      Use TsHandler saved.ts
    </Location>
    <Location /fixup>
      Use TsFixupHandler function.ts
      Use TsHandler function.ts
    </Location>
    ${journalConf}
  `,
  handlers: {
    "journal.ts": journalModule,
    "hono.ts": handlerFile("fetch-hono.ts"),
    "url.ts": handlerFile("fetch-url.ts"),
    "function.ts": handlerFile("fetch-function.ts"),
    "both.ts": handlerFile("fetch-both.ts"),
    "class.ts": handlerFile("fetch-class.ts"),
    "express.ts": handlerFile("fetch-express.ts"),
    "wrong.ts": handlerFile("no-handler.ts"),
    "saved.ts": "export default { fetch: () => new Response('one') };",
  },
});
providePackages(apache);

const get = (path: string, headers: Record<string, string> = {}) =>
  apache.request(path, { headers });
const logHas = async (t: Test, pattern: RegExp) =>
  t.match(await until(apache.sidecarLog, pattern), pattern);

t.test("Hono, whole URLs and basePath", async (t) => {
  t.match(await get("/app/items/a%20b?q=c%26d"), { status: 200, body: "item a b c&d" });
  t.match(await get("/app"), { body: "root of " });
  t.match(JSON.parse((await get("/app/where/x?y")).body), {
    path: "/app/where/x",
    url: `${apache.url.replace(/\/$/, "")}/app/where/x?y`,
  });
  t.match(JSON.parse((await get("/app/user")).body), { user: null, id: true });
  t.match(await get("/app/unknown"), { status: 404, body: "404 Not Found" });
  t.match(await get("/app/redirect"), { status: 302, headers: { location: "./items/x" } });
});

t.test("Hono below a base that is taken off", async (t) => {
  t.match(await get("/stripped"), { body: "root of /stripped" });
  t.match(await get("/stripped/"), { body: "root of /stripped" });
  t.match(await get("/stripped?x"), { body: "root of /stripped" });
  t.match(await get("/stripped/items/x?q=1"), { body: "item x 1" });
  t.match(JSON.parse((await get("/strippe%64/where/")).body), {
    path: "/where/",
    base: "/strippe%64",
  });
  t.match(await get("/stripped/unknown"), { status: 404, body: "404 Not Found" });
});

t.test("bodies and cookies", async (t) => {
  const json = { method: "POST", headers: { "content-type": "application/json" } };
  t.match(await apache.request("/app/json", { ...json, body: '{"a":1}' }), {
    status: 201,
    body: '{"got":{"a":1}}',
  });
  const form = new FormData();
  form.append("name", "ann");
  form.append("name", "bob");
  const { headers, body } = await toParts(form);
  const posted = await apache.request("/app/form", { method: "POST", headers, body });
  t.match(JSON.parse(posted.body), { name: ["ann", "bob"] });
  const cookies = await get("/app/cookies", { cookie: "sent=yes" });
  t.strictSame(cookies.headers["set-cookie"], ["a=1; Path=/", "b=yes; Path=/"]);
  const head = await apache.request("/app/items/x", { method: "HEAD" });
  t.match(head, { status: 200, body: "", headers: { "content-type": /text\/plain/ } });
});

async function toParts(form: FormData): Promise<{ headers: Record<string, string>; body: Buffer }> {
  const response = new Response(form);
  return {
    headers: { "content-type": response.headers.get("content-type") ?? "" },
    body: Buffer.from(await response.arrayBuffer()),
  };
}

t.test("streams come as they are made, and end with the client", async (t) => {
  t.match(await get("/app/stream"), {
    body: "one two three",
    headers: { "transfer-encoding": "chunked" },
  });
  const client = new RawClient(apache.port).head("GET /app/events HTTP/1.1");
  await client.until(/id: 2\n/);
  client.leave();
  const notes = await journalHas(apache, "hono aborted, signal true");
  t.ok(notes);
});

t.test("waitUntil: the client does not wait", async (t) => {
  t.match(await get("/app/later"), { body: "at once" });
  await journalHas(apache, "waited");
  await logHas(t, /registered cleanup failed in phase cleanup[^]*boom in the background/);
});

t.test("errors", async (t) => {
  t.match(await get("/app/throws"), { status: 500, body: "own error page" });
  t.match(await get("/app/rethrows"), { status: 500, body: /Internal Server Error/ });
  await logHas(t, /MODTS_HANDLER_FAILED: hono\.ts failed in phase handler[^]*boom for apache/);
  t.match(await get("/stripped/throws"), { status: 500 });
  t.match(await get("/function/throws"), { status: 500 });
  await logHas(t, /function\.ts failed in phase handler[^]*boom in a function/);
  t.match(await get("/function/nothing"), { status: 500 });
  await logHas(
    t,
    /MODTS_NO_RESPONSE: application returned no Response \(function\.ts in phase handler\)/,
  );
});

const origin = apache.url.replace(/\/$/, "");
const urls: [string, string][] = [
  ["/url", "/url "],
  ["/url/", "/url/ "],
  ["/url/a%20b/%C3%A9?q=%26&r", "/url/a%20b/%C3%A9?q=%26&r "],
  ["/url/a+b;c=1,2@3:4~'()*!$&", "/url/a+b;c=1,2@3:4~'()*!$& "],
  ["/url/%61%2B%3b", "/url/%61%2B%3b "],
  ["/url/a%2Fb", "/url/a%2Fb "],
  ["/url//a/./b/../c", "/url/a/c "],
  ["/x/%2e%2e/url/a", "/url/a "],
  ["/below", "/ /below"],
  ["/below?x=1", "/?x=1 /below"],
  ["/below/", "/ /below"],
  ["/below/a%2Fb/", "/a%2Fb/ /below"],
  ["/%62elow/a", "/a /%62elow"],
  ["/with%20space/a%20b", "/a%20b /with%20space"],
  ["/old/a%20b?q", "/new/a%20b?q /below"],
];

for (const [path, expected] of urls) {
  t.test(`URL of ${path}`, async (t) => {
    t.equal((await get(path)).body, `GET ${origin}${expected}`, path);
  });
}

t.test("elsewhere than the base: Apache's rules", async (t) => {
  t.match(await get("/belowe"), { status: 404 });
  t.match(await get("/elsewhere/a"), { status: 404, body: /<h1>Not Found/ });
  t.match(await get("/badbase"), { status: 500 });
  await logHas(t, /MODTS_BAD_OPTION: invalid option mod_ts\.fetch\.base: must be a path/);
});

t.test("what a module may export", async (t) => {
  t.match(await get("/function", { "x-name": "ann" }), { body: "hello ann" });
  const body = await apache.request("/function/body", { method: "PUT", body: "loud" });
  t.match(body, { body: "LOUD" });
  t.match(await get("/function/number"), { status: 404, body: /<h1>Not Found/ });
  t.match(await get("/both"), { body: "handler" });
  t.match(await get("/class"), { status: 500 });
  await logHas(t, /MODTS_NOT_AN_APPLICATION: .*class\.ts exports a function/);
  t.match(await get("/express"), { status: 500 });
  await logHas(
    t,
    /MODTS_NOT_AN_APPLICATION: .*express\.ts exports an Express or Connect application/,
  );
  t.match(await get("/wrong"), { status: 500 });
  await logHas(t, /MODTS_MISSING_EXPORT: .*wrong\.ts has no export named handler/);
});

t.test("a default export answers content, and no other phase", async (t) => {
  t.match(await get("/fixup"), { status: 500 });
  await logHas(t, /function\.ts has no export named fixupHandler/);
});

t.test("methods that the web does not know", async (t) => {
  t.equal((await apache.request("/url", { method: "OPTIONS" })).body, `OPTIONS ${origin}/url `);
  t.equal((await apache.request("/url", { method: "PROPFIND" })).body, `PROPFIND ${origin}/url `);
  t.match((await apache.request("/url", { method: "TRACK" })).status, 501);
});

t.test("saves: live, and half of a file is no new version", async (t) => {
  const save = (text: string) => writeFileSync(join(apache.folder, "handlers/saved.ts"), text);
  t.equal((await get("/saved")).body, "one");
  save("const app = { fetch: () => new Response('two') };\n");
  t.equal((await get("/saved")).body, "one");
  await logHas(t, /saved\.ts.*lost its export "default"/);
  save("const app = { fetch: () => new Response('two') };\nexport default app;\n");
  t.equal((await get("/saved")).body, "two");
  save("export const handler = () => new Response('a handler');");
  t.equal((await get("/saved")).body, "a handler");
  save("export default () => new Response('a function');");
  t.equal((await get("/saved")).body, "a function");
});
