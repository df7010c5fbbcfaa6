/** Cookies through a real Apache: there and back, on redirects and errors, and what a hostile client sends. */
import t from "tap";
import { isCutOff } from "../fixtures/cut-off.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { until } from "../fixtures/until.ts";

const apache = await startApache(t, {
  conf: `
    LimitRequestFieldSize 65536
    <Location />
      Use TsHandler cookies.ts
    </Location>
  `,
  config: { limits: { headerBytes: 131_072 } },
  handlers: {
    "cookies.ts": handlerFile("cookies.ts"),
  },
});

const get = (path: string, cookie?: string | string[]) =>
  apache.request(path, cookie === undefined ? {} : { headers: { cookie } });

t.test("set, kept out of shared caches, and read again", async (t) => {
  const reply = await get("/set");
  t.strictSame(reply.headers["set-cookie"], [
    "a=%C3%BC%3B%20x%3D1; Path=/; HttpOnly",
    "b=2; Path=/",
  ]);
  t.equal(reply.headers["cache-control"], 'no-cache="set-cookie"');
  t.equal((await get("/list", "a=%C3%BC%3B%20x%3D1; b=2")).body, '[2,["a","ü; x=1"],["b","2"]]');
  t.equal((await get("/cached")).headers["cache-control"], "private");
});

t.test("on errors, redirects, and beside those of a Response", async (t) => {
  t.match(await get("/error"), { status: 404, headers: { "set-cookie": ["a=1; Path=/"] } });
  t.match(await get("/redirect"), { status: 302, headers: { "set-cookie": ["a=1; Path=/"] } });
  const { headers } = await get("/response");
  t.strictSame(headers["set-cookie"]?.toSorted(), ["a=1; Path=/", "b=2"]);
});

t.test("signed and encrypted", async (t) => {
  const set = (await get("/remember")).headers["set-cookie"] ?? [];
  const pairs = set.map((cookie) => cookie.split(";")[0] ?? "");
  t.equal((await get("/recall", pairs.join("; "))).body, '[["1","2"],["3"],"valid"]');
  // Another character, whatever it was: a random one may be the very one that is put in its place.
  const changed = pairs.map((pair) =>
    pair.replace(/=(.)/, (_, one) => (one === "_" ? "=A" : "=_")),
  );
  t.equal((await get("/recall", changed.join("; "))).body, '[null,null,"tampered"]');
});

t.test("what cannot be set is an error, and no header", async (t) => {
  for (const path of ["/inject?/x%0D%0AX-Evil:1", "/inject?/x%3B%20Domain=evil", "/prefix"]) {
    const reply = await get(path);
    t.equal(reply.status, 500, path);
    t.notOk(reply.headers["set-cookie"] ?? reply.headers["x-evil"], path);
  }
  t.match(
    await until(apache.sidecarLog, /MODTS_BAD_COOKIE: invalid cookie a: cookie path is invalid/),
    /MODTS_BAD_COOKIE: invalid cookie a: cookie path is invalid/,
  );
  t.match(
    await until(
      apache.sidecarLog,
      /MODTS_BAD_COOKIE: invalid cookie __Host-a: its prefix wants secure: true/,
    ),
    /MODTS_BAD_COOKIE: invalid cookie __Host-a: its prefix wants secure: true/,
  );
  t.ok(await isCutOff(get("/late")), "the response is cut off");
  t.match(
    await until(apache.sidecarLog, /MODTS_HEADERS_SENT: Set-Cookie can no longer be changed/),
    /MODTS_HEADERS_SENT: Set-Cookie can no longer be changed/,
  );
});

t.test("malformed ones, a hundred of a name, and as many as Apache lets in", async (t) => {
  t.equal(
    (await get("/list", '=; ;"; a; __proto__=1; b="2"')).body,
    '[2,["__proto__","1"],["b","2"]]',
  );
  t.match((await get("/list", "a=1; ".repeat(100))).body, /^\[100,/);
  t.equal((await get("/list", ["a=1", "b=2"])).body, '[2,["a","1"],["b","2"]]');
  const large = `big=${"x".repeat(64_000)}; last=1`;
  t.match((await get("/list", large)).body, /^\[2,\["big","xx.*\["last","1"\]\]$/);
  t.equal((await get("/list", `a=${"x".repeat(70_000)}`)).status, 400, "Apache's own limit");
});
