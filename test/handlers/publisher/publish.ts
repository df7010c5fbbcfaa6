/** Values to responses; test/apache/publisher.ts has the whole table through Apache. */
import { Readable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import t from "tap";
import {
  isPage,
  keepPlain,
  type Producer,
  producerOf,
  publish,
  sendStream,
  setType,
} from "../../../src/handlers/publisher/publish.ts";
import { type Answer, serve } from "../../fixtures/exchange-server.ts";
import { noFields } from "../../../src/handlers/publisher/arguments.ts";
import { Form } from "../../../src/request/body/form.ts";

async function answer(value: unknown, before?: string): Promise<Answer> {
  const server = await serve(t, (req) => {
    if (before) req.write(before);
    return publish(req, value, { label: "/m.ts/fn" });
  });
  return server.ask();
}

t.test("types and lengths", async (t) => {
  t.match(await answer("a"), { body: "a", headers: { "content-length": "1" } });
  t.match(await answer(0), { body: "0", headers: { "content-type": "text/plain; charset=utf-8" } });
  t.match(await answer({ a: 1 }), {
    body: '{"a":1}',
    headers: { "content-type": "application/json" },
  });
  t.match(await answer(new DataView(new ArrayBuffer(3), 1)), {
    headers: { "content-length": "2" },
  });
  t.match(await answer(new Response("r", { status: 201 })), { status: 201, body: "r" });
  t.match(await answer(undefined, "written"), { body: "written" });
});

t.test("a long answer that is all there is has its length", async (t) => {
  const long = "ä".repeat(100_000);
  t.match(await answer(long), { headers: { "content-length": "200000" }, complete: true });
  const more = await answer(long, "before");
  t.equal(more.headers["content-length"], "200006", "with what stands before it");
  t.equal(more.body.length, 100_006);
});

t.test("what cannot be sent", async (t) => {
  for (const value of [() => 1, Symbol("s"), new Map(), new Set(), { a: 1n }, { toJSON() {} }]) {
    t.match(await answer(value), { status: 500, body: "MODTS_BAD_RESULT" });
  }
});

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

t.test("a document from its beginning to its end", async (t) => {
  for (const text of [
    "<html></html>",
    "<!DOCTYPE html>\n<html><p>a</p></html>\n",
    "\ufeff \n<!doctype HTML><HTML></HTML >  \n",
    `<html lang="de">${"x".repeat(100_000)}</html>`,
    "<!doctype html><title>a</title><p>b</html>",
  ]) {
    t.ok(isPage(text), text.slice(0, 40));
  }
});

t.test("text with a page in it is none", async (t) => {
  for (const text of [
    "",
    "a < b",
    "<p>a</p>",
    "<html>",
    "</html>",
    "Hello <html></html>",
    "<html></html> is here",
    "<htmlx></html>",
    "<html></htmlx>",
    `<html></html>${" ".repeat(200)}`,
  ]) {
    t.notOk(isPage(text), text.slice(0, 40));
  }
});

t.test("what was sent makes no page of what is given", async (t) => {
  const page = "<html><script></script></html>";
  const server = await serve(t, async (req) => {
    const form =
      req.args === "none"
        ? noFields
        : new Form([
            ["a", "  "],
            ["text", ` ${page}`],
          ]);
    keepPlain(req, req.headersIn.get("given") ?? "", form);
    req.write(String(req[Symbol.for("mod_ts.internals") as never]["response"]["contentType"]));
  });
  const ask = async (given: string): Promise<string> =>
    (await server.ask(`GET /\nGiven: ${given}`)).body;
  t.equal(await ask(page), "text/plain");
  t.equal(await ask(`${page} and more </html>`), "text/plain");
  t.equal(
    await ask(`<html>${page}</html>`),
    "undefined",
    "a page of the author's, with theirs in it",
  );
  t.equal(await ask("text"), "undefined");
});

t.test("the author's word counts", async (t) => {
  const server = await serve(t, (req) => {
    if (req.uri === "/a/b") req.headersOut.set("Content-Type", "text/x-own");
    setType(req, "text/plain");
    req.write("a");
  });
  t.equal((await server.ask("GET /")).headers["content-type"], "text/x-own; charset=utf-8");
  const set = await serve(t, (req) => {
    req.contentType = "text/x-set";
    setType(req, "text/plain");
    req.write("a");
  });
  t.equal((await set.ask("GET /")).headers["content-type"], "text/x-set; charset=utf-8");
});

const serveParts = (parts: () => object) =>
  serve(t, (req) => sendStream(req, producerOf(parts()) as Producer, { label: "/m.ts/fn" }));

t.test("what is made at once goes out whole, what comes later part by part", async (t) => {
  const sync = await serveParts(() => ["a", "b"].values());
  t.match(await sync.ask(), { body: "ab", headers: { "content-length": "2" } });
  const live = await serveParts(async function* () {
    yield "a";
    yield Buffer.from("b");
  });
  t.match(await live.ask(), { body: "ab", headers: { "transfer-encoding": "chunked" } });
});

t.test("HEAD asks for the first part alone", async (t) => {
  let made = 0;
  const server = await serveParts(function* () {
    for (;;) yield `part ${++made}`;
  });
  t.match(await server.ask("HEAD /"), { status: 200, body: "" });
  t.equal(made, 1);
});

t.test("a part that is neither text nor bytes", async (t) => {
  const server = await serveParts(() => [{ a: 1 }].values());
  t.match(await server.ask(), { status: 500, body: "MODTS_BAD_RESULT" });
  const later = await serveParts(async function* () {
    yield "a";
    yield 1;
  });
  t.match(await later.ask(), { complete: false });
});

t.test("what fails has ended its producer", async (t) => {
  let ended = false;
  const server = await serveParts(function* () {
    try {
      yield 1;
    } finally {
      ended = true;
    }
  });
  t.match(await server.ask(), { status: 500 });
  t.ok(ended);
});
