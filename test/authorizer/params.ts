import t from "tap";
import { type Pairs, readPairs, writePairs } from "../../src/authorizer/params.ts";

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
