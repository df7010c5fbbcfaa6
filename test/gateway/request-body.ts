/** A body apart from its connection: whatever becomes of it, the source is read to its end and never destroyed. */
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import t from "tap";
import { RequestBody } from "../../src/gateway/request-body.ts";

/** Like a message of `node:http`, it must end by itself. */
const source = (): PassThrough => new PassThrough({ highWaterMark: 4 });

/** Writes ten chunks of ten bytes as fast as they are taken. */
async function fill(stream: PassThrough): Promise<void> {
  for (let index = 0; index < 10; index += 1) {
    if (!stream.write("0123456789")) await once(stream, "drain");
  }
  stream.end();
}

async function read(body: RequestBody): Promise<string> {
  let text = "";
  for await (const chunk of body as AsyncIterable<Buffer>) text += String(chunk);
  return text;
}

t.test("all of it, in order", async (t) => {
  const from = source();
  const body = new RequestBody(from, 100);
  void fill(from);
  t.equal(await read(body), "0123456789".repeat(10));
});

t.test("waits for its reader", async (t) => {
  const from = source();
  const body = new RequestBody(from, 1_000_000);
  let written = 0;
  const more = (): void => {
    while (from.write(Buffer.alloc(1000))) written += 1000;
  };
  from.on("drain", more);
  more();
  for (let count = 0; count < 100; count += 1) await turn();
  t.ok(body.readableLength <= body.readableHighWaterMark + 1000);
  t.ok(from.isPaused());
  t.ok(written < 500_000);
});

t.test("over the limit: an error for the reader, the source is read on", async (t) => {
  const from = source();
  const body = new RequestBody(from, 99);
  const ended = once(from, "end");
  const filled = fill(from);
  await t.rejects(read(body), { code: "MODTS_BODY_TOO_LARGE" });
  await filled;
  await ended;
});

t.test("a reader that stops", async (t) => {
  for (const stop of [
    (body: RequestBody) => body.destroy(),
    (body: RequestBody) => breakOff(body),
  ]) {
    const from = source();
    const body = new RequestBody(from, 100);
    const ended = once(from, "end");
    const filled = fill(from);
    await stop(body);
    await filled;
    await ended;
    t.ok(body.destroyed);
    t.ok(from.readableEnded);
  }
});

async function breakOff(body: RequestBody): Promise<void> {
  for await (const chunk of body as AsyncIterable<Buffer>) {
    if (chunk.length > 0) break;
  }
}

t.test("a client that goes away is an error, not an end", async (t) => {
  for (const error of [new Error("reset"), undefined]) {
    const from = source();
    const body = new RequestBody(from, 100);
    from.write("half");
    from.destroy(error);
    await t.rejects(read(body), { message: error ? "reset" : "aborted" });
  }
});

t.test("who comes when the source is gone hears so, and does not wait", async (t) => {
  const ended = source();
  ended.end("text");
  ended.resume();
  await once(ended, "close");
  const destroyed = source();
  destroyed.destroy();
  for (const from of [ended, destroyed]) {
    await t.rejects(read(new RequestBody(from, 100)), { message: "read before" });
  }
});
