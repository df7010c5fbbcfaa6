/** Content handlers: every way to answer, through a real Apache. */
import t from "tap";
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
    "all.ts": `
      import { DECLINED, DONE, HttpError, OK, type ApacheRequest } from "mod-ts";
      const answers: Record<string, (req: ApacheRequest) => unknown> = {
        ok: (req) => { req.contentType = "text/plain"; req.write("ok"); return OK; },
        nothing: (req) => { req.write("nothing returned"); },
        promise: async (req) => { await new Promise((done) => setTimeout(done, 5)); req.write("later"); return OK; },
        done: (req) => { req.status = 404; req.write("own page"); return DONE; },
        status: (req) => { req.headersOut.set("X-Out", "lost"); req.errHeadersOut.set("X-Err", "kept"); req.write("lost"); return 404; },
        teapot: () => 418,
        created: (req) => { req.write("made"); return 201; },
        redirect: (req) => { req.headersOut.set("Location", "/elsewhere"); return 302; },
        thrown: () => { const deep = () => { throw new HttpError(410, { headers: { "X-Why": ["a", "b"] } }); }; deep(); },
        body: () => { throw new HttpError(409, { body: "taken\\n" }); },
        response: () => new Response("web", { status: 202, headers: [["set-cookie", "a=1"], ["set-cookie", "b=2"], ["x-web", "1"]] }),
        json: () => Response.json({ a: 1 }),
        declined: () => DECLINED,
        flushed: async (req) => { req.write("one "); await req.flush(); req.write("two"); return OK; },
        bytes: (req) => { req.contentType = "application/x-bytes"; req.write(Buffer.from([0, 255, 13, 10])); return OK; },
        empty: () => OK,
        unauthorized: () => 401,
        part: (req) => { req.setContentLength(1000); req.write("half of it"); return OK; },
        copied: (req) => { req.headersOut.set("Content-Length", "1000"); req.write("all of it"); return OK; },
      };
      export function handler(req: ApacheRequest) {
        const name = req.pathInfo.slice(1) || req.uri.split("/").at(-1)!;
        return answers[name]!(req) as number;
      }
      export class Greeter {
        #name: string;
        constructor(req: ApacheRequest) { this.#name = req.args ?? "nobody"; }
        handler(req: ApacheRequest) { req.write("hello " + this.#name); return OK; }
        wave(req: ApacheRequest) { req.write("wave " + this.#name); return OK; }
      }
      export const nested = { deep: { greet(req: ApacheRequest) { req.write("deep"); return OK; } } };
    `,
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
