/** Parts as one piece, and what they cost. */
import t from "tap";
import { ByteCollector } from "../../../src/request/body/byte-collector.ts";

const collect = (...parts: string[]): string => {
  const collector = new ByteCollector();
  for (const part of parts) collector.add(Buffer.from(part));
  return String(collector.whole());
};

t.test("parts of any length, in order", async (t) => {
  t.equal(collect(), "");
  t.equal(collect("", ""), "");
  t.equal(collect("one"), "one");
  t.equal(collect("", "one", "", "two", "three"), "onetwothree");
  const long = "x".repeat(5000);
  t.equal(collect("a", long, "b", long + long, "c"), `a${long}b${long}${long}c`);
});

t.test("one part is not copied, and none is written to", async (t) => {
  const memory = Buffer.from("abcdef");
  const collector = new ByteCollector();
  collector.add(memory.subarray(0, 2));
  t.equal(collector.whole().buffer, memory.buffer);
  collector.add(Buffer.from("XY"));
  t.equal(String(collector.whole()), "abXY");
  t.equal(String(memory), "abcdef");
});

t.test("a million parts of one byte take the memory of a few", async (t) => {
  const collector = new ByteCollector();
  let kept = 0;
  const seen = new Set<ArrayBufferLike>();
  for (let count = 0; count < 1_000_000; count += 1) {
    collector.add(Buffer.from([count & 0xff]));
    seen.add(collector.whole().buffer);
    kept = Math.max(kept, collector.whole().buffer.byteLength);
  }
  t.equal(collector.whole().length, 1_000_000);
  t.equal(collector.whole()[999_999], 999_999 & 0xff);
  t.ok(kept <= 2_097_152);
  t.ok(seen.size < 20, "it grows seldom");
});
