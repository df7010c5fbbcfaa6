import { createServer } from "node:http";
import t from "tap";
import connect from "express";
import { fastify } from "fastify";
import {
  applicationUrl,
  createApplicationHandler,
  exportOf,
  isConnect,
  loadApplication,
  notAnApplication,
  readApplication,
  readBase,
} from "../../../src/handlers/applications/application.ts";
import { HttpError } from "../../../src/base/http-error.ts";
import { DECLINED } from "../../../src/base/outcome.ts";
import { internals } from "../../../src/request/internals.ts";
import { ApacheRequest } from "../../../src/request/request.ts";
import { contextOf } from "../../fixtures/exchange-server.ts";
import { parseReference } from "../../../src/engine/handler-reference.ts";
import { SectionOptions } from "../../../src/base/options.ts";

const app = { exports: {}, file: "/srv/a.ts", generation: 1 };

function requestFor(options: Record<string, string>): ApacheRequest {
  const req = new ApacheRequest(contextOf({ options }), {} as never);
  req[internals].modules = { load: () => app };
  return req;
}

t.test("options, URL, module and name of a call", async (t) => {
  const handler = createApplicationHandler("kind", (call) => call);
  const req = requestFor({ "mod_ts.kind.application": "a.ts::b", "mod_ts.kind.base": "/a" });
  t.match(await handler(req), {
    req,
    module: app,
    base: "/a",
    reference: { path: ["b"] },
    url: { base: "/a", rest: "/b?x=1", whole: "/a/b?x=1" },
    name: "mod_ts/kind a.ts::b",
  });
  const elsewhere = { "mod_ts.kind.application": "a.ts", "mod_ts.kind.base": "/b" };
  t.equal(await handler(requestFor(elsewhere)), DECLINED);
  await t.rejects(handler(requestFor({})), { code: "MODTS_BAD_OPTION" });
});

t.test("what a stranger throws gets the application's name", async (t) => {
  const throwing = (error: Error) =>
    createApplicationHandler("kind", () => {
      throw error;
    })(requestFor({ "mod_ts.kind.application": "a.ts" }));
  await t.rejects(throwing(new Error("boom")), {
    code: "MODTS_HANDLER_FAILED",
    message: "mod_ts/kind a.ts failed in phase handler",
  });
  await t.rejects(throwing(new HttpError(410)), { name: "HttpError", outcome: 410 });
});

const moduleOf = (exports: Record<string, unknown>) => ({
  exports,
  file: "/srv/a.ts",
  generation: 1,
});

t.test("what a reference names, own exports alone", async (t) => {
  const module = moduleOf({ default: 1, api: { v1: 2 }, nothing: null });
  t.equal(exportOf(module, []), 1);
  t.equal(exportOf(module, ["api", "v1"]), 2);
  for (const name of [
    "other",
    "toString",
    "__proto__",
    "api.constructor",
    "nothing.deep",
    "api.v2",
  ]) {
    t.throws(() => exportOf(module, name.split(".")), {
      code: "MODTS_MISSING_EXPORT",
      message: `/srv/a.ts has no export named ${name}`,
    });
  }
});

t.test("the loader hears which export matters", async (t) => {
  const req = new ApacheRequest(contextOf(), {} as never);
  const asked: string[] = [];
  const module = moduleOf({});
  req[internals].modules = {
    load(...names) {
      asked.push(names.join("::"));
      return module;
    },
  };
  t.equal(await loadApplication(req, parseReference("a.ts")), module);
  await loadApplication(req, parseReference("a.ts::api.v1"));
  t.strictSame(asked, ["a.ts::default", "a.ts::api"]);
});

t.test("the error says what it is instead", async (t) => {
  const text = (value: unknown) => notAnApplication(moduleOf({}), value, "a fish").message;
  t.equal(text("word"), '/srv/a.ts exports "word"; expected a fish');
  t.equal(text({}), "/srv/a.ts exports an object (Object); expected a fish");
  t.equal(
    text(connect()),
    "/srv/a.ts exports an Express or Connect application; expected a fish; its handler is mod_ts/node",
  );
  t.equal(
    text(fastify()),
    "/srv/a.ts exports a Fastify instance; expected a fish; its server is for mod_ts/node: await app.ready(); export default app.server",
  );
  t.equal(
    text(createServer()),
    "/srv/a.ts exports a server of node:http; expected a fish; its handler is mod_ts/node",
  );
  t.ok(isConnect(connect()));
  t.notOk(isConnect(() => {}));
  t.notOk(isConnect(undefined));
});

const bad = { code: "MODTS_BAD_OPTION" };

