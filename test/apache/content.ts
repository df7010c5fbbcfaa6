/** Content handlers: every way to answer, through a real Apache. */
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";

const apache = await startApache(t, {
  conf: `
    <Location /all>
      Use TsHandler all.ts
    </Location>
    <Location /class>
      Use TsHandler all.ts::Greeter
    </Location>
    <Location /method>
      Use TsHandler all.ts::Greeter.wave
    </Location>
    <Location /object>
      Use TsHandler all.ts::nested.deep.greet
    </Location>
  `,
  handlers: {
    "all.ts": handlerFile("content-all.ts"),
  },
});

const get = (name: string) => apache.request(`/all/${name}`);

t.test("what a handler returns decides", async (t) => {
  t.match(await get("ok"), { status: 200, body: "ok", headers: { "content-length": "2" } });
  t.match(await get("nothing"), { status: 200, body: "nothing returned" });
  t.match(await get("promise"), { status: 200, body: "later" });
  t.match(await get("empty"), { status: 200, body: "" });
  t.match(await get("created"), { status: 201, body: "made" });
  t.match(await get("bytes"), { status: 200, headers: { "content-type": "application/x-bytes" } });
});

t.test("DONE: a page of one's own with any status", async (t) => {
  t.match(await get("done"), { status: 404, body: "own page" });
});

t.test(
  "a returned status: the standard page, headersOut dropped, errHeadersOut kept",
  async (t) => {
    const reply = await get("status");
    t.equal(reply.status, 404);
    t.match(reply.body, /<h1>Not Found<\/h1>/);
    t.notMatch(reply.body, /lost/);
    t.equal(reply.headers["x-err"], "kept");
    t.equal(reply.headers["x-out"], undefined);
  },
);

t.test("a redirect keeps its Location", async (t) => {
  t.match(await get("redirect"), { status: 302, headers: { location: /\/elsewhere$/ } });
});

t.test("401 always comes with a challenge", async (t) => {
  t.match(await get("unauthorized"), {
    status: 401,
    headers: { "www-authenticate": /^Basic realm="/ },
  });
});

t.test("HttpError from any depth, with headers and a body", async (t) => {
  t.match(await get("thrown"), { status: 410, headers: { "x-why": "a, b" } });
  t.match(await get("body"), {
    status: 409,
    body: "taken\n",
    headers: { "content-type": "text/plain; charset=utf-8" },
  });
});

t.test("a web-standard Response, several cookies included", async (t) => {
  const reply = await get("response");
  t.match(reply, { status: 202, body: "web", headers: { "x-web": "1" } });
  t.same(reply.headers["set-cookie"], ["a=1", "b=2"]);
  t.match(await get("json"), { body: '{"a":1}', headers: { "content-type": /json/ } });
});

t.test("DECLINED where Apache maps no file is 404", async (t) => {
  t.match(await get("declined"), { status: 404 });
});

t.test("what was flushed goes out at once, in chunks", async (t) => {
  const reply = await get("flushed");
  t.match(reply, { body: "one two", headers: { "transfer-encoding": "chunked" } });
  t.equal(reply.headers["content-length"], undefined);
});

t.test("a body of another length than was promised is not sent as a whole", async (t) => {
  const reply = await get("part");
  t.equal(reply.status, 502, "the connection was broken off before a byte of it");
  t.notMatch(reply.body, /half/);
  t.match(await get("copied"), { body: "all of it", headers: { "content-length": "9" } });
});

t.test("HEAD: the headers of GET, no body", async (t) => {
  const reply = await apache.request("/all/ok", { method: "HEAD" });
  t.match(reply, { status: 200, body: "", headers: { "content-length": "2" } });
});

t.test("a class is made with the request, its method called", async (t) => {
  t.match(await apache.request("/class?ann"), { body: "hello ann" });
  t.match(await apache.request("/method?bob"), { body: "wave bob" });
  t.match(await apache.request("/object"), { body: "deep" });
});
