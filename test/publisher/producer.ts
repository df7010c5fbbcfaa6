/** One way to read all that comes in parts, and to end it. */
import { Readable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import t from "tap";
import { producerOf, type Producer } from "../../src/publisher/producer.ts";

async function drain(producer: Producer | undefined): Promise<unknown[]> {
  const parts: unknown[] = [];
  for (;;) {
    const part = await producer?.next();
    if (!part || part.done) return parts;
    parts.push(part.value);
  }
}

t.test("reads streams, generators and iterators", async (t) => {
  const web = new ReadableStream({
    start(controller) {
      controller.enqueue("a");
      controller.close();
    },
  });
  const generator = (function* () {
    yield "a";
  })();
  const asyncGenerator = (async function* () {
    yield "a";
  })();
  for (const [value, isLive] of [
    [web, true],
    [Readable.from(["a"]), true],
    [asyncGenerator, true],
    [
      {
        [Symbol.asyncIterator]: () =>
          (async function* () {
            yield "a";
          })(),
      },
      true,
    ],
    [generator, false],
    [["a"].values(), false],
    [new Set(["a"]).values(), false],
  ] as const) {
    const producer = producerOf(value);
    t.equal(producer?.isLive, isLive);
    t.same(await drain(producer), ["a"]);
  }
});

t.test("what holds its parts already is no producer", async (t) => {
  for (const value of [[], new Map(), new Set(), {}, { next: () => 1 }, new Date()]) {
    t.equal(producerOf(value), undefined);
  }
});

t.test("stops each in its way, and what fails then harms nobody", async (t) => {
  const ended: string[] = [];
  const web = new ReadableStream({ cancel: () => void ended.push("web") });
  const node = new Readable({ read() {} }).once("close", () => ended.push("node"));
  const generator = (function* () {
    try {
      yield 1;
      yield 2;
    } finally {
      ended.push("generator");
    }
  })();
  const bad = {
    next: () => ({ done: false, value: 1 }),
    return() {
      throw new Error("oh");
    },
    [Symbol.iterator]() {
      return this;
    },
  };
  const rejecting = {
    [Symbol.asyncIterator]: () => ({
      next: async () => ({ done: false, value: 1 }),
      return: () => Promise.reject(new Error("oh")),
    }),
  };
  for (const value of [web, node, generator, bad, rejecting, ["a"].values()]) {
    const producer = producerOf(value);
    if (value === generator) await producer?.next();
    t.doesNotThrow(() => producer?.stop());
  }
  await setImmediate();
  t.same(ended.toSorted(), ["generator", "node", "web"]);
});

t.test("a stream that waits ends at once", async (t) => {
  const producer = producerOf(new Readable({ read() {} }));
  const waiting = Promise.resolve(producer?.next()).then(
    () => "ended",
    () => "ended",
  );
  producer?.stop();
  t.equal(await waiting, "ended");
});
