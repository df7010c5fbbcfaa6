import { createHash, randomBytes } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { createServer, get, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { ReadBlocks, reclaim } from "../../../src/handlers/origin/reclaim.ts";

t.test("a block of its own is given back, a part of one is not", (t) => {
  const whole = new Uint8Array(65536);
  reclaim(whole);
  t.equal(whole.byteLength, 0);
  const unfilled = new Uint8Array(65536).subarray(0, 60_000);
  reclaim(unfilled);
  t.equal(unfilled.byteLength, 0);
  const block = Buffer.alloc(100, "x");
  for (const part of [block.subarray(0, 50), block.subarray(10, 90)]) {
    reclaim(part);
    t.match(part.toString(), /^x+$/);
  }
  reclaim(new Uint8Array(new SharedArrayBuffer(8)));
  t.end();
});

const body = randomBytes(3_000_000);
const hashOf = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

async function fetchBody(t: Test, headers: Record<string, number>): Promise<IncomingMessage> {
  const server = createServer((_request, response) => response.writeHead(200, headers).end(body));
  server.listen(0, "127.0.0.1");
  t.teardown(() => server.close());
  await once(server, "listening");
  const options = { port: (server.address() as AddressInfo).port, agent: false };
  return (await once(get(options), "response"))[0] as IncomingMessage;
}

const framings = { "of a known length": { "Content-Length": body.length }, "in chunks": {} };
for (const [name, headers] of Object.entries(framings)) {
  t.test(`blocks that were read for an answer ${name}`, async (t) => {
    const answer = await fetchBody(t, headers);
    const blocks = new ReadBlocks(answer);
    const read: Uint8Array[] = [];
    answer.socket.on("data", (block: Buffer) => read.push(block));
    const hash = createHash("sha256");
    let pauses = 0;
    answer.on("data", (chunk: Buffer) => {
      blocks.handedOn(chunk);
      hash.update(chunk);
      reclaim(chunk);
      if (pauses === 20) return;
      pauses += 1;
      // What comes meanwhile waits in the answer.
      answer.pause();
      void sleep(1).then(() => answer.resume());
    });
    await once(answer, "close");
    t.equal(hash.digest("hex"), hashOf(body), "nothing was taken too early");
    t.ok(read.length > 20);
    t.strictSame(
      read.filter((block) => block.byteLength > 0),
      [],
      "and everything was taken",
    );
  });
}

/** An answer whose parts a test hands on by hand. */
class FakeAnswer extends EventEmitter {
  readonly socket = new EventEmitter();
  readableLength = 0;
}

function follow(): { answer: FakeAnswer; blocks: ReadBlocks } {
  const answer = new FakeAnswer();
  return { answer, blocks: new ReadBlocks(answer as unknown as IncomingMessage) };
}

t.test("blocks of which parts are handed on stay as they are", (t) => {
  const { answer, blocks } = follow();
  const first = new Uint8Array(10);
  blocks.handedOn(first.subarray(2));
  answer.socket.emit("data", first);
  t.equal(first.byteLength, 10, "handed on at once");
  const { answer: other, blocks: later } = follow();
  const second = new Uint8Array(10);
  other.readableLength = 8;
  other.socket.emit("data", second);
  other.readableLength = 0;
  later.handedOn(second.subarray(2));
  t.equal(second.byteLength, 10, "handed on after a pause");
  t.end();
});

t.test("a kept connection is followed until the answer is over", (t) => {
  const { answer } = follow();
  answer.emit("close");
  t.equal(answer.socket.listenerCount("data"), 0);
  t.end();
});
