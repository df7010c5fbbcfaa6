import t from "tap";
import { FormEntries } from "../../../src/request/body/form.ts";
import { formLimits } from "../../../src/request/body/form-limits.ts";
import { addUrlencoded } from "../../../src/request/body/urlencoded.ts";

function parse(text: string | Buffer, charset?: string): [string, unknown][] {
  const entries = new FormEntries(formLimits({}));
  addUrlencoded(Buffer.from(text), entries, charset ? new TextDecoder(charset) : undefined);
  return entries.list;
}

t.test("as the URL standard has it", async (t) => {
  const texts = [
    "a=1&b=2&a=3",
    "&&a&=b&=&c=&d=1=2&",
    "a+b=c%20d%2B%26%3d",
    "a;b=1;c=2",
    "%=%zz&%4=%4&%%41=%e4%",
    "%C3%A4=%E2%82%AC&%ff=%C3",
    "grüße=€ 🏠",
    "%EF%BB%BFa=\ufeffb",
    "__proto__=1&constructor=2&toString",
    "a%00b=%0D%0A",
  ];
  for (const text of texts) t.strictSame(parse(text), [...new URLSearchParams(text)], text);
  t.strictSame(parse("?a=1"), [["?a", "1"]], "a question mark at the start is part of the name");
});

t.test("escapes and plain bytes stand for the charset", async (t) => {
  t.strictSame(parse(Buffer.from("n%E4me=\xe4+%20x", "latin1"), "iso-8859-1"), [["näme", "ä  x"]]);
  t.strictSame(parse("%93%FA%96%7b", "shift_jis"), [["日本", ""]]);
  t.strictSame(parse("a%00=1%00", "utf-16le"), [["a", "1"]]);
});

t.test("a list of millions of fields ends at the limit", async (t) => {
  // Whoever makes all of them first is busy for minutes: this test would not end in time.
  t.throws(() => parse("a&".repeat(4 * 1024 ** 2)), { message: /1000 fields/ });
  t.strictSame(parse("&".repeat(1024 ** 2)), []);
});

t.test("escapes only cost their bytes", async (t) => {
  const bytes = Buffer.from(`a=${"%41".repeat(2.5 * 1024 ** 2)}`);
  const entries = new FormEntries(formLimits({}));
  const start = process.cpuUsage();
  try {
    addUrlencoded(bytes, entries);
  } catch {
    // Over the limit of a field, once it is decoded.
  }
  const { user } = process.cpuUsage(start);
  t.ok(user < 1_000_000, `${user} µs`);
  t.comment(`${user} µs`);
});
