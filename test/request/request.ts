import { readFileSync } from "node:fs";
import t from "tap";
import type { Exchange, RequestContext } from "../../src/request/exchange.ts";
import { internals } from "../../src/request/internals.ts";
import { ApacheRequest } from "../../src/request/request.ts";
import { contextOf, serve } from "../fixtures/exchange-server.ts";

const exchange = { begun: false, ended: false, hasBody: false } as Exchange;

function requestOf(overrides: Partial<RequestContext> = {}): ApacheRequest {
  return new ApacheRequest(contextOf(overrides), exchange);
}

const basic = (text: string): string[] => [
  "Authorization",
  `Basic ${Buffer.from(text).toString("base64")}`,
];

t.test("internals are made once and stay out of sight", async (t) => {
  const req = requestOf();
  t.equal(req[internals], req[internals]);
  t.strictSame(Object.keys(req), ["handler", "usedPathInfo", "requestTime"]);
  t.equal(req.phase, null);
  t.equal(req.handlerEntry, null);
  req[internals].phase = "fixup";
  req[internals].handlerEntry = { handler: "a.ts", phase: "fixup" };
  req[internals].interpreter = "blog";
  t.equal(req.phase, "fixup");
  t.match(req.handlerEntry, { handler: "a.ts" });
  t.equal(req.interpreter, "blog");
});

t.test("state holds anything, under any name", async (t) => {
  const req = requestOf();
  req.state["__proto__"] = 1;
  req.state["a"] = { b: 1 };
  t.strictSame(Object.keys(req.state), ["__proto__", "a"]);
  t.equal(req.state, req.state);
});

t.test("contentType shows Apache's until it is set", async (t) => {
  t.equal(requestOf().contentType, null);
  const req = requestOf({ contentType: "video/mp2t" });
  t.equal(req.contentType, "video/mp2t");
  t.equal(req[internals].response.contentType, undefined, "but that is not sent");
  req.contentType = "text/css";
  t.equal(req.contentType, "text/css");
});

t.test("contentEncoding and contentLanguages", async (t) => {
  const req = requestOf();
  t.equal(req.contentEncoding, null);
  t.strictSame(req.contentLanguages, []);
  req.headersOut.set("content-encoding", "br").set("content-language", "de, en");
  req.headersOut.add("content-language", "fr");
  t.equal(req.contentEncoding, "br");
  t.strictSame(req.contentLanguages, ["de", "en", "fr"]);
});

t.test("allowMethods", async (t) => {
  const req = requestOf();
  req.allowMethods(["GET"]);
  req.allowMethods(["GET", "BREW", "POST"]);
  t.strictSame(req.allowedMethods, ["GET", "BREW", "POST"]);
  t.strictSame(req.allowedXmethods, ["BREW"]);
  t.equal(req.allowed, 0b101);
  req.allowMethods(["PUT"], true);
  t.strictSame(req.allowedMethods, ["PUT"]);
});

t.test("validators", async (t) => {
  const folder = t.testdir({ file: "hello" });
  const req = requestOf({ filename: `${folder}/file` });
  req.setLastModified();
  t.equal(req.headersOut.has("Last-Modified"), false, "nothing is known yet");
  req.updateMtime(784111777);
  req.updateMtime(5);
  t.equal(req.mtime, 784111777);
  req.setLastModified();
  t.equal(req.headersOut.get("Last-Modified"), "Sun, 06 Nov 1994 08:49:37 GMT");
  req.setEtag();
  t.match(req.headersOut.get("ETag"), /"5-[0-9a-f]+"$/);
  req.setEtag("v1");
  t.equal(req.headersOut.get("ETag"), '"v1"');
  req.updateMtime(Date.now() / 1000 + 1e6);
  req.setLastModified();
  t.ok(Date.parse(req.headersOut.get("Last-Modified") ?? "") <= Date.now(), "never to come");
  const none = requestOf();
  none.setEtag();
  t.notOk(none.headersOut.has("ETag"));
});

