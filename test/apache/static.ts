/** A content handler that declines: the plain file, as Apache itself would answer it. */
import { utimesSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { type Ask, type Reply, startApache } from "../fixtures/httpd.ts";
import { harmlessNames, sourceNames } from "../fixtures/source-names.ts";

const names = [
  "a.txt",
  "page.html",
  "data.json",
  "image.png",
  "script.js",
  "style.css",
  "archive.tar.gz",
  "noextension",
  "unknown.xyzzy",
  "page.html.de",
  "empty.txt",
  "with space.txt",
  "100%.txt",
  "what?.txt",
  "hash#.txt",
  "semi;colon.txt",
  "ümläut→.txt",
  "amp&.txt",
  "own.mine",
  ".hidden",
];

const sources = [...sourceNames, "mod-ts.config.json", "mod-ts.config.mjs"];

const text = (name: string): string =>
  name === "empty.txt" ? "" : `${name}: ${"0123456789".repeat(20)}\n`;

const files: Record<string, string> = {};
for (const folder of ["plain", "declined"]) {
  for (const name of [...names, ...sources, ...harmlessNames, "folder/a.txt", "changing.txt"])
    files[`htdocs/${folder}/${name}`] = text(name);
}

const apache = await startApache(t, {
  conf: `
    AddDefaultCharset utf-8
    AddType application/x-own .mine
    AddEncoding x-gzip .gz
    AddLanguage de .de
    <Location /declined>
      Use TsHandler declined.ts
    </Location>
  `,
  files,
  handlers: {
    "declined.ts": handlerFile("declines.ts"),
  },
});

/** Long ago, so that the tags are strong. */
const changed = new Date("2024-03-01T12:00:00Z");
for (const path of Object.keys(files)) utimesSync(join(apache.folder, path), changed, changed);

/** What Apache answers for the file itself, and what comes of a handler that declines. */
function both(path: string, ask: Ask = {}): Promise<[Reply, Reply]> {
  const get = (folder: string): Promise<Reply> => apache.request(`/${folder}/${path}`, ask);
  return Promise.all([get("plain"), get("declined")]);
}

/** Headers that say something of the file. */
function headersOf({ headers }: Reply): Record<string, unknown> {
  const ofTheConnection = ["date", "server", "connection"];
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !ofTheConnection.includes(name)),
  );
}

async function same(t: Test, path: string, ask: Ask = {}, name = path): Promise<void> {
  const [own, declined] = await both(path, ask);
  t.equal(declined.status, own.status, name);
  t.equal(declined.body, own.body, name);
  // Apache says nothing of a type that it does not know; we tell the browser not to guess.
  const unknown = own.status < 300 && own.headers["content-type"] === undefined;
  const type = unknown ? { "content-type": "application/octet-stream" } : {};
  t.same(headersOf(declined), { ...headersOf(own), ...type }, name);
}

t.test("files: body, type, length, date and tag as from Apache", async (t) => {
  for (const name of names) {
    const path = encodeURIComponent(name);
    await same(t, path);
    await same(t, path, { method: "HEAD" });
    t.equal(
      (await apache.request(`/declined/${path}`)).body,
      text(name),
      `${path} after a handler that declines`,
    );
  }
  await same(t, "a.txt?query");
  await same(t, "%61.txt");
});

t.test("conditional requests", async (t) => {
  const { etag = "" } = (await both("a.txt"))[1].headers;
  const date = changed.toUTCString();
  const earlier = new Date(changed.getTime() - 1000).toUTCString();
  const later = new Date(changed.getTime() + 1000).toUTCString();
  const expected: [number, Record<string, string>][] = [
    [304, { "if-none-match": etag }],
    [304, { "if-none-match": `W/${etag}` }],
    [304, { "if-none-match": `"x", ${etag}` }],
    [304, { "if-none-match": "*" }],
    [200, { "if-none-match": '"x"' }],
    [304, { "if-modified-since": date }],
    [304, { "if-modified-since": later }],
    [200, { "if-modified-since": earlier }],
    [200, { "if-modified-since": "yesterday" }],
    [200, { "if-match": etag }],
    [412, { "if-match": '"x"' }],
    [200, { "if-unmodified-since": date }],
    [412, { "if-unmodified-since": earlier }],
  ];
  for (const [status, headers] of expected) {
    const name = JSON.stringify(headers);
    for (const method of ["GET", "HEAD"]) {
      const [own, declined] = await both("a.txt", { method, headers });
      t.equal(declined.status, status, name);
      t.equal(own.status, status, `${name}: so says Apache`);
      if (status === 412) continue;
      t.equal(declined.body, own.body, "the body that Apache itself sends");
      t.same(headersOf(declined), headersOf(own), name);
    }
  }
});