t.test("application and base", async (t) => {
  const values = { "mod_ts.node.application": "app.ts::api.v1", "mod_ts.node.base": "/app/" };
  t.match(readApplication("node", values), {
    reference: { module: "app.ts", path: ["api", "v1"], text: "app.ts::api.v1" },
    base: "/app",
  });
  t.match(readApplication("node", { "mod_ts.node.application": "app.ts" }), { base: "" });
});

t.test("mistakes", async (t) => {
  t.throws(() => readApplication("node", {}), { ...bad, message: /application: missing/ });
  const values = { "mod_ts.node.application": "app.ts", "mod_ts.node.bas": "/" };
  t.throws(() => readApplication("node", values), {
    ...bad,
    message: /expected one of application, base/,
  });
  const reference = { "mod_ts.node.application": "::name" };
  t.throws(() => readApplication("node", reference), { code: "MODTS_BAD_REFERENCE" });
});

t.test("a base", async (t) => {
  const base = (text: string) =>
    readBase(new SectionOptions({ "mod_ts.fetch.base": text }, "fetch"));
  t.equal(base("/"), "");
  t.equal(base("/a//b/"), "/a/b");
  t.equal(base("/a%20b"), "/a b");
  for (const text of ["app", "/app?x", "/app#x", "http://www.example.com/app"]) {
    t.throws(() => base(text), bad, text);
  }
});

/** `uri` is the path as Apache understood it, by default the decoded one. */
function urlOf(target: string, base = "", uri?: string) {
  const [path = "", ...query] = target.split("?");
  const context = contextOf({
    target,
    uri: uri ?? decodeURIComponent(path),
    args: query.join("?"),
  });
  return applicationUrl(new ApacheRequest(context, {} as never), base);
}

const whole = (target: string, uri?: string) => urlOf(target, "", uri)?.whole;

t.test("as sent", async (t) => {
  for (const target of [
    "/",
    "/a/b?x=1&y",
    "/a%20b/%C3%A9",
    "/%61",
    "/a;b=c+d",
    "/a/?",
    "/a.b/..c",
  ]) {
    t.equal(whole(target), target);
  }
  t.equal(whole("/a?x=?y#"), "/a?x=?y#");
  t.equal(whole("http://www.example.com/a?x", "/a"), "/a?x");
  t.equal(whole("http://www.example.com", "/"), "/");
});

t.test("as Apache understood it, where the two differ", async (t) => {
  t.equal(whole("/a//b", "/a/b"), "/a/b");
  t.equal(whole("/a/./b/../c", "/a/c"), "/a/c");
  t.equal(whole("/a/%2e%2E/b", "/b"), "/b");
  t.equal(whole("/a/..", "/"), "/");
  t.equal(whole("/a%2fb", "/a/b"), "/a/b", "AllowEncodedSlashes On");
  t.equal(whole("/a%2fb", "/a%2fb"), "/a%2fb", "AllowEncodedSlashes NoDecode");
  t.equal(whole("/a%252Fb", "/a%2Fb"), "/a%252Fb");
  t.equal(whole("/old?x", "/new place/50%"), "/new%20place/50%25?x", "rewritten");
});

t.test("below a base", async (t) => {
  const parts = (target: string, base: string, uri?: string) => {
    const url = urlOf(target, base, uri);
    return url && [url.base, url.rest, url.whole];
  };
  t.strictSame(parts("/app", "/app"), ["/app", "/", "/app"]);
  t.strictSame(parts("/app?x", "/app"), ["/app", "/?x", "/app?x"]);
  t.strictSame(parts("/app/", "/app"), ["/app", "/", "/app/"]);
  t.strictSame(parts("/app/a/b", "/app/a"), ["/app/a", "/b", "/app/a/b"]);
  t.strictSame(parts("/%61pp/b", "/app"), ["/%61pp", "/b", "/%61pp/b"]);
  t.strictSame(parts("/a%20b/c%20d", "/a b"), ["/a%20b", "/c%20d", "/a%20b/c%20d"]);
  t.strictSame(parts("/%C3%A9/x", "/é"), ["/%C3%A9", "/x", "/%C3%A9/x"]);
  t.strictSame(parts("/x/../app//b", "/app", "/app/b"), ["/app", "/b", "/app/b"]);
  t.strictSame(parts("/a/b", ""), ["", "/a/b", "/a/b"]);
  for (const target of ["/", "/ap", "/apple", "/APP/x", "/x/app", "/app%2Fx"]) {
    t.equal(urlOf(target, "/app", target === "/app%2Fx" ? target : undefined), undefined, target);
  }
});
