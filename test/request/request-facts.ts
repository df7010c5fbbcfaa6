import t from "tap";
import { logChannel } from "../../src/base/channels.ts";
import {
  REMOTE_DOUBLE_REV,
  REMOTE_HOST,
  REMOTE_NAME,
  REMOTE_NOLOOKUP,
} from "../../src/request/connection.ts";
import type { Exchange, RequestContext } from "../../src/request/exchange.ts";
import { methodMask, methodNumberOf, RequestFacts } from "../../src/request/request-facts.ts";
import { contextOf } from "../fixtures/exchange-server.ts";
import * as methods from "../../src/request/methods.ts";

function factsOf(overrides: Partial<RequestContext> = {}): RequestFacts {
  return new RequestFacts(contextOf(overrides), {} as Exchange);
}

t.test("what Apache said", async (t) => {
  const req = factsOf({ method: "HEAD" });
  t.equal(req.theRequest, "GET /a/b?x=1 HTTP/1.1");
  t.equal(req.protocol, "HTTP/1.1");
  t.equal(req.protoNum, 1001);
  t.equal(req.method, "HEAD");
  t.equal(req.methodNumber, 0);
  t.equal(req.headerOnly, true);
  t.equal(req.hostname, "www.example.com");
  t.equal(req.unparsedUri, "/a/b?x=1");
  t.equal(req.uri, "/a/b");
  t.equal(req.args, "x=1");
  t.equal(req.filename, "/srv/htdocs/a");
  t.equal(req.canonicalFilename, "/srv/htdocs/a");
  t.equal(req.pathInfo, "/b");
  t.equal(req.user, null);
  t.equal(req.authType, null);
  t.equal(req.getAuthType(), null);
  t.equal(req.handler, null);
  t.equal(req.usedPathInfo, 2);
  t.equal(req.parsedUri.query, "x=1");
  t.equal(req.useragentIp, "192.0.2.7");
  t.strictSame(req.useragentAddr, ["192.0.2.7", 52110]);
  t.equal(req.uniqueId, "abc123");
  t.equal(req.documentRoot(), "/srv/htdocs");
  t.equal(req.isHttps(), false);
  t.equal(req.constructUrl("/z"), "http://www.example.com/z");
  for (const link of [req.main, req.prev, req.next]) t.equal(link, null);
  t.ok(Math.abs(req.requestTime - Date.now() / 1000) < 60);
  t.not(Number.isInteger(req.requestTime) && req.requestTime > 1e12, true, "seconds");
});

t.test("protocol numbers", async (t) => {
  t.equal(factsOf({ protocol: "HTTP/2.0" }).protoNum, 2000);
  t.equal(factsOf({ protocol: "HTTP/2" }).protoNum, 2000);
  t.equal(factsOf({ protocol: "" }).protoNum, 0);
});

t.test("what handlers may change", async (t) => {
  const req = factsOf({ user: "bob", authType: "Basic" });
  t.equal(req.user, "bob");
  t.equal(req.getAuthType(), "Basic");
  req.user = "eve";
  req.authType = "Token";
  req.uri = "/new";
  req.pathInfo = "";
  req.args = "y=2";
  t.strictSame(
    [req.user, req.authType, req.uri, req.pathInfo, req.args],
    ["eve", "Token", "/new", "", "y=2"],
  );
  req.user = null;
  req.authType = null;
  req.args = null;
  t.strictSame([req.user, req.authType, req.args], [null, null, null]);
  req.canonicalFilename = "/canonical";
  t.equal(req.canonicalFilename, "/canonical");
  t.equal(req.filename, "/srv/htdocs/a");
});

t.test("no query is null, as in mod_python", async (t) => {
  t.equal(factsOf({ args: "" }).args, null);
  t.equal(factsOf({ args: "", target: "/a?" }).args, "", "an empty one is empty");
});

t.test("of a part of a page, and of an error page", async (t) => {
  const about = { requestLine: "POST /p%20q?x HTTP/1.1", target: "/p%20q?x" };
  const page = { method: "POST", unparsedUri: "/p%20q?x", uri: "/p q" };
  t.strictSame(factsOf({ ...about, environment: { MOD_TS_SUBREQUEST: "1" } }).main, page);
  const environment = { MOD_TS_STATUS: "404", MOD_TS_PREVIOUS_NOTES: "a=1&b=%26" };
  t.same(factsOf({ ...about, user: "ann", environment }).prev, {
    ...page,
    user: "ann",
    notes: { a: "1", b: "&" },
  });
});

