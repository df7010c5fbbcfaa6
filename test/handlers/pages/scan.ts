import t from "tap";
import { BuildError } from "../../../src/loader/build-error.ts";
import { PageSource } from "../../../src/handlers/pages/page-source.ts";
import { scan, scanCode } from "../../../src/handlers/pages/scan.ts";

const kinds = (text: string): string[] =>
  scan(new PageSource("/a.tsp", text)).map(({ kind, start, end }) => `${kind} ${start}-${end}`);

t.test("the parts of a page, without gaps between them", async (t) => {
  t.same(kinds(""), []);
  t.same(kinds("a<% b %>c<%= d %><%- e %><%! f %><%-- g --%><%@ body %><%%"), [
    "text 0-1",
    "statements 1-8",
    "text 8-9",
    "escaped 9-17",
    "raw 17-25",
    "module 25-33",
    "comment 33-44",
    "directive 44-55",
    "text 55-58",
  ]);
  t.same(kinds("\uFEFF<%%>"), ["gap 0-1", "text 1-4", "text 4-5"]);
});

t.test("any page is whole or a BuildError with its place", async (t) => {
  const pieces = [
    "<%",
    "%>",
    "<%=",
    "<%-",
    "<%--",
    "--%>",
    "<%@",
    "<%!",
    "<%%",
    " a ",
    '"',
    "'",
    "`",
    "${",
    "}",
    "/",
    "//",
    "/*",
    "*/",
    "\n",
    "(",
    ";",
    "page",
    "é",
  ];
  // A generator of its own, so that each run tries the same pages.
  let seed = 1;
  const random = (below: number): number => {
    seed = (seed * 48271) % 2147483647;
    return seed % below;
  };
  for (let n = 0; n < 5000; n += 1) {
    const text = Array.from({ length: random(12) }, () => pieces[random(pieces.length)]).join("");
    try {
      const parts = scan(new PageSource("/a.tsp", text));
      const ends = parts.map(({ end }) => end);
      const starts = parts.map(({ start }) => start);
      const isWhole =
        (ends.at(-1) ?? 0) === text.length &&
        starts.every((start, index) => start === (ends[index - 1] ?? 0));
      if (!isWhole) t.fail(JSON.stringify(text));
    } catch (error) {
      if (!(error instanceof BuildError) || error.line < 1) t.fail(JSON.stringify(text), { error });
    }
  }
  t.pass("5000 pages");
});

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
