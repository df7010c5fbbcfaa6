import t from "tap";
import { PageSource } from "../../src/pages/page-source.ts";
import { scanCode } from "../../src/pages/scan-code.ts";

/** The code up to its end, and what is left of the page. */
function split(text: string): [string, string] {
  const { end, tagEnd } = scanCode(new PageSource("/a.tsp", text), { start: 0, open: 0 });
  return [text.slice(0, end), text.slice(tagEnd)];
}

t.test("the first %> that is code ends the code", async (t) => {
  t.same(split(" a %>b%>"), [" a ", "b%>"]);
  t.same(split("a%>>b"), ["a", ">b"]);
  t.same(split("a % 2 %>b"), ["a % 2 ", "b"]);
  for (const literal of ['"%>"', "'%>'", "`%>`", "`${'%>'}%>`", "/%>/", "/[/%>]/", "/* %> */"]) {
    t.same(split(`f(${literal})%>b`), [`f(${literal})`, "b"], literal);
  }
});

t.test("in a line comment %> ends the code, and the comment is no part of it", async (t) => {
  t.same(split("a // it's %>b"), ["a ", "b"]);
  t.same(split("a // b\nc%>d"), ["a // b\nc", "d"]);
  t.same(split("//%>d"), ["", "d"]);
});

t.test("tokens have their places", async (t) => {
  const { tokens } = scanCode(new PageSource("/a.tsp", "x if /* c */ (a) %>"), {
    start: 1,
    open: 0,
  });
  t.same(
    tokens.map(({ value, isName, start }) => [value, isName, start]),
    [
      ["if", true, 2],
      ["(", false, 13],
      ["a", true, 14],
      [")", false, 15],
    ],
  );
});
