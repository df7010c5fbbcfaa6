/** Whole resources with validators, conditions and ranges: files, text, bytes. */
import { utimesSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import type { ApacheRequest } from "../../../src/index.ts";
import { type GatewayReply, startEngine } from "../../fixtures/gateway.ts";

const folder = t.testdir({ "digits.txt": "0123456789" });
const file = join(folder, "digits.txt");
const time = 1_700_000_000;
utimesSync(file, time, time);

const peer = await startEngine(t, {
  file: { handler: (req: ApacheRequest) => req.serveFile(file, { contentType: "text/plain" }) },
  text: {
    handler: (req: ApacheRequest) =>
      req.serveContent("zehn Ä", { contentType: "text/plain", mtime: time }),
  },
  bytes: {
    handler: (req: ApacheRequest) =>
      req.serveContent(Buffer.from("0123456789"), { etag: "mine", mtime: time }),
  },
  folder: { handler: (req: ApacheRequest) => req.serveFile(folder) },
  nothing: { handler: (req: ApacheRequest) => req.serveFile(join(folder, "nothing")) },
  created: {
    handler(req: ApacheRequest) {
      req.status = 201;
      return req.serveContent("0123456789");
    },
  },
});

const get = (name: string, headers: Record<string, string> = {}): Promise<GatewayReply> =>
  peer.ask([`handler ${name}`], { headers });

t.test("the whole, with its length, type and validators", async (t) => {
  t.match(await get("file"), {
    status: 200,
    body: "0123456789",
    headers: {
      "content-length": "10",
      "content-type": /^text\/plain/,
      "accept-ranges": "bytes",
      "last-modified": "Tue, 14 Nov 2023 22:13:20 GMT",
      etag: /^"[^"]+"$/,
    },
  });
  t.match(await get("text"), { status: 200, body: "zehn Ä", headers: { "content-length": "7" } });
  const bytes = await get("bytes");
  t.match(bytes.headers, { etag: '"mine"', "content-type": "application/octet-stream" });
  t.equal((await get("created")).headers["last-modified"], undefined);
});

t.test("the same text has the same tag", async (t) => {
  const { etag } = (await get("text")).headers;
  t.match(await get("text", { "If-None-Match": String(etag) }), { status: 304, body: "" });
  t.equal((await get("text", { "If-None-Match": '"other"' })).status, 200);
});

t.test("conditions", async (t) => {
  const at = (seconds: number): string => new Date(seconds * 1000).toUTCString();
  for (const name of ["file", "text"]) {
    t.equal((await get(name, { "If-Modified-Since": at(time) })).status, 304, name);
    t.equal((await get(name, { "If-Modified-Since": at(time - 1) })).status, 200, name);
    t.equal((await get(name, { "If-Unmodified-Since": at(time - 1) })).status, 412, name);
    t.equal((await get(name, { "If-Match": '"other"' })).status, 412, name);
  }
});

t.test("ranges of files and of bytes", async (t) => {
  for (const name of ["file", "bytes"]) {
    t.match(await get(name, { Range: "bytes=2-4" }), {
      status: 206,
      body: "234",
      headers: { "content-range": "bytes 2-4/10", "content-length": "3" },
    });
    t.match(await get(name, { Range: "bytes=-3" }), { status: 206, body: "789" });
    t.match(await get(name, { Range: "bytes=10-" }), {
      status: 416,
      headers: { "content-range": "bytes */10" },
    });
    t.match(await get(name, { Range: "bytes=2-4", "If-Range": '"old"' }), { status: 200 });
    t.match(await get(name, { Range: "bytes=4-2" }), { status: 200, body: "0123456789" });
  }
  const part = await get("bytes", { Range: "bytes=0-0", "If-Range": '"mine"' });
  t.match(part, { status: 206, body: "0" });
});

t.test("only of a whole that is there", async (t) => {
  t.match(await get("created", { Range: "bytes=2-4" }), { status: 201, body: "0123456789" });
});

t.test("HEAD: the headers of GET", async (t) => {
  const reply = await peer.ask(["handler text"], { method: "HEAD" });
  t.match(reply, { status: 200, body: "", headers: { "content-length": "7" } });
});

t.test("what is no file is 404", async (t) => {
  t.equal((await get("folder")).status, 404);
  t.equal((await get("nothing")).status, 404);
});
