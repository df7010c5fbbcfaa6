/** Response headers through Apache: which survive what, and when it is too late. */
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { until } from "../fixtures/until.ts";

const apache = await startApache(t, {
  conf: `
    <Location /h>
      Use TsHandler headers.ts
    </Location>
    <Location /override>
      Use TsHandler headers.ts
      Use TsErrorDocument
    </Location>
  `,
  handlers: {
    "headers.ts": handlerFile("headers.ts"),
  },
});

const get = (name: string, headers = {}) => apache.request(`/h/${name}`, { headers });
const cookies = { all: ["out=1", "err=1", "err=2"], error: ["err=1", "err=2"] };

t.test("on success both tables go out, each value of its own", async (t) => {
  for (const name of ["ok", "done"]) {
    const { headers } = await get(name);
    t.match(headers, { "x-out": "1", "x-err": "1" }, name);
    t.strictSame(headers["set-cookie"], cookies.all, name);
  }
});

t.test("on an error errHeadersOut survives, headersOut does not", async (t) => {
  for (const [name, status] of Object.entries({ missing: 404, thrown: 409, fails: 500 })) {
    const { status: got, headers } = await get(name);
    t.equal(got, status, name);
    t.equal(headers["x-out"], undefined, name);
    t.equal(headers["x-err"], "1", name);
    t.strictSame(headers["set-cookie"], cookies.error, name);
  }
});

t.test("with Apache's ErrorDocument in place of ours only the challenge is left", async (t) => {
  const { status, headers, body } = await apache.request("/override/missing");
  t.equal(status, 404);
  t.match(body, /was not found on this server/, "Apache's own page");
  t.equal(headers["set-cookie"], undefined, "mod_proxy_http drops all but WWW-Authenticate");
  const refused = await apache.request("/override/refused");
  t.match(refused, { status: 401, headers: { "www-authenticate": "Own realm" } });
});

t.test("a redirect by status keeps its Location and the headers of errors", async (t) => {
  const { status, headers } = await get("redirect");
  t.equal(status, 303);
  t.match(headers.location, /\/b$/);
  t.strictSame(headers["set-cookie"], cookies.error);
});

t.test(
  "redirect(): status, Location, body; headers and cookies go along; too late is an error",
  async (t) => {
    const { status, headers, body } = await get("helper");
    t.match({ status, body }, { status: 301, body: "moved" });
    t.match(headers.location, /\/b\?c=h%C3%A4%C3%9F%20d$/);
    t.strictSame(headers["set-cookie"]?.toSorted(), cookies.all.toSorted());
  },
);

t.test("after the first flush every change is an error that says so", async (t) => {
  const { status, headers, body } = await get("late");
  t.equal(status, 200);
  t.equal(headers["x-late"], undefined);
  t.equal(body, `begun ${Array(5).fill("MODTS_HEADERS_SENT").join(" ")}`);
});

t.test("a line break in a value is refused", async (t) => {
  const { status, headers } = await get("split");
  t.equal(status, 500);
  t.equal(headers["x-injected"], undefined);
  const log = await until(() => apache.sidecarLog(), "MODTS_BAD_HEADER");
  t.match(log, /MODTS_BAD_HEADER: invalid header X-Name: .* \(headers\.ts in phase handler\)/);
});

t.test("noCache adds Expires and Cache-Control", async (t) => {
  t.match((await get("cache")).headers, { expires: /1970/, "cache-control": "no-cache" });
});

t.test("validators, and what they are for", async (t) => {
  const whole = await get("validators");
  t.match(whole, { status: 200, body: "whole", headers: { etag: '"v1"' } });
  t.equal(whole.headers["last-modified"], "Sun, 09 Sep 2001 01:46:40 GMT");
  const same = await get("validators", { "if-none-match": '"v1"' });
  t.match(same, { status: 304, body: "", headers: { etag: '"v1"' } });
  t.equal((await get("validators", { "if-none-match": '"v0"' })).status, 200);
  t.equal((await get("validators", { "if-match": '"v0"' })).status, 412);
  const since = { "if-modified-since": "Sun, 09 Sep 2001 01:46:40 GMT" };
  t.equal((await get("validators", since)).status, 304);
});

t.test("allowMethods names what a 405 allows", async (t) => {
  t.match(await get("allow"), { status: 405, headers: { allow: "PYTHONIZE, GET" } });
});

t.test("framing is not the handler's business", async (t) => {
  t.match(await get("framing"), {
    status: 200,
    body: "framed",
    headers: { "content-length": "6" },
  });
  t.equal((await get("framing")).headers.upgrade, undefined);
});

t.test("text beyond ASCII in body and headers", async (t) => {
  const { headers, body } = await get("utf8");
  t.match(headers, { "content-type": "text/plain; charset=utf-8", "content-length": "8" });
  t.equal(headers["x-latin"], "hä");
  t.equal(body, "häß→");
});

t.test("a reason phrase of one's own", async (t) => {
  const raw = await apache.raw("GET /h/reason HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  t.match(raw, /^HTTP\/1\.1 404 Not Here\r\n/);
});
