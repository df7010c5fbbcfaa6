/** Express applications and plain listeners of `node:http`, through a real Apache. */
import { renameSync, writeFileSync } from "node:fs";
import { connect } from "node:http2";
import { join } from "node:path";
import { text as streamText } from "node:stream/consumers";
import t, { type Test } from "tap";
import { isCutOff } from "../fixtures/cut-off.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { journalConf, journalHas, journalModule } from "../fixtures/journal.ts";
import { providePackages } from "../fixtures/packages.ts";
import { RawClient } from "../fixtures/raw-client.ts";
import { until } from "../fixtures/until.ts";

const apache = await startApache(t, {
  modules: ["mod_http2"],
  conf: `
    Protocols h2c http/1.1
    <Location /app>
      Use TsHandler mod_ts/node
      Use TsOption mod_ts.node.application express.ts
      Use TsOption mod_ts.node.base /app
      Use TsOption files "\${FOLDER}/files"
    </Location>
    <Location /whole>
      Use TsHandler mod_ts/node
      Use TsOption mod_ts.node.application express.ts
    </Location>
    <Location /listener>
      Use TsHandler mod_ts/node
      Use TsOption mod_ts.node.application listener.ts::ways
    </Location>
    <Location /wrong>
      Use TsHandler mod_ts/node
      Use TsOption mod_ts.node.application saved.ts
    </Location>
    <Location /text>
      Use TsHandler mod_ts/node
      Use TsOption mod_ts.node.application wrong.ts::text
    </Location>
    <Location /unnamed>
      Use TsHandler mod_ts/node
    </Location>
    <Location /cookies>
      Use TsFixupHandler listener.ts::cookie
      Use TsHandler mod_ts/node
      Use TsOption mod_ts.node.application listener.ts::cookies
    </Location>
    ${journalConf}
  `,
  config: { limits: { bodyBytes: 4_000_000 } },
  files: { "files/a.txt": "0123456789", "htdocs/app/plain.txt": "served by Apache's rules" },
  handlers: {
    "journal.ts": journalModule,
    "wrong.ts": handlerFile("node-wrong.ts"),
    "saved.ts": "export const other = 1;",
    "express.ts": handlerFile("node-express.ts"),
    "listener.ts": handlerFile("node-listener.ts"),
  },
});
providePackages(apache);

const logHas = async (t: Test, pattern: RegExp) =>
  t.match(await until(apache.sidecarLog, pattern), pattern);
const get = (path: string, headers: Record<string, string> = {}) =>
  apache.request(path, { headers });
const post = (path: string, body: string | Buffer, type = "application/json") =>
  apache.request(path, { method: "POST", body, headers: { "content-type": type } });

