import t from "tap";
import { WriteBuffer } from "../../src/request/write-buffer.ts";

t.test("text stays text", async (t) => {
  const buffer = new WriteBuffer();
  t.equal(buffer.take(), "");
  buffer.push("ab");
  buffer.push("c");
  t.equal(buffer.size, 3);
  t.equal(buffer.take(), "abc");
  t.equal(buffer.size, 0);
  t.equal(buffer.hadText, true);
});

t.test("bytes are copied, and turn all into bytes", async (t) => {
  const buffer = new WriteBuffer();
  const bytes = Buffer.from("x");
  buffer.push(bytes);
  bytes.fill("y");
  t.equal(buffer.hadText, false);
  t.strictSame(Buffer.from(buffer.take() as Uint8Array), Buffer.from("x"));
  buffer.push("ä");
  buffer.push(new Uint8Array([1, 2]));
  buffer.push("b");
  t.equal(buffer.size, 4);
  t.strictSame(buffer.take(), Buffer.from([0xc3, 0xa4, 1, 2, 0x62]));
});

t.test("nothing else", async (t) => {
  const buffer = new WriteBuffer();
  for (const value of [null, 5, {}, [1], new ArrayBuffer(1)]) {
    t.throws(() => buffer.push(value as string), { code: "MODTS_BAD_ARGUMENT" });
  }
});
