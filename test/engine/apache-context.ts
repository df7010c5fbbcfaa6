import t from "tap";
import {
  clientHeaders,
  decodeBase64,
  fieldCount,
  ApacheContext,
  splitHeaders,
  targetOf,
} from "../../src/engine/apache-context.ts";
import { contextHeader } from "../fixtures/context-header.ts";

const facts = {
  directives: { options: Object.freeze({ a: "1" }), debug: true },
  interpreter: "main",
};

function contextOf(raw: string[]): ApacheContext {
  return new ApacheContext("PUT", splitHeaders(raw), facts);
}

t.test("every field comes out as Apache said it", (t) => {
  const context = contextOf([
    "Mod-Ts-Context",
    contextHeader({
      user: "jörg",
      authType: "Basic",
      contentType: "text/html",
      contextPrefix: "/alias",
      contextDocumentRoot: "/srv/alias",
      serverAdmin: "root@example.org",
      serverSoftware: "Apache/2.4.71",
      notes: "a=1&b=two+words",
    }),
  ]);
  t.match(context, {
    method: "PUT",
    scheme: "http",
    serverPort: 8080,
    remoteAddress: "192.0.2.7",
    remotePort: 40000,
    connectionAddress: "192.0.2.8",
    uniqueId: "id-1",
    protocol: "HTTP/1.1",
    requestLine: "GET /a%2Fb?x=1 HTTP/1.1",
    target: "/a%2Fb?x=1",
    filename: "/srv/www/a",
    pathInfo: "/b",
    uri: "/a/b",
    args: "x=1",
    user: "jörg",
    authType: "Basic",
    serverName: "www.example.org",
    documentRoot: "/srv/www",
    contentType: "text/html",
    contextPrefix: "/alias",
    contextDocumentRoot: "/srv/alias",
    serverAdmin: "root@example.org",
    serverSoftware: "Apache/2.4.71",
    options: { a: "1" },
    debug: true,
    interpreter: "main",
  });
  t.same({ ...context.notes }, { a: "1", b: "two words" });
  t.end();
});

t.test("odd bytes survive: separators, line ends, bytes that are no UTF-8", (t) => {
  const odd = "/srv/a;b\n\t\u{1f600}\u2028";
  t.equal(contextOf(["Mod-Ts-Context", contextHeader({ filename: odd })]).filename, odd);
  const latin1 = Buffer.from([0x2f, 0xe9, 0xff]);
  t.equal(contextOf(["Mod-Ts-Context", contextHeader({ filename: latin1 })]).filename, "/éÿ");
  t.equal(decodeBase64(""), "");
  t.end();
});

t.test("our headers are taken out whatever their case, the client's stay as they are", (t) => {
  const split = splitHeaders(
    [
      ["Host", "h"],
      ["mod-ts-config", "handler a.ts"],
      ["X-A", "1"],
      ["x-a", "2"],
      ["MOD-TS-CONFIG", "option k v"],
      ["Mod-Ts-Env", "A=Yg=="],
      ["Mod-Ts-Other", "x"],
      ["Mod-Ts-Context", contextHeader()],
      ["Connection", "keep-alive"],
      ["Mod_Ts_Context", "plain"],
    ].flat(),
  );
  t.same(clientHeaders(split.raw), [
    "Host",
    "h",
    "X-A",
    "1",
    "x-a",
    "2",
    "Mod_Ts_Context",
    "plain",
  ]);
  t.same(split.directives, ["handler a.ts", "option k v"]);
  t.same(split.environment, ["A=Yg=="]);
  t.equal(split.fields.length, fieldCount);
  t.end();
});

t.test("two contexts: one of them is forged", (t) => {
  const twice = ["Mod-Ts-Context", contextHeader(), "mod-ts-context", contextHeader()];
  t.throws(() => splitHeaders(twice), { code: "MODTS_CONTEXT_INVALID" });
  t.end();
});

t.test("the environment that the configuration passes on", (t) => {
  const value = Buffer.from("C=DE; CN=x=y\n").toString("base64");
  const { environment } = contextOf(["Mod-Ts-Env", `SSL_CLIENT_S_DN=${value}`, "Mod-Ts-Env", "=x"]);
  t.same({ ...environment }, { SSL_CLIENT_S_DN: "C=DE; CN=x=y\n" });
  t.same({ ...contextOf([]).environment }, {});
  const two = ["Mod-Ts-Env", "A=Yg==", "Mod-Ts-Env", "C=ZA==, E=Zg=="];
  t.same({ ...contextOf(two).environment }, { A: "b", C: "d", E: "f" });
  t.end();
});

t.test("the environment of an error page, and of a part of a page", (t) => {
  const environmentOf = (fields: Record<string, string>, ...more: string[]): object => ({
    ...contextOf(["Mod-Ts-Context", contextHeader(fields), ...more]).environment,
  });
  t.same(environmentOf({}), {});
  t.same(environmentOf({ status: "404", previousNotes: "a=1" }, "Mod-Ts-Env", "A=Yg=="), {
    A: "b",
    MOD_TS_STATUS: "404",
    MOD_TS_PREVIOUS_NOTES: "a=1",
  });
  t.same(environmentOf({ status: "404" }), { MOD_TS_STATUS: "404" });
  t.same(environmentOf({ previousNotes: "a=1" }), {}, "the redirect was no failure");
  t.same(environmentOf({ isSubRequest: "true" }), { MOD_TS_SUBREQUEST: "1" });
  t.end();
});

t.test("the target of a request line", (t) => {
  t.equal(targetOf("GET /a b HTTP/1.1"), "/a b");
  t.equal(targetOf("GET /"), "/");
  t.equal(targetOf(""), "");
  t.end();
});

t.test("the configuration is written in UTF-8, which Node hands over as Latin-1", async (t) => {
  const latin1 = Buffer.from("handler öpt→ions.ts").toString("latin1");
  const { directives } = splitHeaders(["Mod-Ts-Config", latin1, "Mod-Ts-Config", "option a \xff"]);
  t.strictSame(directives, ["handler öpt→ions.ts", "option a \xff"]);
});