t.test("ranges", async (t) => {
  const { etag = "" } = (await both("a.txt"))[1].headers;
  const range = "bytes=2-5";
  const wholeOrPart: Record<string, string>[] = [
    { range },
    { range: "bytes=200-" },
    { range: "bytes=-5" },
    { range: "bytes=0-100000" },
    { range: "bytes=5-2" },
    { range: "chars=1-2" },
    { range, "if-range": etag },
    { range, "if-range": '"x"' },
    { range, "if-range": changed.toUTCString() },
    { range, "if-range": new Date(0).toUTCString() },
    { range, "if-none-match": etag },
  ];
  for (const headers of wholeOrPart) {
    const name = JSON.stringify(headers);
    await same(t, "a.txt", { headers }, name);
    await same(t, "a.txt", { method: "HEAD", headers }, name);
  }
  const [own, declined] = await both("a.txt", { headers: { range: "bytes=1000-" } });
  t.same([own.status, declined.status], [416, 416]);
  t.equal(declined.headers["content-range"], "bytes */208");
  const several = await both("a.txt", { headers: { range: "bytes=0-1,4-5" } });
  for (const reply of several) {
    t.equal(reply.status, 206, "a range");
    t.match(reply.headers["content-type"], /^multipart\/byteranges/);
    t.match(reply.body, /bytes 0-1\/208\r\n\r\na\.\r\n[^]*bytes 4-5\/208\r\n\r\nt:\r\n/);
  }
});

t.test("sources never", async (t) => {
  for (const name of sources) {
    for (const headers of [{}, { range: "bytes=0-3" }, { "if-none-match": '"x"' }]) {
      const reply = await apache.request(`/declined/${encodeURIComponent(name)}`, { headers });
      t.equal(reply.status, 403, name);
      t.notMatch(reply.body, "0123");
    }
  }
  for (const name of harmlessNames) await same(t, name);
});

t.test("what is no file", async (t) => {
  for (const path of ["nothing", "a.txt/more", "a.txt/", "%00", "a.txt%00", "folder"]) {
    const [own, declined] = await both(path);
    t.equal(declined.status, own.status, path);
    t.equal(declined.status, path === "folder" ? 301 : 404, "mod_dir adds the slash by itself");
    t.notMatch(declined.body, "0123");
  }
  // Apache would list it, or refuse to.
  for (const path of ["", "folder/"]) t.equal((await both(path))[1].status, 404, path);
});

t.test("methods", async (t) => {
  for (const method of ["POST", "PUT", "DELETE", "PROPFIND"]) {
    const reply = await apache.request("/declined/a.txt", { method });
    t.equal(reply.status, 405, method);
    t.equal(reply.headers.allow, "GET,HEAD,OPTIONS", "the methods of a file");
    t.notMatch(reply.body, "0123");
  }
  t.equal((await apache.request("/declined/nothing", { method: "POST" })).status, 404);
  const options = await apache.request("/declined/a.txt", { method: "OPTIONS" });
  t.match(options, { status: 200, body: "", headers: { allow: "GET,HEAD,OPTIONS" } });
});

t.test("a file that changes is another one at the next request", async (t) => {
  const first = await apache.request("/declined/changing.txt");
  apache.write("htdocs/declined/changing.txt", "quite another text");
  const second = await apache.request("/declined/changing.txt", {
    headers: { "if-none-match": String(first.headers.etag) },
  });
  t.match(second, { status: 200, body: "quite another text" });
  // Within the second of the change the tag is weak, as in Apache: a second change could be missed.
  t.match(second.headers.etag, /^W\//);
});
