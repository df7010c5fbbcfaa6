import t from "tap";
import {
  endToEnd,
  forApache,
  forForeign,
  framing,
  hasBody,
  toRecord,
} from "../../../src/handlers/origin/outgoing.ts";
import type { ForeignOrigin } from "../../../src/handlers/origin/origin-options.ts";
import type { Exchange, RequestContext } from "../../../src/request/exchange.ts";
import { HeaderTable } from "../../../src/request/headers.ts";
import { ApacheRequest } from "../../../src/request/request.ts";
import { contextOf } from "../../fixtures/exchange-server.ts";

const request = (context: Partial<RequestContext> = {}, withBody = false): ApacheRequest =>
  new ApacheRequest(contextOf(context), { hasBody: withBody } as Exchange);

const origin: ForeignOrigin = {
  name: "http://app.example/",
  target: { protocol: "http:", hostname: "app.example", port: "8080" },
  base: "/base",
  strip: "",
  preserveHost: false,
};

t.test("another server is asked for what Apache has judged", async (t) => {
  const { path, headers } = forForeign(
    request({ target: "/a/..//b%20c?q=%2e", uri: "/b c", args: "q=%2e" }),
    origin,
  );
  t.equal(path, "/base/b%20c?q=%2e");
  t.match(headers, {
    host: "app.example:8080",
    "x-forwarded-host": "www.example.com",
    via: "1.1 mod_ts",
  });
});

t.test("what a client says of itself does not go on, however it is spelled", async (t) => {
  const spellings = [
    "X-Forwarded-Proto",
    "X_Forwarded_For",
    "X.Forwarded.Host",
    "x_real-ip",
    "X+Forwarded~For",
  ];
  const rawHeaders = ["Host", "x", ...spellings.flatMap((name) => [name, "evil"]), "X-Other", "1"];
  const { headers } = forForeign(request({ rawHeaders }), origin);
  t.notMatch(JSON.stringify(headers), /evil/);
  t.equal(headers["x-other"], "1");
});

t.test("the prefix", async (t) => {
  const pathOf = (target: string, strip: string): string =>
    forForeign(request({ target, uri: target, args: "" }), { ...origin, base: "", strip }).path;
  t.equal(pathOf("/app/x", "/app"), "/x");
  t.equal(pathOf("/app", "/app"), "/");
  t.equal(pathOf("/application", "/app"), "/application", "another name");
  t.equal(pathOf("/x/app", "/app"), "/x/app");
});

t.test("ten times through here are a circle", async (t) => {
  const via = (times: number): ApacheRequest =>
    request({ rawHeaders: ["Host", "x", "Via", Array(times).fill("1.1 mod_ts").join(", ")] });
  t.equal(forForeign(via(9), origin).headers["via"], Array(10).fill("1.1 mod_ts").join(", "));
  t.throws(() => forForeign(via(10), origin), { code: "MODTS_ORIGIN_LOOP", status: 508 });
});

t.test("Apache is asked as it was the first time", async (t) => {
  const target = "/a/..//b%2Fc;x?q='%2e#";
  t.equal(forApache(request({ target }), undefined).path, target);
  const absolute = request({ target: "http://other.example:81/x?y" });
  t.match(forApache(absolute, undefined), { path: "/x?y", headers: { host: "other.example:81" } });
  for (const odd of ["*", "/a b", "/é", "/\n"]) {
    t.throws(() => forApache(request({ target: odd }), undefined), { code: "MODTS_BAD_URL" }, odd);
  }
});

t.test("a redirect leaves the body behind, and what describes it", async (t) => {
  const rawHeaders = ["Host", "x", "Content-Type", "a/b", "Content-Length", "5", "Cookie", "c"];
  const req = request({ method: "POST", rawHeaders }, true);
  const to = (method: string) => forApache(req, { path: "/to", method });
  t.same(Object.keys(to("GET").headers), ["cookie", "host"]);
  t.same(Object.keys(to("POST").headers), ["content-type", "cookie", "host"]);
  t.notOk(hasBody(req, "GET"));
  t.ok(hasBody(req, "PUT"));
});

t.test("the framing is that of the bytes, whatever a handler did to headersIn", async (t) => {
  const known = request({ rawHeaders: ["content-length", "5"] }, true);
  known.headersIn.set("Content-Length", "500");
  t.same(framing(known), { "content-length": "5" });
  t.same(framing(request({ rawHeaders: ["X", "5"] }, true)), { "transfer-encoding": "chunked" });
});

t.test("what ends at a hop", async (t) => {
  const hops =
    "Connection Keep-Alive Proxy-Authenticate Proxy-Authorization Proxy-Connection TE Trailer Transfer-Encoding Upgrade";
  const raw = hops.split(" ").flatMap((name) => [name, "x-named, X-Other"]);
  const kept = ["X-Named", "1", "x-other", "2", "MOD-TS-X", "3", "Modest", "4", "X-named-not", "5"];
  t.same(endToEnd([...raw, ...kept]).flat(), ["Modest", "4", "X-named-not", "5"]);
  t.same(endToEnd(["connection", "close", "Cookie", "a"]), [["Cookie", "a"]]);
});

t.test("a record, with every value of a name, whatever it is called", async (t) => {
  const raw = ["A", "1", "a", "2", "b", "3", "__proto__", "4", "c", "5"];
  const record = toRecord(HeaderTable.fromRaw(raw), (name) => name === "c");
  t.same(Object.entries(record), [
    ["a", ["1", "2"]],
    ["b", "3"],
    ["__proto__", "4"],
  ]);
});
