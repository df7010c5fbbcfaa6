/** Header blocks as scripts write them. */
import t from "tap";
import { HeaderParser } from "../../src/cgi/header-parser.ts";

const parse = (text: string) => new HeaderParser().push(Buffer.from(text, "latin1"));

t.test("line feeds with and without carriage return", async (t) => {
  const fields = [
    ["Content-Type", "text/plain"],
    ["X", "a: b"],
    ["Empty", ""],
  ];
  t.strictSame(parse("Content-Type: text/plain\nX:a: b  \nEmpty:\n\nbody\n\n"), {
    fields,
    rest: Buffer.from("body\n\n"),
  });
  t.match(parse("Content-Type:\ttext/plain\r\nX: a: b\r\nEmpty: \r\n\r\nbody"), { fields });
});

t.test("byte for byte the same", async (t) => {
  const text = "A: 1\r\nB: 2\n\r\nrest";
  const parser = new HeaderParser();
  t.ok(parser.untouched);
  const heads = [...text].map((byte) => parser.push(Buffer.from(byte))).filter(Boolean);
  t.notOk(parser.untouched);
  t.match(heads[0], {
    fields: [
      ["A", "1"],
      ["B", "2"],
    ],
    rest: Buffer.alloc(0),
  });
});

t.test("what is no header", async (t) => {
  t.throws(() => parse("no colon\n\n"), /line 1, "no colon", is not of the form/);
  t.throws(() => parse("A: 1\n folded: 2\n\n"), /line 2/);
  t.throws(() => parse("A : 1\n\n"), /line 1/);
  t.throws(() => parse(": 1\n\n"), /line 1/);
  t.throws(() => parse("A\x00: 1\n\n"), /line 1/);
  t.throws(() => parse("HTTP/1.0 200 OK\n"), { name: "BadHead", message: /status line/ });
  t.throws(() => parse(`${"z".repeat(200)}\n`), /z{60}…/);
});

t.test("limits", async (t) => {
  t.throws(() => parse("A: 1\n".repeat(101)), /more than 100 lines/);
  t.ok(parse(`${"A: 1\n".repeat(100)}\n`));
  t.throws(() => parse("A".repeat(65_537)), /within 65536 bytes/);
  t.throws(() => parse(`${`A: ${"1".repeat(30_000)}\n`.repeat(3)}\n`), /within 65536 bytes/);
});

t.test("60,000 blanks in a value cost no time, and its bytes stay", async (t) => {
  const value = `a${" ".repeat(60_000)}\xa0`;
  const begin = performance.now();
  t.strictSame(parse(`X: \t${value}\t \n\n`)?.fields, [["X", value]]);
  t.throws(() => parse(`X: ${" ".repeat(60_000)}\rx\n\n`), /line 1/);
  t.ok(performance.now() - begin < 300, "1.4 seconds with a pattern");
});
