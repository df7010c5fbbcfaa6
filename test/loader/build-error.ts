import t from "tap";
import {
  BuildError,
  escapePattern,
  formatPosition,
  locate,
  locateImport,
  positionAt,
  withoutFrames,
} from "../../src/loader/build-error.ts";

t.test("the message names the place, the stack shows the code", (t) => {
  const source = Array.from({ length: 12 }, (_, index) => `line ${index + 1}`).join("\n");
  const cause = new Error("why");
  const error = new BuildError("bad", { file: "/a.ts", line: 10, column: 3 }, { source, cause });
  t.equal(error.message, "bad (/a.ts:10:3)");
  t.equal(error.cause, cause);
  t.equal(error.source, source);
  t.equal(
    error.stack,
    [
      "BuildError: bad (/a.ts:10:3)",
      "   8 | line 8",
      "   9 | line 9",
      "> 10 | line 10",
      "     |   ^",
      "  11 | line 11",
      "  12 | line 12",
    ].join("\n"),
  );
  t.end();
});

t.test("an unknown place has no frame", (t) => {
  const error = new BuildError("bad", { file: "/a.ts", line: 0, column: 0 }, { source: "x" });
  t.equal(error.stack, "BuildError: bad (/a.ts)");
  t.notOk("cause" in error);
  t.equal(formatPosition({ file: "/a.ts", line: 3, column: 0 }), "/a.ts:3");
  t.end();
});

t.test("places in a text", (t) => {
  t.same(positionAt("ab\ncd", 4), { line: 2, column: 2 });
  t.same(locate("ab\n(c.", new RegExp(escapePattern("(c."))), { line: 2, column: 1 });
  t.same(locate("ab", "x"), { line: 0, column: 0 });
  t.end();
});

t.test("frames that name only our insides", (t) => {
  t.equal(withoutFrames(new TypeError("x")).stack, "TypeError: x");
  t.equal(withoutFrames("x"), "x");
  t.end();
});

t.test("an import stands where its specifier does, with or without ./", async (t) => {
  const source = 'import "./a.ts";\n<%@ include file="b.tsp" %>';
  t.same(locateImport(source, "./a.ts"), { line: 1, column: 9 });
  t.same(locateImport(source, "./b.tsp"), { line: 2, column: 19 });
  t.same(locateImport(source, "./c.tsp"), { line: 0, column: 0 });
});
