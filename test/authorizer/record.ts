import t from "tap";
import * as record from "../../src/authorizer/fastcgi.ts";
import { writeBeginRequest } from "../fixtures/fcgi-client.ts";
import { type Pairs, readPairs, writePairs } from "../../src/authorizer/fastcgi.ts";

t.test("a record is what the specification draws (section 3.3)", async (t) => {
  const bytes = record.writeRecord(record.FCGI_STDOUT, 0x1234, Buffer.from("hello"));
  t.equal(bytes.toString("hex"), "010612340005030068656c6c6f000000");
  t.match(record.readRecord(bytes), {
    record: { version: 1, type: 6, requestId: 0x1234, content: Buffer.from("hello") },
    end: 16,
  });
});

t.test("is read only when it is there in full, padding included", async (t) => {
  const bytes = record.writeRecord(record.FCGI_PARAMS, 1, Buffer.from("abc"));
  for (let length = 0; length < bytes.length; length += 1) {
    t.equal(record.readRecord(bytes.subarray(0, length)), undefined, `${length} bytes`);
  }
  const two = Buffer.concat([bytes, bytes]);
  t.equal(record.readRecord(two)?.end, 16);
  t.equal(record.readRecord(two, 16)?.end, 32);
  t.equal(record.readRecord(two, 17), undefined);
});

t.test("any eight bytes are a header", async (t) => {
  const bytes = Buffer.from([255, 255, 255, 255, 0, 0, 0, 255]);
  t.match(record.readRecord(bytes), { record: { version: 255, type: 255, requestId: 65_535 } });
});

/** Lengths of the records that a stream of so many bytes becomes. */
function lengths(size: number): number[] {
  const bytes = record.writeStream(record.FCGI_STDOUT, 1, Buffer.alloc(size));
  const found: number[] = [];
  for (let at = 0; at < bytes.length;) {
    const read = record.readRecord(bytes, at);
    if (!read) throw new Error(`no record at ${at}`);
    found.push(read.record.content.length);
    at = read.end;
  }
  return found;
}

t.test("a stream is as many records as it needs, and an empty one", async (t) => {
  t.strictSame(lengths(0), [0]);
  t.strictSame(lengths(65_535), [65_535, 0]);
  t.strictSame(lengths(65_536), [65_535, 1, 0]);
  t.throws(() => record.writeRecord(6, 1, Buffer.alloc(65_536)), RangeError);
});

t.test("begin, end and unknown type", async (t) => {
  const begin = writeBeginRequest(7, { role: record.FCGI_AUTHORIZER, keepConnection: true });
  t.equal(begin.toString("hex"), "01010007000800000002010000000000");
  const content = record.readRecord(begin)?.record.content ?? Buffer.alloc(0);
  t.strictSame(record.readBeginRequest(content), { role: 2, keepConnection: true });
  t.match(record.readBeginRequest(Buffer.from([0, 2, 0xfe])), { keepConnection: false });
  t.equal(record.readBeginRequest(Buffer.from([0, 2])), undefined);
  t.equal(record.writeEndRequest(7, 3, 9).toString("hex"), "01030007000800000000000903000000");
  t.equal(record.writeUnknownType(99).toString("hex"), "010b0000000800006300000000000000");
});

t.test("pairs survive the way there and back", async (t) => {
  const pairs: Pairs = [
    ["A", "1"],
    ["", ""],
    ["", "no name"],
    ["LONG", "x".repeat(127)],
    ["LONGER", "x".repeat(128)],
    ["LONGEST", "x".repeat(70_000)],
    ["N".repeat(200), "long name"],
    ["A", "again"],
    ["UTF8", "né\u{1f600}"],
    ["__proto__", "x"],
  ];
  t.strictSame(readPairs(writePairs(pairs)), pairs);
  t.strictSame(readPairs(Buffer.alloc(0)), []);
});

t.test("lengths of one and of four bytes (section 3.4)", async (t) => {
  t.equal(writePairs([["A", "b"]]).toString("hex"), "01014162");
  t.equal(
    writePairs([["A", "b".repeat(128)]])
      .toString("hex")
      .slice(0, 12),
    "018000008041",
  );
  t.strictSame(readPairs(Buffer.from("800000018000000141", "hex").fill(66, 9)), undefined);
  t.strictSame(readPairs(Buffer.from("80000001800000014142", "hex")), [["A", "B"]]);
});

t.test("a stream that is cut is malformed as a whole", async (t) => {
  const bytes = writePairs([
    ["A", "1"],
    ["LONG", "x".repeat(200)],
  ]);
  const whole = [0, 4];
  for (let length = 0; length < bytes.length; length += 1) {
    if (!whole.includes(length))
      t.equal(readPairs(bytes.subarray(0, length)), undefined, `${length}`);
  }
});

t.test("a length beyond the end is malformed, however large", async (t) => {
  for (const hex of [
    "7f00",
    "0001",
    "ffffffff00",
    "00ffffffff",
    "ffffffffffffffff41",
    "80",
    "8000",
    "800000",
  ]) {
    t.equal(readPairs(Buffer.from(hex, "hex")), undefined, hex);
  }
});

t.test("bytes that are no UTF-8 become one character each", async (t) => {
  t.strictSame(readPairs(Buffer.from([1, 2, 65, 0xe9, 0xff])), [["A", "\u00e9\u00ff"]]);
});
