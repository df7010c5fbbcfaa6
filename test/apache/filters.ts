/** Output and input filters on what Apache serves, and on handlers. */
import { once } from "node:events";
import { chmodSync } from "node:fs";
import { type IncomingMessage, request as httpRequest } from "node:http";
import { connect, type IncomingHttpHeaders } from "node:http2";
import { join } from "node:path";
import { text as streamText } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startOrigin } from "../fixtures/origin.ts";
import { until } from "../fixtures/until.ts";

const page = `<!doctype html><html><body><main><h1>Old</h1></main>
<a href="http://a.test">1</a><a href='/b'>2</a><script>alert("3")</script></body></html>`;

const conf = `
  <Location /mask>
    Options +MultiViews
    Use TsOutputFilter "filters.ts | text/plain text/html application/json"
  </Location>
  <Location /mask/inner>
    Use TsOutputFilter "filters.ts::append"
  </Location>
  ScriptSock "\${FOLDER}/logs/cgi.sock"
  Protocols h2c http/1.1
  <Location /mask/none>
    Use TsOutputFilter none
  </Location>
  <Location /words>
    Use TsOutputFilter words-filter.ts
  </Location>
  <Location /chunks>
    Use TsOutputFilter filters.ts::chunks
  </Location>
  <Location /two>
    Use TsOutputFilter "filters.ts::chunks filters.ts::append"
  </Location>
  <Location /stream>
    Use TsOutputFilter filters.ts::stream
  </Location>
  <Location /html>
    Use TsOutputFilter "filters.ts::html | text/html"
  </Location>
  <Location /gone>
    Use TsOutputFilter filters.ts::gone
  </Location>
  <Location /fails>
    Use TsOutputFilter filters.ts::fails
  </Location>
  <Location /later>
    Use TsOutputFilter filters.ts::failsLater
  </Location>
  <Location /small>
    Use TsOutputFilter filters.ts::small
  </Location>
  <Location /early>
    Use TsOutputFilter filters.ts::early
  </Location>
  <Location /missing>
    Use TsOutputFilter filters.ts::nothing
  </Location>
  <Location /cgi>
    Options +ExecCGI
    SetHandler cgi-script
    Use TsOutputFilter filters.ts::pass
  </Location>
  <Location /handler>
    Use TsHandler filters.ts
    Use TsOutputFilter filters.ts
  </Location>
  <Location /reset/parts>
    Use TsHandler filters.ts::reset
    Use TsOutputFilter filters.ts::chunks
  </Location>
  <Location /empty/parts>
    Use TsOutputFilter filters.ts::emptyParts
  </Location>
  <Location /empty/text>
    Use TsOutputFilter filters.ts::emptyText
  </Location>
  <Location /reset/text>
    Use TsHandler filters.ts::reset
    Use TsOutputFilter filters.ts
  </Location>
  <Location /plain>
    Use TsHandler filters.ts
  </Location>
  <Location /input>
    Use TsHandler filters.ts
    Use TsInputFilter filters.ts
  </Location>
  <Location /typed>
    Use TsHandler filters.ts
    Use TsInputFilter "filters.ts | application/json"
  </Location>
  <Location /upper>
    Use TsHandler filters.ts
    Use TsInputFilter filters.ts::upper
  </Location>
  <Location /post>
    Options +ExecCGI
    SetHandler cgi-script
    Use TsInputFilter filters.ts
  </Location>
  <Location /parts>
    Options +ExecCGI
    SetHandler cgi-script
    Use TsInputFilter filters.ts::refuseParts
  </Location>
  <Location /deflate>
    SetOutputFilter DEFLATE
    Use TsOutputFilter filters.ts
  </Location>
  AddEncoding gzip .gz
  AddEncoding zz .zz
  AddCharset iso-8859-1 .latin1
`;

const names =
  "words mask mask/inner mask/none chunks two stream gone fails small early missing deflate empty/parts empty/text";
const texts = names.split(" ").map((name) => [`htdocs/${name}/a.txt`, "room 101"] as const);

const apache = await startOrigin(t, {
  conf,
  handlers: {
    "filters.ts": handlerFile("filters.ts"),
    "words.ts": "",
    "words-filter.ts": `import { word } from "./words.ts";\nexport const outputFilter = () => word;\n`,
  },
  files: {
    ...Object.fromEntries(texts),
    "htdocs/mask/a.bin": "1234567890",
    "htdocs/mask/index.html": "<p>1</p>",
    "htdocs/mask/coded.txt.zz": "room 101",
    "htdocs/deflate/long.txt": "room 101 ".repeat(50),
    "htdocs/html/page.html": page,
    "htdocs/later/a.txt": "x".repeat(1_000_000),
    "htdocs/cgi/slow": `#!/bin/sh
printf 'Content-Type: text/plain\\n\\nfirst'
while [ ! -e "$DOCUMENT_ROOT/go" ]; do sleep 0.02; done
printf last
`,
    "htdocs/post/cat": `#!/bin/sh
printf 'Content-Type: text/plain\\n\\n%s ' "$REQUEST_METHOD"
cat
`,
  },
  modules: ["mod_cgid", "mod_deflate", "mod_http2", "mod_negotiation"],
  isWaiting: true,
});
apache.write("htdocs/mask/zipped.txt.gz", gzipSync("room 101"));
apache.write("htdocs/mask/cut.txt.gz", gzipSync("room 101").subarray(0, 12));
apache.write("htdocs/mask/empty.txt.gz", "");
apache.write("htdocs/mask/latin1.txt.latin1", Buffer.from("caf\xe9 1", "latin1"));
for (const name of ["cgi/slow", "post/cat"]) chmodSync(join(apache.folder, "htdocs", name), 0o755);

