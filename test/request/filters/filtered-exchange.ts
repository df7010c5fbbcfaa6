/** Headers of filtered responses, conditions of requests for them, and codings. */
import { gzipSync } from "node:zlib";
import t from "tap";
import { type ApacheRequest, OK } from "../../../src/index.ts";
import { startEngine } from "../../fixtures/gateway.ts";

/** Responds with the headers that it was asked for, after those of the request that it got. */
const module = {
  handler(req: ApacheRequest) {
    for (const [name, value] of Object.entries(req.getOptions())) req.headersOut.set(name, value);
    req.contentType = "text/plain";
    if (req.args === "304") return 304;
    if (req.headersOut.get("Content-Encoding") === "gzip") req.write(gzipSync("1"));
    else req.write(JSON.stringify(Object.fromEntries(req.headersIn)));
    return OK;
  },
  outputFilter: (text: string) => text,
  plus: (text: string) => `${text}2`,
  late: (req: ApacheRequest) => {
    req.write("sent", true);
    req.addOutputFilter((text: string) => text);
    return OK;
  },
  early: (req: ApacheRequest) => {
    req.addOutputFilter((text: string) => `${text}+`);
    req.addOutputFilter((text: string) => `${text}-`);
    req.write("x");
    return OK;
  },
};
const peer = await startEngine(t, { m: module });
const filtered = ["handler m", "outputfilter m | text/plain"];

t.test("headers that speak of the bytes before the filter", async (t) => {
  const options = ['option ETag "abc"', "option Accept-Ranges bytes", "option Content-MD5 x"];
  const { headers } = await peer.ask([...filtered, ...options]);
  t.match(headers.etag, /^W\/"abc-[\w-]{8}"$/, "a weak tag of its own");
  t.notOk(headers["accept-ranges"] ?? headers["content-md5"], "others are gone");
  const plain = await peer.ask(["handler m", "outputfilter m | text/html", ...options]);
  t.match(
    plain.headers,
    { etag: '"abc"', "accept-ranges": "bytes" },
    "or stay, where none applies",
  );
});

t.test("a request is one for the whole original", async (t) => {
  const tag = (await peer.ask([...filtered, 'option ETag "abc"'])).headers.etag ?? "";
  const headers = {
    Range: "bytes=0-1",
    "If-Modified-Since": "x",
    "Accept-Encoding": "br",
    "If-None-Match": `"abc", ${tag}, W/"other"`,
  };
  const seen = JSON.parse((await peer.ask(filtered, { headers })).body) as Record<string, string>;
  t.match(seen, { "If-None-Match": 'W/"abc"' });
  const gone = [seen["Range"], seen["If-Modified-Since"], seen["Accept-Encoding"]];
  t.same(gone.filter(Boolean), [], "no part, no time of the original, and no compression");
  const any = await peer.ask(filtered, { headers: { "If-None-Match": "*" } });
  t.match(JSON.parse(any.body), { "If-None-Match": "*" }, "whatever there is");
  const context = { contentType: "image/png" };
  const kept = await peer.ask(filtered, { headers, context });
  t.match(JSON.parse(kept.body), { Range: "bytes=0-1" }, "for another type it stays as it is");
});

t.test("responses without a body", async (t) => {
  const lines = [...filtered, 'option ETag "abc"', "option Content-Length 5"];
  const head = await peer.ask(lines, { method: "HEAD" });
  t.match(head.headers.etag, /^W\/"abc-/, "have the same tag");
  t.notOk(head.headers["content-length"], "and no length");
  const context = { args: "304" };
  t.match((await peer.ask(lines, { context })).headers.etag, /^W\/"abc-/, "304, too");
});

t.test("codings", async (t) => {
  const reply = await peer.ask([
    "handler m",
    "outputfilter m::plus",
    "option Content-Encoding gzip",
  ]);
  t.equal(reply.headers["content-encoding"], "gzip");
  const unknown = ["handler m", "outputfilter m::plus", "option Content-Encoding zz"];
  t.equal((await peer.ask(unknown)).status, 500, "what cannot be read is not sent");
});

t.test("filters that handlers add", async (t) => {
  t.equal((await peer.ask(["handler m::early"])).body, "x+-", "in order");
  const late = await peer.ask(["handler m::late"]);
  t.equal(late.complete, false, "not after the first byte");
  t.match(peer.log(), /MODTS_HEADERS_SENT/);
});