t.test("meetsConditions", async (t) => {
  const req = requestOf({ rawHeaders: ["If-None-Match", '"v1"', "If-Modified-Since", "x"] });
  t.equal(req.meetsConditions(), 0);
  req.errHeadersOut.set("ETag", '"v1"');
  t.equal(req.meetsConditions(), 304);
  req.status = 404;
  t.equal(req.meetsConditions(), 0, "an error is not compared");
  req.status = 200;
  req.setEtag("v2");
  t.equal(req.meetsConditions(), 0);
});

t.test("getBasicAuthPassword fills user", async (t) => {
  const req = requestOf({ rawHeaders: basic("bob:secret") });
  t.equal(req.getBasicAuthPassword(), "secret");
  t.equal(req.user, "bob");
  t.equal(req.authType, "Basic");
  const none = requestOf();
  t.equal(none.getBasicAuthPassword(), null);
  t.equal(none.user, null);
});

t.test("whom Apache established is not replaced by the header", async (t) => {
  const other = requestOf({ user: "bob", rawHeaders: basic("root:x") });
  t.equal(other.getBasicAuthPassword(), null);
  t.equal(other.user, "bob");
  t.equal(requestOf({ user: "bob", rawHeaders: basic("bob:x") }).getBasicAuthPassword(), "x");
});

const handler = (): number => 0;

t.test("addHandler", async (t) => {
  const req = requestOf();
  req.addHandler("log", "log.ts::late");
  req.addHandler("log", handler);
  t.strictSame(req[internals].added?.get("log"), ["log.ts::late", handler]);
  t.throws(() => req.addHandler("filter" as "log", handler), { code: "MODTS_BAD_PHASE" });
  for (const bad of [undefined, null, "", 5]) {
    t.throws(() => req.addHandler("log", bad as string), { code: "MODTS_BAD_ARGUMENT" });
  }
});

t.test("cleanups run last one first, with their data", async (t) => {
  const order: unknown[] = [];
  const server = await serve(t, (req) => {
    req.registerCleanup(() => order.push("first"));
    req.registerCleanup((data) => order.push(data), { a: 1 });
  });
  await server.ask();
  t.strictSame(order, [{ a: 1 }, "first"]);
});

t.test("the body is read through the request", async (t) => {
  const server = await serve(t, async (req) => {
    switch (req.unparsedUri) {
      case "/read":
        return void req.write(await req.read(2));
      case "/line":
        return void req.write(await req.readLine());
      case "/lines":
        return void req.write(String((await req.readLines()).length));
      case "/text":
        return void req.write(await req.text());
      case "/json":
        return void req.write(JSON.stringify(await req.json()));
      case "/discard":
        await req.discardRequestBody();
        return void req.write("gone");
      default:
        await req.read();
        req.write(String(req.body));
    }
  });
  t.equal((await server.ask("POST /read", "abc")).body, "ab");
  t.equal((await server.ask("POST /line", "a\nb")).body, "a\n");
  t.equal((await server.ask("POST /lines", "a\nb")).body, "2");
  t.equal((await server.ask("POST /text", "grün")).body, "grün");
  t.equal((await server.ask("POST /json", "[1]")).body, "[1]");
  t.equal((await server.ask("POST /json", "[")).status, 400);
  t.equal((await server.ask("POST /discard", "abc")).body, "gone");
  t.equal((await server.ask("POST /twice", "abc")).body, "MODTS_BODY_USED");
});

/** Names a handler author sees: own members and those of the classes above. */
function membersOf(object: object): string[] {
  const names = new Set(Object.keys(object));
  let level = Object.getPrototypeOf(object) as object;
  for (; level !== Object.prototype; level = Object.getPrototypeOf(level) as object) {
    for (const name of Object.getOwnPropertyNames(level)) names.add(name);
  }
  names.delete("constructor");
  return [...names].toSorted();
}

t.test("the page in docs lists every member, and no other", async (t) => {
  const page = readFileSync(new URL("../../docs/request-object.md", import.meta.url), "utf8");
  const [tables = ""] = page.split("## HeaderTable");
  const listed = [...tables.matchAll(/^\| `(\w+)(?:\([^`]*\))?` +\|/gm)].map(([, name]) => name);
  t.strictSame(listed.toSorted(), membersOf(requestOf()));
});