t.test("a text file through each kind of filter", async (t) => {
  const bodies = {
    mask: "room ###",
    "mask/inner": "room ###[/mask/inner/a.txt]",
    "mask/none": "room 101",
    chunks: "ROOM 101END",
    two: "ROOM 101END[/two/a.txt]",
    stream: "ROOM\0\x11\x10\x11",
    early: "room",
  };
  for (const [name, body] of Object.entries(bodies)) {
    const reply = await apache.request(`/${name}/a.txt`);
    t.match(reply, { status: 200, body }, name);
    t.match(reply.headers["content-type"], /^text\/plain/, `${name}: the type stays`);
  }
});

t.test("the tag follows what the filter imports", async (t) => {
  const etags: (string | undefined)[] = [];
  for (const word of ["one", "two", "one"]) {
    apache.write("handlers/words.ts", `export const word: string = "${word}";\n`);
    const { body, headers } = await apache.request("/words/a.txt");
    t.equal(body, word);
    etags.push(headers.etag);
  }
  t.not(etags[0], etags[1]);
  t.equal(etags[0], etags[2], "and is the same for the same texts");
});

t.test("other types pass as they are", async (t) => {
  const reply = await apache.request("/mask/a.bin", { headers: { Range: "bytes=2-4" } });
  t.match(reply, { status: 206, body: "345" }, "with ranges");
  t.match(reply.headers, { "content-length": "3", etag: /^"[^-]+-[^-]+"$/ }, "and a strong tag");
});

t.test("conditions, ranges, HEAD", async (t) => {
  const first = await apache.request("/mask/a.txt");
  const { etag = "" } = first.headers;
  t.match(etag, /^W\/"[^"]+"$/, "the tag is weak, as the bytes may differ");
  t.equal(first.headers["content-length"], "8", "the length is that of the result");
  t.notOk(first.headers["accept-ranges"], "no ranges are offered");
  const again = await apache.request("/mask/a.txt", { headers: { "If-None-Match": etag } });
  t.match(again, { status: 304, body: "", headers: { etag } }, "the same tag is a 304");
  const any = await apache.request("/mask/a.txt", { headers: { "If-None-Match": "*" } });
  t.equal(any.status, 304, "and so is that of any representation");
  const original = (await apache.request("/mask/none/a.txt")).headers.etag ?? "";
  const other = await apache.request("/mask/a.txt", { headers: { "If-None-Match": original } });
  t.match(other, { status: 200, body: "room ###" }, "the tag of the original is none of ours");
  const part = await apache.request("/mask/a.txt", { headers: { Range: "bytes=5-7" } });
  t.match(part, { status: 200, body: "room ###" }, "a range is the whole: filters need it");
  const head = await apache.request("/mask/a.txt", { method: "HEAD" });
  t.match(head, { status: 200, body: "", headers: { etag } }, "HEAD has the same tag");
  t.notOk(head.headers["content-length"], "and no length, which only the filter would know");
  t.match(await apache.request("/mask/none-there"), { status: 404, body: /Not Found/ });
  t.match(await apache.request("/mask/"), { status: 200, body: "<p>#</p>" }, "a directory index");
  const post = await apache.request("/mask/a.txt", { method: "POST", body: "x" });
  t.match(post, { status: post.status === 405 ? 405 : 200 }, "a method that Apache may refuse");
});

t.test("codings: nothing passes unread", async (t) => {
  const zipped = await apache.request("/mask/zipped.txt.gz", {
    headers: { "Accept-Encoding": "gzip" },
  });
  t.equal(zipped.headers["content-encoding"], "gzip", "a compressed original stays compressed");
  const unzipped = await fetch(`${apache.url}/mask/zipped.txt.gz`);
  t.equal(await unzipped.text(), "room ###", "and is read by the filter");
  const chosen = await fetch(`${apache.url}/mask/zipped.txt`);
  t.same([chosen.status, await chosen.text()], [200, "room ###"], "also as the only variant");
  const coded = await apache.request("/mask/coded.txt.zz");
  t.equal(coded.status, 500, "an unknown coding is an error");
  t.notMatch(coded.body, "101");
  const broken = await apache.request("/mask/cut.txt.gz");
  t.equal(broken.status, 500, "compressed data without its end is an error");
  const empty = await fetch(`${apache.url}/mask/empty.txt.gz`);
  t.same([empty.status, await empty.text()], [200, ""], "an empty file is an empty file");
  t.notMatch(apache.sidecarLog(), /uncaught/i, "and the worker goes on");
  const latin1 = await apache.request("/mask/latin1.txt.latin1");
  t.match(latin1, { body: "café #", headers: { "content-type": "text/plain; charset=utf-8" } });
  const deflated = await apache.request("/deflate/long.txt", {
    headers: { "Accept-Encoding": "gzip" },
  });
  t.equal(deflated.headers["content-encoding"], "gzip", "Apache compresses what was filtered");
});

