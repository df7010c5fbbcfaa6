/** One round from options to answer; the rest is in test/apache/fetch.ts. */
import t from "tap";
import express from "express";
import {
  callFetch,
  createFetch,
  type Fetch,
  fetchHandler,
  fetchOf,
} from "../../../src/handlers/applications/fetch.ts";
import { startEngine } from "../../fixtures/gateway.ts";
import { DECLINED } from "../../../src/base/outcome.ts";
import { internals } from "../../../src/request/internals.ts";
import { serve } from "../../fixtures/exchange-server.ts";

const peer = await startEngine(t, {
  fetch: createFetch(),
  app: {
    default: (request: Request) => new Response(new URL(request.url).pathname),
    api: { fetch: () => Promise.reject(new Error("boom")) },
    nothing: () => {},
  },
});

const ask = (uri: string, ...options: string[]) =>
  peer.ask(["handler fetch", ...options.map((text) => `option mod_ts.fetch.${text}`)], {
    context: { uri, line: `GET ${uri} HTTP/1.1` },
  });

t.test("application and base", async (t) => {
  t.match(await ask("/a/b", "application app"), { status: 200, body: "/a/b" });
  t.match(await ask("/a/b", "application app", "base /a"), { status: 200, body: "/b" });
  t.match(await ask("/b/b", "application app", "base /a"), { status: 404 });
});

t.test("mistakes", async (t) => {
  t.match(await ask("/"), { status: 500 });
  t.match(peer.log(), "MODTS_BAD_OPTION: invalid option mod_ts.fetch.application");
  t.match(await ask("/", "application app::api"), { status: 500 });
  t.match(peer.log(), /mod_ts\/fetch app::api failed in phase handler[^]*boom/);
  t.match(await ask("/", "application app::nothing"), { status: 500 });
  t.match(peer.log(), "MODTS_NO_RESPONSE");
  t.match(await ask("/", "application app::missing"), { status: 500 });
  t.match(peer.log(), "MODTS_MISSING_EXPORT");
});

const moduleOf = (exports: Record<string, unknown>) => ({
  exports,
  file: "/srv/a.ts",
  generation: 1,
  failure: undefined,
  release() {},
});
const url = { base: "/app", rest: "/x?y", whole: "/app/x?y" };

t.test("an object with fetch, or a function", async (t) => {
  const answer = () => new Response("x");
  t.equal(fetchOf(moduleOf({ default: answer }), []), answer);
  const object = {
    text: "own",
    fetch(this: { text: string }) {
      return new Response(this.text);
    },
  };
  const found = fetchOf(moduleOf({ api: object }), ["api"]);
  t.equal(await (await found({} as never, {} as never, {} as never)).text(), "own");
  class Inherited extends Object {
    fetch = answer;
  }
  t.ok(fetchOf(moduleOf({ default: new Inherited() }), []));
  class Other {
    other = answer;
  }
  for (const value of [Other, express(), {}, { fetch: 1 }, "text", null, undefined]) {
    t.throws(() => fetchOf(moduleOf({ default: value }), []), { code: "MODTS_NOT_AN_APPLICATION" });
  }
});

t.test("request, env, answer", async (t) => {
  const fetch: Fetch = async (request, { apache, base }) => {
    t.equal(apache.method, "POST");
    return new Response(`${request.url} ${base} ${await request.text()}`, { status: 201 });
  };
  const server = await serve(t, (req) => callFetch(req, fetch, url));
  t.match(await server.ask("POST /app/x?y", "body"), {
    status: 201,
    body: "http://www.example.com/x?y /app body",
  });
});

t.test("no answer, no such method", async (t) => {
  const values: unknown[] = [undefined, null, Promise.resolve()];
  const server = await serve(t, (req) => callFetch(req, () => values.shift() as Response, url));
  for (let index = 0; index < 3; index++) t.equal((await server.ask()).body, "MODTS_NO_RESPONSE");
  const other = await serve(t, (req) => callFetch(req, () => new Response(), url));
  t.equal((await other.ask("TRACE /")).status, 501);
});

t.test("waitUntil is waited for, a rejection is the cleanup's", async (t) => {
  const fetch: Fetch = (_request, _env, context) => {
    context.waitUntil(Promise.reject(new Error("later")));
    return new Response("now");
  };
  let cleanups: unknown[] = [];
  const server = await serve(t, async (req) => {
    const given = await callFetch(req, fetch, url);
    cleanups = req[internals].cleanups.splice(0).map((cleanup) => cleanup());
    return given;
  });
  t.equal((await server.ask()).body, "now");
  await t.rejects(cleanups[0] as Promise<unknown>, { message: "later" });
});

t.test("the default export as a handler", async (t) => {
  const handler = fetchHandler(
    moduleOf({ default: (request: Request) => new Response(request.url) }),
  );
  const options = Object.freeze({ "mod_ts.fetch.base": "/a" });
  const server = await serve(t, handler, { options });
  t.equal((await server.ask("GET /a/b?x=1")).body, "http://www.example.com/b?x=1");
  const outcomes: unknown[] = [];
  const elsewhere = await serve(t, (req) => void outcomes.push(handler(req)), {
    options: { "mod_ts.fetch.base": "/b" },
  });
  await elsewhere.ask();
  t.strictSame(outcomes, [DECLINED]);
});
