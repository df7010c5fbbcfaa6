/** Streams on a server of Node's own; test/apache/publisher-streams.ts has clients that go away. */
import t from "tap";
import { producerOf, type Producer } from "../../src/publisher/producer.ts";
import { sendStream } from "../../src/publisher/send-stream.ts";
import { serve } from "../fixtures/exchange-server.ts";

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