t.test("a response that has no body gets none", async (t) => {
  for (const kind of ["parts", "text"]) {
    for (const status of ["204", "205"]) {
      const answer = await apache.raw(
        `GET /reset/${kind}?${status} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
      );
      t.match(answer, new RegExp(`^HTTP/1.1 ${status} `));
      t.match(answer, /\r\n\r\n$/, "nothing follows the head");
      t.notMatch(answer, /transfer-encoding/i);
    }
  }
  const session = connect(apache.url);
  t.teardown(() => session.close());
  for (const kind of ["parts", "text"]) {
    for (const status of [204, 205, 304]) {
      const path = `/empty/${kind}/a.txt?${status}`;
      for (const version of ["1.0", "1.1"]) {
        const answer = await apache.raw(
          `GET ${path} HTTP/${version}\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
        );
        t.match(answer, new RegExp(`^HTTP/1.1 ${status} [^]*\r\n\r\n$`), `${path} ${version}`);
        t.notMatch(answer, /transfer-encoding|content-length: [^0]/i, "with nothing announced");
      }
      const stream = session.request({ ":path": path });
      const [headers] = (await once(stream, "response")) as [IncomingHttpHeaders];
      t.match([headers[":status"], await streamText(stream)], [status, ""], `${path} HTTP/2`);
    }
  }
});

t.test("elements of HTML pages", async (t) => {
  const { body } = await apache.request("/html/page.html");
  t.equal(
    body,
    `<!doctype html><html><body><main><h1>&lt;/html/page.html&gt;</h1></main>
<a href="http://a.test" rel="noopener">1</a><a href='/b'>2</a><footer>end</footer></body></html>`,
    "only what the rules name is changed",
  );
});

t.test("status, type and headers", async (t) => {
  const reply = await apache.request("/gone/a.txt");
  t.match(reply, { status: 410, body: "gone", headers: { "x-filtered": "yes" } });
});

t.test("a filter that fails sends nothing half-filtered", async (t) => {
  for (const name of ["fails", "small", "missing"]) {
    const reply = await apache.request(`/${name}/a.txt`);
    t.equal(reply.status, 500, `${name}: before the first byte it is an error`);
    t.notMatch(reply.body, "101", `${name}: without the original`);
  }
  await t.rejects(apache.request("/later/a.txt"), "after the first byte it is cut off");
  const log = await until(apache.sidecarLog, /MODTS_MISSING_EXPORT/);
  for (const code of ["MODTS_FILTER_FAILED", "MODTS_FILTER_TOO_LARGE"]) t.match(log, code);
});

t.test("the first bytes of a slow script pass at once", async (t) => {
  const request = httpRequest({ port: apache.port, path: "/cgi/slow" }).end();
  const [response] = (await once(request, "response")) as [IncomingMessage];
  let text = "";
  response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  await until(() => text, "first");
  apache.write("htdocs/go", "");
  await once(response, "end");
  t.equal(text, "firstlast");
});

t.test("handlers of mod_ts", async (t) => {
  t.match(await apache.request("/handler"), { status: 200, body: "room ###" }, "of the section");
  t.equal((await apache.request("/plain?add")).body, "room 101!", "added while it runs");
  t.equal((await apache.request("/handler?add")).body, "room ###!", "after those of the section");
});

t.test("request bodies", async (t) => {
  const json = { "Content-Type": "application/json" };
  const send = (path: string, body: string, headers: Record<string, string> = json) =>
    apache.request(path, { method: "POST", body, headers });
  t.equal((await send("/input", '{"name":" Ann ","x":1}')).body, '{"name":"Ann"}', "are changed");
  t.match(await send("/input", "{}"), { status: 422, body: "name is missing" }, "or refused");
  t.match(await send("/input", "x", { "Content-Type": "text/plain" }), { status: 415 });
  t.match(await send("/input", "{"), { status: 500 }, "an error of the filter is one");
  t.equal((await send("/typed", "x", { "Content-Type": "text/plain" })).body, "x", "by type");
  t.equal((await send("/upper", "abc")).body, "ABC", "in parts");
  t.equal((await send("/post/cat", '{"name":"Ann"}')).body, 'POST {"name":"Ann"}', "of a script");
  t.match(await send("/post/cat", "{}"), { status: 422, body: "name is missing" });
  t.match(
    await send("/parts/cat", "no"),
    { status: 413, body: "too much" },
    "of a script, in parts",
  );
  t.equal((await apache.request("/input")).body, "room 101", "without a body nothing is asked");
});
