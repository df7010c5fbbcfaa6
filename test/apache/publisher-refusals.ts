/** What nobody can reach by `mod_ts/publisher`, however the URL is spelt. */
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { handlerFile, handlerFiles } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { publishedFolder } from "../fixtures/published-folder.ts";
import { until } from "../fixtures/until.ts";

const outOfReach = handlerFile("publisher-out-of-reach.ts");

const apache = await startApache(t, {
  before: "AllowEncodedSlashes On",
  conf: `
    ${publishedFolder}
    <Location /pub/debug.ts>
      Use TsDebug On
    </Location>
  `,
  config: { log: { level: "info" } },
  handlers: {
    ...handlerFiles("publisher-refusals"),
    "outer.ts": outOfReach,
    "pub/node_modules/pack/index.js": outOfReach,
    "pub/.git/hooks/x.js": outOfReach,
    "pub/.well-known/x.ts": outOfReach,
    "pub/hello.ts~": "source",
    "pub/hello.js~": "source",
    "pub/helpers.cjs": "source",
    "pub/.js": "source",
    "pub/.git/config": "source",
    "pub/node_modules/pack/package.json": "source",
    "pub/style.css": "plain",
    "pub/page.tsp": "source",
  },
});

const status = async (path: string, method = "GET"): Promise<number> =>
  (await apache.request(path, { method })).status;

t.test("the way that is open", async (t) => {
  for (const path of [
    "hello",
    "plain/ok",
    "plain/bare/fn",
    "plain/list/0",
    "shop/own",
    "site/public",
    "settings/colour",
  ]) {
    t.equal(await status(`/pub/hello.ts/${path}`), 200, path);
  }
});

t.test("403: there, but not for everybody", async (t) => {
  for (const path of [
    "__proto__",
    "__proto__/toString",
    "_private",
    "%5fprivate",
    "%5Fprivate",
    "plain/_no",
    "plain/__proto__",
    "plain/lazy",
    "plain/shop",
    "plain/shop/sell",
    "plain/ns",
    "plain/ns/helper",
    "Shop",
    "Shop/sell",
    "Shop/prototype",
    "hello/call",
    "hello/constructor",
    "hello/name",
    "bound",
    "native",
    "proxy",
    "proxy/fn",
    "calledProxy",
    "site",
    "settings",
    "settings/_password",
    "nested",
    "cyclic",
    "getters",
    "plain",
    "map",
    "map/fn",
    "map/size",
    "pool",
    "pool/password",
    "pool/fn",
    "promise",
    "promise/then",
    "date",
    "buffer",
    "buffer/0",
    "shop",
    "symbol",
    "handler",
    "accessHandler",
    "webSocketHandler",
    "dispose",
    "default",
    "then",
    "auth",
    "access",
    "realm",
    "parameters",
  ]) {
    t.equal(await status(`/pub/hello.ts/${path}`), 403, path);
  }
  t.equal(await status("/pub/_helpers"), 403, "a private file");
  t.equal(await status("/pub/_helpers.ts"), 403);
  t.equal(await status("/pub/mixed/then"), 403);
  t.equal(await status("/pub/node_modules/pack/index.js/run"), 403, "a package");
  t.equal(await status("/pub/node_modules/pack/run"), 403);
  t.equal(await status("/pub/.git/hooks/x/run"), 403, "a hidden folder");
  t.equal(await status("/pub/.well-known/x"), 200, "but this one");
});

t.test("404: not its own, or not there at all", async (t) => {
  for (const path of [
    "constructor",
    "toString",
    "hasOwnProperty",
    "helper",
    "secret",
    "renamed",
    "passedOn",
    "Lib",
    "space",
    "space/helper",
    "ns",
    "ns/helper",
    "execSync",
    "plain/toString",
    "plain/constructor",
    "plain/hasOwnProperty/call",
    "plain/hidden",
    "plain/inner/inherited",
    "plain/nil/x",
    "plain/list/length",
    "plain/list/map",
    "plain/list/-1",
    "plain/list/01",
    "shop/open",
    "shop/constructor",
    "nothing/x",
    "a%2f%2fb",
    "%252e%252e",
    "hello.call",
    "HELLO",
    "hello%20",
  ]) {
    t.equal(await status(`/pub/hello.ts/${path}`), 404, path);
  }
});

