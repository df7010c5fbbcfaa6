/** Values to responses; test/apache/publisher.ts has the whole table through Apache. */
import t from "tap";
import { publish } from "../../src/publisher/publish.ts";
import { serve, type Answer } from "../fixtures/exchange-server.ts";

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
  t.equal(more.headers["content-length"], undefined, "unless something stands before it");
  t.equal(more.body.length, 100_006);
});

t.test("what cannot be sent", async (t) => {
  for (const value of [() => 1, Symbol("s"), new Map(), new Set(), { a: 1n }, { toJSON() {} }]) {
    t.match(await answer(value), { status: 500, body: "MODTS_BAD_RESULT" });
  }
});
