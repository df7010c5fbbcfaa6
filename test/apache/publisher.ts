/** `mod_ts/publisher`: from URLs to functions, and from what they give to responses. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { handlerFile, handlerFiles } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { publishedFolder } from "../fixtures/published-folder.ts";
import { until } from "../fixtures/until.ts";

const apache = await startApache(t, {
  conf: `
    ${publishedFolder}
    Alias /ext "\${FOLDER}/handlers/ext"
    <Directory "\${FOLDER}/handlers/ext">
      Require all granted
      Use TsHandler "mod_ts/publisher | .ts"
    </Directory>
    Alias /outside "\${FOLDER}/htdocs/outside"
    <Directory "\${FOLDER}/htdocs/outside">
      Use TsHandler mod_ts/publisher
    </Directory>
    <Location /list>
      Use TsHandler "mod_ts/publisher next.ts"
    </Location>
  `,
  handlers: {
    ...handlerFiles("publisher"),
    "pub/data.txt": "plain file",
    "pub/data": "file without extension",
  },
  files: { "htdocs/outside/x.ts": handlerFile("publisher-out-of-reach.ts") },
});

const body = async (path: string): Promise<string> => {
  const reply = await apache.request(path);
  return reply.status === 200 ? reply.body : String(reply.status);
};

/** A file that has just vanished may be one that an editor is about to write anew, so for a moment it counts. */
const settled = (path: string, expected: RegExp): Promise<string> =>
  until(() => body(path), expected);

t.test("every shape of a URL", async (t) => {
  for (const [path, expected] of [
    ["/pub/", "index of index"],
    ["/pub/index", "index of index"],
    ["/pub/index.ts", "index of index"],
    ["/pub/index.ts/", "index of index"],
    ["/pub/foo", "foo of index"],
    ["/pub/foo/", "foo of index"],
    ["/pub/foo.ts", "foo of index"],
    ["/pub/index/foo", "foo of index"],
    ["/pub/deep/er/fn", "deep true"],
    ["/pub/index.ts/deep/er/fn", "deep true"],
    ["/pub/deep/list/0", "first"],
    ["/pub/hello", "index of hello"],
    ["/pub/hello/", "index of hello"],
    ["/pub/hello.ts", "index of hello"],
    ["/pub/hello/fn", "fn of hello"],
    ["/pub/hello.ts/fn", "fn of hello"],
    ["/pub/hello.ts/fn/", "fn of hello"],
    ["/pub/both", "module both"],
    ["/pub/script", "mjs"],
    ["/pub/script.mjs", "mjs"],
    ["/pub/sub/", "index of sub"],
    ["/pub/sub/foo", "foo of sub"],
    ["/pub/bare/x", "x"],
    ["/ext/hello.ts", "with suffix"],
  ] as const) {
    t.equal(await body(path), expected, path);
  }
});

t.test("what is not there", async (t) => {
  for (const path of [
    "/pub/none",
    "/pub/none.ts",
    "/pub/none.png",
    "/pub/hello/none",
    "/pub/hello.mjs",
    "/pub/noindex",
    "/pub/hello/none/below",
    "/pub/deep/none",
    "/pub/bare/",
    "/pub/bare/none",
    "/pub/results/version/length",
    "/pub/hello.ts/fn.call",
    "/pub/.ts",
    "/ext/hello",
  ]) {
    t.equal((await apache.request(path)).status, 404, path);
  }
  const redirect = await apache.request("/pub/sub");
  t.match(
    redirect,
    { status: 301, headers: { location: /\/pub\/sub\/$/ } },
    "a folder has a slash",
  );
});

t.test("files of another kind are served as they are", async (t) => {
  t.match(await apache.request("/pub/data.txt"), {
    body: "plain file",
    headers: { "content-type": "text/plain" },
  });
  t.equal(await body("/pub/data"), "file without extension");
  t.equal((await apache.request("/pub/data.txt/fn")).status, 404);
  t.equal(await body("/list/nothing"), "the next handler");
});

t.test("a module outside of the handler folders does not run", async (t) => {
  t.equal((await apache.request("/outside/x.ts")).status, 500);
  const outside = /MODTS_OUTSIDE_ROOTS: .* \S+\/htdocs\/outside\/x\.ts /;
  t.match(await until(() => apache.sidecarLog(), outside), outside);
});