t.test("ways out of the folder", async (t) => {
  for (const [path, expected] of [
    ["/pub/../outer.ts", 403],
    ["/pub/%2e%2e/outer.ts", 403],
    ["/pub/hello.ts/%2e%2e/%2e%2e/%2e%2e/outer.ts", 400],
    ["/pub/hello.ts/..%2f..%2fouter", 404],
    ["/pub/..%2fouter.ts", 403],
    ["/pub/%2e%2e%2fouter.ts", 403],
    ["/pub/..%5couter.ts", 404],
    ["/pub/hello.ts%00/hello", 404],
    ["/pub/hello.ts/hello%00", 404],
    [`/pub/${"x".repeat(300)}`, 403],
    [`/pub/hello.ts/${"x/".repeat(1000)}`, 404],
    [`/pub/hello.ts/plain/${"__proto__/".repeat(500)}`, 403],
  ] as const) {
    t.equal(await status(path), expected, path.slice(0, 60));
  }
});

t.test("a double slash is one to Apache, and where it is not, a segment is empty", async (t) => {
  t.equal(await status("/pub/hello.ts//hello"), 200);
  t.equal(await status("/pub/hello.ts/plain%2f%2fok"), 200, "Apache merges what it has decoded");
});

t.test("a link that leads nowhere, as editors leave them", async (t) => {
  symlinkSync("nowhere", join(apache.folder, "handlers/pub/.#hello.ts"));
  symlinkSync("nowhere", join(apache.folder, "handlers/pub/lost.ts"));
  t.equal(await status("/pub/.%23hello.ts/hello"), 403);
  t.equal(await status("/pub/lost/hello"), 404);
});

t.test("other methods", async (t) => {
  for (const method of ["PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND"]) {
    const reply = await apache.request("/pub/hello.ts/hello", { method });
    t.match(reply, { status: 405, headers: { allow: "GET, HEAD, POST" } }, method);
  }
  t.equal(await status("/pub/hello.ts/hello", "POST"), 200);
  t.equal(await status("/pub/hello.ts/_private", "PUT"), 403);
});

t.test("sources and left-overs are not shown", async (t) => {
  t.equal(await status("/pub/hello.ts~"), 403);
  for (const path of ["hello.js~", "helpers.cjs", ".js", ".git/config"]) {
    t.equal(await status(`/pub/${path}`), 403, path);
  }
  t.equal(await status("/pub/node_modules/pack/package.json"), 403);
  t.equal(await status("/pub/style.css"), 200);
  t.equal(await status("/pub/page.tsp"), 403);
});

t.test("names that were made up are not kept", async (t) => {
  for (let number = 0; number < 50; number += 1) {
    t.equal(await status(`/pub/hello.ts/made-up-${number}`), 404, "an invented name is not found");
  }
});

t.test("why: in the log, and with TsDebug in the answer", async (t) => {
  const log = await until(() => apache.sidecarLog(), /404 for \/pub\/hello\.ts\/made-up-49/);
  t.match(log, /403 for \/pub\/hello\.ts\/_private: "_private" is private/);
  t.match(log, /404 for \/pub\/hello\.ts\/helper: there is no "helper" in \S+\/pub\/hello\.ts/);
  t.match(log, /403 for \/pub\/hello\.ts\/bound: \S+\/bound is a built-in or bound function/);
  t.match(log, /403 for \/pub\/hello\.ts\/pool\/password: "password" is below/);
  t.match(await apache.request("/pub/debug.ts/_private"), {
    status: 403,
    body: /"_private" is private/,
  });
  t.notMatch((await apache.request("/pub/hello.ts/_private")).body, "private");
  t.equal(await status("/pub/debug.ts/broken"), 500);
  const broken = /MODTS_BAD_PARAMETERS: unsupported parameters of \S+\/broken: an array/;
  t.match(await until(() => apache.sidecarLog(), broken), broken);
});
