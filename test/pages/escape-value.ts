import t from "tap";
import { escapeValue, valueText } from "../../src/pages/escape-value.ts";

t.test("escaped text is safe in elements and in attributes", async (t) => {
  t.equal(
    escapeValue(`<a href="x" title='&'>`),
    "&lt;a href=&quot;x&quot; title=&#39;&amp;&#39;&gt;",
  );
  t.equal(escapeValue({ toString: () => "<" }), "&lt;", "whatever it is before it is text");
  t.equal(escapeValue(["<", "&"]), "&lt;,&amp;");
  t.equal(escapeValue(Symbol.iterator), "Symbol(Symbol.iterator)");
});

t.test("what needs no escape stays what it is", async (t) => {
  for (const value of ["", "plain é 💥", 0, -1.5, NaN, 7n, true, false]) {
    t.equal(escapeValue(value), String(value));
    t.equal(valueText(value), String(value));
  }
});

t.test("null and undefined are nothing, a promise is a mistake", async (t) => {
  for (const write of [escapeValue, valueText]) {
    t.equal(write(null), "");
    t.equal(write(undefined), "");
    t.throws(() => write(Promise.resolve(1)), /is a promise; write await before it/);
  }
  t.equal(valueText("<"), "<");
});
