/** 100 MB in either direction: whole, and never in memory. */
import { createHash } from "node:crypto";
import { closeSync, createReadStream, openSync, writeSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";

const megabyte = 1024 * 1024;
const size = 100 * megabyte;
/** Of what the process held before the first large request. */
const allowedGrowth = 60 * megabyte;

const apache = await startApache(t, {
  conf: `
    <Location /large>
      Use TsHandler large.ts
      Use TsOption file "\${FOLDER}/large.bin"
    </Location>
    <Location /large/node>
      Use TsHandler mod_ts/node
      Use TsOption mod_ts.node.application large.ts::listener
    </Location>
    <Location /large/fetch>
      Use TsHandler mod_ts/fetch
      Use TsOption mod_ts.fetch.application large.ts::fetch
    </Location>
  `,
  handlers: {
    "large.ts": handlerFile("large.ts"),
  },
});

const digest = writeLargeFile(join(apache.folder, "large.bin"));

/** Writes 100 different blocks, as the handlers do; gives their digest. */
function writeLargeFile(path: string): string {
  const file = openSync(path, "w");
  const hash = createHash("sha256");
  for (let index = 0; index < 100; index += 1) {
    const block = Buffer.alloc(megabyte, index);
    hash.update(block);
    writeSync(file, block);
  }
  closeSync(file);
  return hash.digest("hex");
}

/** Sends `upload`, if any, and reads the answer as fast as it comes, or after a rest. */
function transfer(way: string, upload?: Readable, headers = {}): Promise<Download> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      host: "127.0.0.1",
      port: apache.port,
      path: `/large/${way}`,
      agent: false,
      method: upload ? "POST" : "GET",
      headers,
    });
    request.once("error", reject);
    request.once("response", async (response) => {
      const hash = createHash("sha256");
      const download = { status: response.statusCode, length: 0, digest: "", text: "" };
      for await (const chunk of response as AsyncIterable<Buffer>) {
        download.length += chunk.length;
        hash.update(chunk);
        if (download.length < 100) download.text += String(chunk);
      }
      resolve({ ...download, digest: hash.digest("hex") });
    });
    if (upload) upload.pipe(request);
    else request.end();
  });
}

interface Download {
  status: number | undefined;
  length: number;
  digest: string;
  /** Of a short answer. */
  text: string;
}

/** Peak of the worker's memory since the last question, in bytes. */
const memory = async (): Promise<number> => Number((await transfer("memory")).text);

/** Runs a transfer; fails when the worker needed memory for more than a part of it. */
async function bounded(t: Test, run: () => Promise<Download>): Promise<Download> {
  await memory();
  const before = await memory();
  const download = await run();
  const growth = (await memory()) - before;
  t.ok(growth < allowedGrowth, `memory grew by ${Math.round(growth / megabyte)} MB`);
  return download;
}

const upload = (): Readable => createReadStream(join(apache.folder, "large.bin"));

const withLength = { "content-length": String(size) };
const uploads = {
  body: withLength,
  "read chunked": {},
  web: withLength,
  "node chunked": {},
  fetch: withLength,
};

for (const [name, headers] of Object.entries(uploads)) {
  t.test(`upload read by ${name}`, async (t) => {
    const way = name.split(" ")[0] as string;
    const { status, text } = await bounded(t, () => transfer(way, upload(), headers));
    t.equal(status, 200, "the upload succeeds");
    t.equal(text, digest, "the handler read every byte");
  });
}

for (const way of ["write", "file", "response", "node", "fetch"]) {
  t.test(`download by ${way}`, async (t) => {
    const download = await bounded(t, () => transfer(way));
    t.match(download, { status: 200, length: size, digest });
  });
}

for (const way of ["write", "node"]) {
  t.test(`a handler waits for a client that does not read: ${way}`, async (t) => {
    const client = connect(apache.port, "127.0.0.1").pause();
    client.write(`GET /large/${way} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    let written = -1;
    for (let unchanged = 0; unchanged < 10; await sleep(10)) {
      const now = Number((await transfer("written")).text);
      unchanged = now === written ? unchanged + 1 : 0;
      written = now;
    }
    t.ok(written < 100, `${written} of 100 MB`);
    let length = 0;
    for await (const chunk of client as AsyncIterable<Buffer>) length += chunk.length;
    t.ok(length > size, "all of it, with headers");
  });
}
