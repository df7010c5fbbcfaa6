import t from "tap";
import { collect } from "../../fixtures/collect.ts";
import { ChunkQueue } from "../../../src/request/filters/chunk-queue.ts";

const large = Buffer.alloc(70_000);

t.test("chunks in order, then the end", async (t) => {
  const queue = new ChunkQueue();
  queue.push(Buffer.from("a"));
  const read = collect(queue);
  queue.push(Buffer.from("b"));
  queue.close();
  t.strictSame((await read).map(String), ["a", "b"]);
});

t.test("an error comes after the chunks before it", async (t) => {
  const queue = new ChunkQueue();
  queue.push(Buffer.from("a"));
  queue.close(new Error("broken"));
  const iterator = queue[Symbol.asyncIterator]();
  t.equal(String((await iterator.next()).value), "a");
  await t.rejects(iterator.next(), /broken/);
});

t.test("a slow consumer holds the producer back", async (t) => {
  const queue = new ChunkQueue();
  t.equal(queue.push(large), false, "the queue is full");
  let isDrained = false;
  const drained = queue.drained().then(() => (isDrained = true));
  const iterator = queue[Symbol.asyncIterator]();
  t.equal(isDrained, false, "nothing was read yet");
  await iterator.next();
  await drained;
  t.equal(queue.push(Buffer.from("x")), true, "there is room again");
});

t.test("a consumer that leaves lets the producer go on", async (t) => {
  const queue = new ChunkQueue();
  queue.push(large);
  for await (const _ of queue) break;
  await queue.drained();
  t.equal(queue.push(large), true, "what nobody reads is dropped");
});
