import t from "tap";
import { copyToBlock, takeBlock, textToBlock } from "../../../src/request/response/blocks.ts";

const size = 100_000;

t.test("bytes are copied, and the memory is used again once it is released", async (t) => {
  const data = new Uint8Array(size).fill(1);
  const block = copyToBlock(data);
  t.equal(block.bytes.length, size);
  data.fill(2);
  t.equal(block.bytes[size - 1], 1);
  t.not(copyToBlock(data).bytes.buffer, block.bytes.buffer, "not before");
  block.release!();
  const again = takeBlock(size + 1);
  t.equal(again.bytes.buffer, block.bytes.buffer, "of the same power of two");
  t.equal(again.bytes.length, size + 1);
});

t.test("text in UTF-8", async (t) => {
  for (const text of ["a", "ö\ud800", "a".repeat(size), "ö€".repeat(size)]) {
    const { bytes, release } = textToBlock(text);
    t.ok(Buffer.from(text).equals(bytes), text.slice(0, 2));
    t.equal(release !== undefined, text.length >= size, "short text is no block");
  }
});

t.test("a short copy is no block", async (t) => {
  const { bytes, release } = copyToBlock(Buffer.from("abc"));
  t.equal(String(bytes), "abc");
  t.equal(release, undefined);
});

t.test("a block that is released twice is not lent twice", async (t) => {
  const block = takeBlock(size);
  block.release();
  block.release();
  t.not(takeBlock(size).bytes.buffer, takeBlock(size).bytes.buffer);
});

t.test("no more than 16 MiB are kept", async (t) => {
  const length = 1024 ** 2;
  const lent = Array.from({ length: 20 }, () => takeBlock(length));
  for (const { release } of lent) release();
  const buffers = new Set(lent.map(({ bytes }) => bytes.buffer));
  const known = Array.from({ length: 20 }, () => takeBlock(length)).filter(({ bytes }) =>
    buffers.has(bytes.buffer),
  );
  t.ok(known.length > 0 && known.length <= 16, `${known.length}`);
});

t.test("blocks of a size that is used now take the place of others", async (t) => {
  const large = Array.from({ length: 16 }, () => takeBlock(1024 ** 2));
  for (const { release } of large) release();
  const small = takeBlock(size);
  small.release();
  t.equal(takeBlock(size).bytes.buffer, small.bytes.buffer);
});