t.test("finfo follows filename", async (t) => {
  const folder = t.testdir({ a: "1", "b.tar.gz": "22" });
  const req = factsOf({ filename: `${folder}/a` });
  t.equal(req.finfo.size, 1);
  t.equal(req.finfo, req.finfo, "read once");
  t.equal(req.extension, null);
  req.filename = `${folder}/b.tar.gz`;
  t.equal(req.finfo.size, 2);
  t.equal(req.extension, ".tar.gz");
  t.equal(factsOf({ filename: "/x.d/.htaccess" }).extension, ".htaccess");
  t.equal(factsOf({ filename: "/x.d/y" }).extension, null);
});

t.test("tables are made once and do not write through", async (t) => {
  const context = contextOf({ notes: { n: "1" }, environment: { SSL_CIPHER: "c" } });
  const req = new RequestFacts(context, {} as Exchange);
  req.headersIn.set("host", "changed");
  req.notes.set("n", "2");
  req.subprocessEnv.set("e", "3");
  t.equal(req.headersIn.get("Host"), "changed");
  t.equal(req.notes.get("N"), "2");
  t.equal(req.subprocessEnv.get("E"), "3");
  t.strictSame(context.rawHeaders, ["Host", "www.example.com"]);
  t.strictSame(context.notes, { n: "1" });
  t.equal(req.sslVarLookup("SSL_CIPHER"), "c");
  t.equal(req.sslVarLookup("SSL_NONE"), null);
});

t.test("server and connection", async (t) => {
  const req = factsOf();
  t.equal(req.server, req.server);
  t.equal(req.connection, req.connection);
  t.equal(req.connection.baseServer, req.server);
});

t.test("options and config", async (t) => {
  const req = factsOf({ options: { a: "1" }, debug: true, interpreter: "blog" });
  t.strictSame(req.getOptions(), { a: "1" });
  t.strictSame({ ...req.getConfig() }, { TsDebug: "1", TsInterpreter: "blog" });
  t.equal(factsOf().getConfig()["TsDebug"], "0");
});

t.test("getRemoteHost", async (t) => {
  const types = [REMOTE_HOST, REMOTE_NAME, REMOTE_NOLOOKUP, REMOTE_DOUBLE_REV, undefined];
  const all = (req: RequestFacts): unknown[] => types.map((type) => req.getRemoteHost(type));
  const ip = "192.0.2.7";
  t.strictSame(all(factsOf()), [null, ip, ip, null, ip]);
  const environment = { REMOTE_HOST: "c.example" };
  t.strictSame(all(factsOf({ environment })), [
    "c.example",
    "c.example",
    ip,
    "c.example",
    "c.example",
  ]);
});

t.test("logError names client and request", async (t) => {
  const records: unknown[] = [];
  const listener = (record: unknown): void => void records.push(record);
  logChannel.subscribe(listener);
  factsOf().logError("hm", "warn");
  factsOf().logError("oh");
  logChannel.unsubscribe(listener);
  const details = { client: "192.0.2.7:52110", uniqueId: "abc123" };
  t.strictSame(records, [
    { level: "warn", message: "hm", ...details },
    { level: "error", message: "oh", ...details },
  ]);
});

t.test("numbers of httpd.h", async (t) => {
  t.equal(methodNumberOf("GET"), methods.M_GET);
  t.equal(methodNumberOf("HEAD"), methods.M_GET);
  t.equal(methodNumberOf("get"), methods.M_INVALID, "methods have a case");
  t.equal(methodNumberOf("BREW"), methods.M_INVALID);
  for (const [name, number] of Object.entries(methods)) {
    if (!name.startsWith("M_") || name === "M_INVALID") continue;
    t.equal(methodNumberOf(name.slice(2).replace("_", "-")), number, name);
  }
});

t.test("methodMask", async (t) => {
  t.equal(methodMask(["GET", "HEAD", "POST", "BREW"]), 0b101);
  t.equal(methodMask([]), 0);
});
