/** 100 MB in either direction: whole, and never in memory. */
import { createHash } from "node:crypto";
import { closeSync, createReadStream, openSync, writeSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
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
    "large.ts": `
      import { createHash } from "node:crypto";
      import { setFlagsFromString } from "node:v8";
      import type { IncomingMessage, ServerResponse } from "node:http";
      import { Readable } from "node:stream";
      import { pipeline } from "node:stream/promises";
      import { runInNewContext } from "node:vm";
      import type { ApacheRequest } from "mod-ts";
      const block = (index: number) => { move(${megabyte}); return Buffer.alloc(${megabyte}, index); };
      // What the process holds is of interest, not what it has not swept up yet.
      setFlagsFromString("--expose-gc");
      const collect = runInNewContext("gc");
      let written = 0;
      let peak = 0;
      const look = () => { peak = Math.max(peak, process.memoryUsage.rss()); };
      setInterval(look, 20).unref();
      let moved = 0;
      const move = (bytes: number) => {
        moved += bytes;
        if (moved < 5 * ${megabyte}) return;
        moved = 0;
        collect();
        look();
      };
      const ways: Record<string, (req: ApacheRequest) => unknown> = {
        memory: (req) => { req.write(String(peak)); peak = process.memoryUsage.rss(); },
        body: async (req) => {
          const hash = createHash("sha256");
          for await (const chunk of req.body) { hash.update(chunk); move(chunk.length); }
          req.write(hash.digest("hex"));
        },
        read: async (req) => {
          const hash = createHash("sha256");
          for (;;) {
            const chunk = await req.read(50_000);
            if (chunk.length === 0) break;
            hash.update(chunk);
            move(chunk.length);
          }
          req.write(hash.digest("hex"));
        },
        web: async (req) => {
          const hash = createHash("sha256");
          for await (const chunk of req.toRequest().body!) { hash.update(chunk); move(chunk.length); }
          return new Response(hash.digest("hex"));
        },
        write: async (req) => {
          for (written = 0; written < 100; written++) { req.write(block(written)); await req.flush(); }
        },
        written: (req) => { req.write(String(written)); },
        file: async (req) => {
          const timer = setInterval(() => move(10 * ${megabyte}), 50);
          await req.sendFile(req.getOptions()["file"]!).finally(() => clearInterval(timer));
        },
        response: () => {
          let index = 0;
          return new Response(new ReadableStream({
            pull(controller) {
              if (index < 100) controller.enqueue(block(index++));
              else controller.close();
            },
          }));
        },
      };
      const digestOf = async (body: AsyncIterable<Uint8Array>) => {
        const hash = createHash("sha256");
        for await (const chunk of body) { hash.update(chunk); move(chunk.length); }
        return hash.digest("hex");
      };
      function* blocks() { for (written = 0; written < 100; written++) yield block(written); }
      export const listener = async (req: IncomingMessage, res: ServerResponse) => {
        if (req.method === "POST") res.end(await digestOf(req));
        else await pipeline(Readable.from(blocks()), res);
      };
      export const fetch = async (request: Request) =>
        new Response(request.body ? await digestOf(request.body) : ReadableStream.from(blocks()));
      export const handler = (req: ApacheRequest) => ways[req.uri.split("/").at(-1)!]!(req) as number;
    `,
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
    t.equal(status, 200);
    t.equal(text, digest);
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
