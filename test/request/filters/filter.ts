import t from "tap";
import { collect } from "../../fixtures/collect.ts";
import {
  charsetOf,
  chunkFilter,
  type Filter,
  type FilteredMessage,
  guardFilter,
  runFilters,
  streamFilter,
  textFilter,
  toFilter,
} from "../../../src/request/filters/filter.ts";

function message(contentType = "text/plain"): FilteredMessage {
  return { contentType, status: 200 } as FilteredMessage;
}

async function* source(...parts: string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part, "latin1");
}

async function run(filters: readonly Filter[], parts: string[], about = message()) {
  const chunks = await collect(runFilters(source(...parts), filters, about));
  return chunks.map((chunk) => Buffer.from(chunk).toString());
}

const upper = textFilter((text) => text.toUpperCase());

t.test("a text filter sees the whole", async (t) => {
  t.strictSame(await run([upper], ["a", "b"]), ["AB"], "once, however it arrives");
  t.ok(upper.isWhole);
  const strict = textFilter((text) => text, { limit: 3 });
  t.strictSame(await run([strict], ["ab", "c"]), ["abc"], "up to its limit");
  await t.rejects(run([strict], ["ab", "cd"]), { code: "MODTS_FILTER_TOO_LARGE" });
});

t.test("charsets", async (t) => {
  const about = message("text/html;charset=ISO-8859-1");
  t.strictSame(await run([upper], ["\xe9"], about), ["É"], "text is decoded");
  t.equal(about.contentType, "text/html; charset=utf-8", "and announced as what it is now");
  t.equal(charsetOf("text/html"), "utf-8");
  t.throws(() => charsetOf("text/html; charset=none-such"), { code: "MODTS_FILTER_UNREADABLE" });
});

t.test("chunk filters and streams work in parts", async (t) => {
  const twice = chunkFilter(async function* repeat(chunks) {
    for await (const chunk of chunks) {
      yield chunk;
      yield "";
      yield chunk;
    }
  });
  t.strictSame(await run([twice], ["a", "b"]), ["a", "a", "b", "b"], "empty parts are left out");
  const stream = streamFilter(
    () =>
      new TransformStream<Uint8Array, Uint8Array>({
        transform: (chunk, controller) => controller.enqueue(Buffer.concat([chunk, chunk])),
      }),
  );
  t.strictSame(await run([stream, upper], ["a", "b"]), ["AABB"], "several in order");
  await t.rejects(
    run([stream], []).then(() => run([chunkFilter(fails), stream], ["a"])),
    /broken/,
    "an error reaches the end of the chain",
  );
});

async function* fails(): AsyncGenerator<string> {
  yield "x";
  throw new Error("broken");
}

t.test("exports of modules", async (t) => {
  t.equal(toFilter(upper), upper, "a filter");
  t.strictSame(await run([toFilter((text: string) => `${text}!`)!], ["a", "b"]), ["ab!"]);
  t.equal(toFilter(fails)?.isWhole, false, "an async generator function works in parts");
  for (const value of [undefined, null, 1, "text", {}]) t.equal(toFilter(value), undefined);
});

t.test("errors of a filter are explained, those of the source are not", async (t) => {
  const explain = (error: unknown): unknown => new Error(`explained: ${(error as Error).message}`);
  await t.rejects(run([guardFilter(chunkFilter(fails), explain)], ["a"]), /explained: broken/);
  const broken = chunkFilter(fails);
  await t.rejects(run([broken, guardFilter(upper, explain)], ["a"]), { message: "broken" });
});
