import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import t from "tap";
import { codingsOf, through } from "../../../src/request/filters/codings.ts";
import { HeaderTable } from "../../../src/request/headers.ts";
import { collect } from "../../fixtures/collect.ts";

const named = (coding: string) => codingsOf(new HeaderTable({ "Content-Encoding": coding }));

async function* source(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

t.test("codings are undone, and done again", async (t) => {
  const compressed = {
    gzip: gzipSync("text"),
    "X-Gzip": gzipSync("text"),
    deflate: deflateSync("text"),
    br: brotliCompressSync("text"),
  };
  for (const [name, bytes] of Object.entries(compressed)) {
    const [coding] = named(name);
    const plain = Buffer.concat(await collect(through(source(bytes), [coding!.decode])));
    t.equal(plain.toString(), "text", name);
    const steps = [coding!.encode, coding!.decode];
    const again = Buffer.concat(await collect(through(source(plain), steps)));
    t.equal(again.toString(), "text");
  }
});

t.test("several, none, and unknown ones", async (t) => {
  t.equal(named("gzip, br").length, 2);
  t.equal(named("identity").length, 0);
  t.throws(() => named("zstd"), { code: "MODTS_FILTER_UNREADABLE" });
});