t.test("what functions give", async (t) => {
  for (const [name, type, expected] of [
    ["text", "text/plain; charset=utf-8", "a < b"],
    ["page", "text/html; charset=utf-8", "<!DOCTYPE html><html><p>a</p></html>\n"],
    ["object", "application/json", '{"a":[1,"ä"]}'],
    ["array", "application/json", "[1,2]"],
    ["number", "text/plain; charset=utf-8", "404"],
    ["yes", "text/plain; charset=utf-8", "true"],
    ["big", "text/plain; charset=utf-8", "12345678901234567890"],
    ["nothing", undefined, ""],
    ["nil", undefined, ""],
    ["written", "text/x-own; charset=utf-8", "written"],
    ["both", "text/plain; charset=utf-8", "written and returned"],
    ["view", "application/octet-stream", "\x02\x01"],
    ["buffer", "application/octet-stream", "A"],
    ["promise", "application/json", '{"late":true}'],
    ["thenable", "text/plain; charset=utf-8", "then"],
    ["own", "application/problem+json", '{"a":1}'],
    ["header", "image/svg+xml", "<svg/>"],
    ["version", "text/plain; charset=utf-8", "1.2"],
    ["settings", "application/json", '{"colour":"red"}'],
    ["settings/colour", "text/plain; charset=utf-8", "red"],
    ["list/0", "text/plain; charset=utf-8", "a"],
    ["unset", undefined, ""],
  ] as const) {
    const reply = await apache.request(`/pub/results/${name}`);
    t.match(reply, { status: 200 }, name);
    t.equal(reply.headers["content-type"], type, name);
    t.equal(reply.headers["content-length"], String(Buffer.byteLength(expected)), name);
    t.equal(reply.body, expected, name);
  }
  t.match(await apache.request("/pub/results/response"), {
    status: 202,
    headers: { "x-web": "1" },
  });
  t.match(await apache.request("/pub/results/bytes"), { headers: { "content-length": "2" } });
  t.equal((await apache.request("/pub/results/gone")).status, 410);
});

t.test("HEAD: the headers of GET", async (t) => {
  for (const name of ["text", "long", "object", "bytes"]) {
    const path = `/pub/results/${name}`;
    const [head, get] = [
      await apache.request(path, { method: "HEAD" }),
      await apache.request(path),
    ];
    for (const header of ["content-type", "content-length", "transfer-encoding"]) {
      t.equal(head.headers[header], get.headers[header], `${name}: ${header}`);
    }
    t.equal(head.body, "", "HEAD has no body");
  }
  t.equal((await apache.request("/pub/results/long")).headers["content-length"], "300000");
});

t.test("what cannot be sent is a 500 that says why", async (t) => {
  for (const [name, why] of [
    ["fn", "a function cannot be sent"],
    ["symbol", "a symbol cannot be sent"],
    ["circular", "not JSON: Converting circular structure"],
    ["map", "a Map or Set is not JSON"],
    ["fails", "oh no"],
  ] as const) {
    t.equal((await apache.request(`/pub/results/${name}`)).status, 500, name);
    t.match(await until(() => apache.sidecarLog(), why), why, name);
  }
  t.match(
    await until(
      apache.sidecarLog,
      /MODTS_BAD_RESULT: invalid result of \S+\/pub\/results\.ts\/map: a Map/,
    ),
    /MODTS_BAD_RESULT: invalid result of \S+\/pub\/results\.ts\/map: a Map/,
  );
  t.match(
    await until(apache.sidecarLog, "mod_ts/publisher failed in phase handler"),
    "mod_ts/publisher failed in phase handler",
  );
});

t.test("the next request runs what was saved, added or deleted", async (t) => {
  const index = "export const index = () => 'index';";
  apache.write("handlers/pub/live.ts", `export const a = () => "one";`);
  t.equal(await body("/pub/live/a"), "one");
  apache.write("handlers/pub/live.ts", `export const a = () => "two and";`);
  t.equal(await body("/pub/live/a"), "two and");
  apache.write("handlers/pub/live.ts", `export const a = () => "two and", b = () => "b";`);
  t.equal(await body("/pub/live/b"), "b", "a new function");
  apache.write("handlers/pub/live.ts", "export const a = () => ;");
  t.equal(await body("/pub/live/a"), "two and", "a save that does not compile changes nothing");

  t.equal(await body("/pub/late"), "404");
  apache.write("handlers/pub/late.js", index);
  t.equal(await body("/pub/late"), "index");
  apache.write("handlers/pub/late.ts", "export const index = () => 'earlier in the order';");
  t.equal(await body("/pub/late"), "earlier in the order");
  t.equal(await body("/pub/foo"), "foo of index");
  apache.write("handlers/pub/foo.ts", index);
  t.equal(await body("/pub/foo"), "index", "a module comes before a function of the index module");
  rmSync(join(apache.folder, "handlers/pub/foo.ts"));
  t.equal(await settled("/pub/foo", /^foo of/), "foo of index", "the function is found again");
  rmSync(join(apache.folder, "handlers/pub/live.ts"));
  t.equal(await settled("/pub/live/a", /^404$/), "404", "a deleted module is gone");
});
