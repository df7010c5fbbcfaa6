/** The page of a failure under Debug; `test/apache/debug.ts` shows it in a browser's request. */
import t from "tap";
import { debugJson, debugPage } from "../../src/engine/debug-page.ts";
import { ModTsError } from "../../src/base/errors.ts";
import { BuildError } from "../../src/loader/build-error.ts";
import { internals } from "../../src/request/internals.ts";
import type { ApacheRequest } from "../../src/request/request.ts";

const nasty = "<script>alert(1)</script>";

/** As much of a request as the page shows. */
const req = {
  theRequest: `GET /${nasty} HTTP/1.1`,
  uniqueId: "id&1",
  [internals]: { handlerEntry: { phase: "fixup", handler: `${nasty}.ts` } },
} as unknown as ApacheRequest;

const held = [{ exports: {}, file: `/srv/a&b/${nasty}.ts`, generation: 3, release() {} }];

const broken = new BuildError(
  nasty,
  { file: "/srv/a&b/c.ts", line: 2, column: 3 },
  { source: `one\ntwo ${nasty}\nthree` },
);

t.test("every part that comes from outside is escaped", async (t) => {
  const error = new ModTsError(
    "MODTS_BUILD_FAILED",
    { file: nasty, reason: nasty },
    { cause: broken },
  );
  const page = debugPage(error, req, held);
  t.notMatch(page, nasty);
  t.match(page, "&lt;script&gt;alert(1)&lt;/script&gt;");
  t.match(page, "/srv/a&amp;b/c.ts:2:3");
  t.match(page, "<span class=hit>2  two &lt;script");
  t.match(page, /<th>Phase<\/th><td>fixup/);
  t.match(page, /<th>Handler<\/th><td>&lt;script/);
  t.match(page, /a&amp;b\/&lt;script&gt;alert\(1\)&lt;\/script&gt;\.ts #3/);
  t.match(page, /<th>Code<\/th><td>MODTS_BUILD_FAILED/);
  t.match(page, "id&amp;1");
});

t.test("as JSON, which is no HTML", async (t) => {
  const error = new ModTsError(
    "MODTS_BUILD_FAILED",
    { file: "c.ts", reason: "r" },
    { cause: broken },
  );
  const { error: facts } = JSON.parse(debugJson(error, req, held)) as { error: object };
  t.match(facts, {
    code: "MODTS_BUILD_FAILED",
    message: "cannot load c.ts: r",
    causes: [/<script>/],
    phase: "fixup",
    uniqueId: "id&1",
    frame: { file: "/srv/a&b/c.ts", line: 2, column: 3, text: [{}, { hit: true }, {}] },
  });
});

t.test("causes, innermost first; one that points back at itself", async (t) => {
  const loop = new Error("outer", { cause: new Error("inner") });
  t.match(debugPage(loop, req, []), /<h1>inner<\/h1>/);
  (loop.cause as Error).cause = loop;
  t.ok(JSON.parse(debugJson(loop, req, [])).error.causes.length < 20);
});

t.test("each thing is said once", async (t) => {
  const text = 'cannot find package "x", imported by /srv/a b/c.ts';
  const place = { file: "/srv/a b/c.ts", line: 2, column: 3 };
  const ofNode = new Error("Cannot find package 'x' imported from /srv/a b/[mod_ts]");
  const build = new BuildError(text, place, { source: "one\ntwo", cause: ofNode });
  const reason = `${text} (/srv/a b/c.ts:2:3)`;
  const details = { file: "/srv/a b/c.ts", reason };
  const page = debugPage(new ModTsError("MODTS_BUILD_FAILED", details, { cause: build }), req, []);
  const shown = page.slice(page.indexOf("<main>"));
  t.equal(shown.split("cannot find package").length, 2);
  t.notMatch(shown, /\[mod_ts\]|<h2>Stack/);
  t.match(shown, "<p class=kicker>cannot load /srv/a b/c.ts</p>\n<h1>cannot find package");
  t.match(shown, '<a href="vscode://file/srv/a%20b/c.ts:2:3">/srv/a b/c.ts:2:3</a>');
  const alone = debugPage(new ModTsError("MODTS_NO_BODY"), req, [
    { exports: {}, file: "mod_ts/node", generation: 0, release() {} },
  ]);
  t.notMatch(alone.slice(alone.indexOf("<main>")), /kicker|#0/);
});

t.test("a long error leaves room for what a guard may send", async (t) => {
  const long = "x".repeat(9_000);
  const at = { file: "/srv/c.ts", line: 1, column: 1 };
  const build = new BuildError(long, at, { source: `${long}\n${long}`, cause: new Error(long) });
  const page = debugPage(build, req, []);
  t.ok(page.length < 8_000, `${page.length}`);
  t.match(page, /<h1>x{1000}…<\/h1>/);
});

t.test("whatever was thrown, by whatever request", async (t) => {
  const hostile = new Error("hostile");
  Object.defineProperty(hostile, "stack", {
    get() {
      throw new Error("no");
    },
  });
  const none = { ...req, [internals]: { handlerEntry: null } } as unknown as ApacheRequest;
  for (const thrown of [
    undefined,
    null,
    "text",
    1n,
    {},
    Object.create(null),
    Symbol("s"),
    hostile,
  ]) {
    t.match(debugPage(thrown, none, []), "none loaded");
    t.match(JSON.parse(debugJson(thrown, none, [])), { error: { phase: "none", handler: "none" } });
  }
});