t.test("Express sees what it sees behind its own server", async (t) => {
  const reply = await get("/app/facts?a=1&b=%20", { "x-forwarded-for": "192.0.2.1" });
  t.match(reply, { status: 200, headers: { "x-powered-by": "Express", etag: /^W\// } });
  t.match(reply.headers["content-type"], "application/json; charset=utf-8");
  t.match(JSON.parse(reply.body), {
    url: "/facts?a=1&b=%20",
    originalUrl: "/app/facts?a=1&b=%20",
    baseUrl: "/app",
    path: "/facts",
    query: { a: "1", b: " " },
    ip: "127.0.0.1",
    protocol: "http",
    secure: false,
    hostname: "127.0.0.1",
    host: `127.0.0.1:${apache.port}`,
    forwarded: "192.0.2.1",
    port: true,
    version: "1.1",
    uniqueId: true,
  });
});

t.test("the base", async (t) => {
  t.match(JSON.parse((await get("/app/router/deep?q")).body), {
    baseUrl: "/app/router",
    url: "/deep?q",
    originalUrl: "/app/router/deep?q",
  });
  t.match(JSON.parse((await get("/whole/path")).body), {
    url: "/whole/path",
    baseUrl: "",
    originalUrl: "/whole/path",
  });
  t.match((await get("/app/items/a%20b%C3%A9")).body, "item a bé");
  t.match((await get("/%61pp/items/x")).body, "item x");
  t.match((await get("/app//items/../items/x")).body, "item x");
});

t.test("answers", async (t) => {
  t.match(await get("/app/redirect"), { status: 302, headers: { location: "../elsewhere?x=1" } });
  const cookies = await get("/app/cookies");
  t.match(cookies.headers["set-cookie"], [
    "a=1; Path=/; HttpOnly",
    "b=two%20words; Path=/",
    /^c=; Path=\/; Expires/,
  ]);
  t.match(cookies.headers, { link: "</a>; rel=a, </b>; rel=b", vary: "X-One" });
  t.match(cookies.headers["content-type"], "text/html; charset=utf-8");
  t.match(await get("/app/nothing"), { status: 204, body: "" });
  const { headers } = await get("/app/etag");
  const again = await get("/app/etag", { "if-none-match": String(headers.etag) });
  t.match(again, { status: 304, body: "", headers: { etag: headers.etag } });
  const head = await apache.request("/app/etag", { method: "HEAD" });
  t.match(head, { status: 200, body: "", headers: { "content-length": "15" } });
  t.notOk(head.headers["transfer-encoding"]);
});

t.test("bodies", async (t) => {
  t.match(await post("/app/json", '{"a":[1]}'), { status: 201, body: '{"got":{"a":[1]}}' });
  t.match(await post("/app/form", "a=1&a=2", "application/x-www-form-urlencoded"), {
    body: '{"a":["1","2"]}',
  });
  t.match(await post("/app/raw", Buffer.alloc(3_000_000)), { body: "3000000" });
  t.match(await post("/app/ignored", Buffer.alloc(3_000_000)), { body: "not read" });
  const chunked = new RawClient(apache.port).head(
    "POST /app/json HTTP/1.1",
    "Transfer-Encoding: chunked",
    "Content-Type: application/json",
    "Connection: close",
  );
  chunked.chunk('{"b":').chunk("2}").send("0\r\n\r\n");
  t.match(await chunked.closed, '{"got":{"b":2}}');
});

t.test("what body parsers refuse has their status and no stack", async (t) => {
  t.match(await post("/app/json", "{"), { status: 400, body: /JSON/ });
  t.match(await post("/app/json", `"${"x".repeat(2000)}"`), { status: 413 });
  const large = Buffer.alloc(5_000_000);
  t.match(await post("/app/raw", large), { status: 413 }, "limits.bodyBytes");
  const unannounced = new RawClient(apache.port).head(
    "POST /app/raw HTTP/1.1",
    "Transfer-Encoding: chunked",
    "Content-Type: text/plain",
    "Connection: close",
  );
  unannounced.chunk(String(large)).send("0\r\n\r\n");
  t.match(await unannounced.closed, /^HTTP\/1\.1 413 /);
  const expected = new RawClient(apache.port).head(
    "POST /app/json HTTP/1.1",
    "Content-Length: 9",
    "Content-Type: application/json",
    "Expect: 100-continue",
    "Connection: close",
  );
  await expected.until(/100 Continue/);
  t.match(await expected.send('{"c":333}').closed, /201 Created[^]*"c":333/);
});

t.test("files", async (t) => {
  t.match(await get("/app/file"), { status: 200, body: "0123456789" });
  const part = await get("/app/static/a.txt", { range: "bytes=2-4" });
  t.match(part, { status: 206, body: "234", headers: { "content-range": "bytes 2-4/10" } });
  t.match(await get("/app/static/%2e%2e/a.txt"), { status: 404 });
});

t.test("what Express passes on is Apache's", async (t) => {
  t.match(await get("/app/unknown"), { status: 404, body: /<h1>Not Found/ });
  t.match(await get("/app/plain.txt"), { status: 200, body: "served by Apache's rules" });
  t.match(await post("/app/unknown", "{}"), { status: 404 });
});

t.test("errors: the client learns nothing, the log all", async (t) => {
  const thrown = await get("/app/throws");
  t.equal(thrown.status, 500);
  t.notMatch(thrown.body, /boom|express/);
  await logHas(
    t,
    /MODTS_HANDLER_FAILED: mod_ts\/node express\.ts failed in phase handler[^]*boom in a route[^]*express\.ts:\d+/,
  );
  t.match(await get("/app/rejects"), { status: 503, body: /Unavailable/ });
  await logHas(t, /secret detail/);
  t.match(await get("/app/refuses"), {
    status: 418,
    body: "no tea\n",
    headers: { "x-tea": "no" },
  });
  await logHas(t, /mod_ts:info\][^\n]*the application refused with 418: no tea/);
  t.match(await get("/app/handled"), { status: 409, body: "its own error page" });
  t.ok(await isCutOff(get("/app/late")), "the response is cut off");
  await logHas(t, /boom after the head/);
});

t.test("server-sent events, until the client leaves", async (t) => {
  const client = new RawClient(apache.port).head("GET /app/events HTTP/1.1");
  await client.until(/data: 2\n\n/);
  t.match(client.text, /content-type: text\/event-stream/i);
  client.leave();
  const notes = await journalHas(apache, "events closed, finished false");
  t.ok(notes.includes("events request closed"));
});

t.test("trailers of both sides are dropped, over HTTP/1.1 and HTTP/2", async (t) => {
  const client = new RawClient(apache.port);
  client.head(
    "POST /listener/trailers HTTP/1.1",
    "Transfer-Encoding: chunked",
    "Connection: close",
  );
  const text = await client.send("1\r\na\r\n0\r\nX-Sent: 1\r\n\r\n").closed;
  t.match(text, /^HTTP\/1\.1 200 [^]*\r\n\r\nbody \{\}$/);
  const session = connect(apache.url);
  const request = { ":method": "POST", ":path": "/listener/trailers", te: "trailers" };
  const stream = session.request(request, { waitForTrailers: true });
  let trailers: unknown;
  stream.once("wantTrailers", () => stream.sendTrailers({ "x-sent": "1" }));
  stream.once("trailers", (received) => (trailers = received)).end("a");
  t.equal(await streamText(stream), "body {}");
  t.equal(trailers, undefined, "though Apache would pass them on");
  session.close();
});

t.test("plain listeners", async (t) => {
  const at = (way: string) => get(`/listener/${way}`);
  t.match(await at("chunked"), { status: 200, body: "one two" });
  const head = await at("head");
  t.match(head, { status: 207, body: "head", headers: { "x-a": "1, 2" } });
  t.match(Buffer.from((await at("latin")).headers["x-name"] as string, "latin1")[3], 0xe9);
  t.match(JSON.parse((await get("/listener/fields", { "X-Case": "a" })).body), {
    headers: "a",
    distinct: ["a"],
    complete: true,
  });
  t.match(await post("/listener/continue", "piped"), { status: 200, body: "piped" });
  const large = Buffer.alloc(500_000, "é");
  const echo = await post("/listener/echo", large, "text/x");
  t.match(echo, { status: 200, headers: { "content-type": "text/x" } });
  t.ok(echo.body === large.toString());
});

t.test("an upload, streamed through a parser", async (t) => {
  const form = new FormData();
  form.append("title", "a title");
  form.append("file", new Blob(["x".repeat(1_000_000)]), "x.bin");
  const response = await fetch(`${apache.url.replace(/\/$/, "")}/listener/upload`, {
    method: "POST",
    body: form,
  });
  t.strictSame(await response.json(), [
    ["title", "a title"],
    ["file", "x.bin", 1_000_000],
  ]);
});

t.test("cookies of earlier handlers stay", async (t) => {
  const { headers } = await get("/cookies");
  t.strictSame(headers["set-cookie"]?.toSorted(), ["early=1", "late=2", "later=3"]);
});

t.test("events and states are Node's", async (t) => {
  const reply = await get("/listener/events");
  t.match(reply, { body: "ab", headers: { "content-length": "2" } });
  const notes = await journalHas(apache, "states: true,true,false");
  const order = notes.find((entry) => entry.startsWith("order")) ?? "";
  t.match(order, /^order: written,.*res finish,.*res close$/);
  t.match((await get("/listener/drain")).body.length, 64 * 65536);
  t.strictSame(
    (await journalHas(apache, "waits: true")).filter((entry) => /drain/.test(entry)),
    [],
  );
});

t.test("what goes wrong", async (t) => {
  t.ok(await isCutOff(get("/listener/wrong")), "shorter than announced: cut off");
  await logHas(t, /MODTS_LENGTH_MISMATCH/);
  t.match(await get("/listener/rejects"), { status: 500 });
  await logHas(t, /mod_ts\/node listener\.ts::ways failed[^]*boom in a listener/);
  t.ok(await isCutOff(get("/listener/destroys")), "a response that was destroyed looks cut off");
  await get("/listener/req-destroys").catch(() => {});
  const notes = await journalHas(apache, "response closed");
  t.ok(notes.includes("request destroyed"));
  t.match(await get("/listener/status"), { status: 500 });
  t.match(await get("/listener/after"), { status: 200, body: "whole" });
  await logHas(t, /boom after the end/);
  t.match(await get("/wrong"), { status: 500 });
  await logHas(t, /MODTS_MISSING_EXPORT: .*saved\.ts has no export named default/);
  t.match(await get("/text"), { status: 500 });
  await logHas(t, /MODTS_NOT_AN_APPLICATION: .*wrong\.ts exports "text"; expected a function/);
  t.match(await get("/unnamed"), { status: 500 });
  await logHas(t, /MODTS_BAD_OPTION: invalid option mod_ts\.node\.application/);
});

t.test("a save is live, a broken one changes nothing", async (t) => {
  const file = join(apache.folder, "handlers/saved.ts");
  writeFileSync(file, "export default (_req: unknown, res: any) => res.end('one');");
  t.match(await get("/wrong"), { body: "one" });
  writeFileSync(file, "export default (_req: unknown, res: any) => res.end('two');");
  t.match(await get("/wrong"), { body: "two" });
  writeFileSync(file, "export default (_req: unknown, res: any) => {");
  t.match(await get("/wrong"), { body: "two" });
  await logHas(t, /MODTS_BUILD_FAILED.*version \d+ keeps serving/);
});

t.test("requests that run while it is saved all get one version or the other", async (t) => {
  const file = join(apache.folder, "handlers/saved.ts");
  const seen = new Set<string>();
  const over = new AbortController();
  const ask = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const { status, body } = await get("/wrong");
      seen.add(status === 200 ? body.replace(/\d+/, "n") : `${status}`);
    }
  };
  const asking = Promise.all([ask(), ask(), ask(), ask()]);
  for (let version = 0; version < 20; version += 1) {
    writeFileSync(
      `${file}.new`,
      `import express from "express";
      const app = express();
      app.get("/wrong", async (_req, res) => {
        res.write("version ");
        await new Promise((done) => setTimeout(done, 5));
        res.end("${version}");
      });
      export default app;`,
    );
    renameSync(`${file}.new`, file);
    t.equal(
      (await get("/wrong")).body,
      `version ${version}`,
      `version ${version} is served at once`,
    );
  }
  over.abort();
  await asking;
  t.strictSame([...seen], ["version n"]);
});
