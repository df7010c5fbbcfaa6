import t from "tap";
import { PageSource } from "../../../src/handlers/pages/page-source.ts";
import { scanCode } from "../../../src/handlers/pages/scan.ts";
import { terminator } from "../../../src/handlers/pages/statements.ts";

const tokens = (code: string) =>
  scanCode(new PageSource("/a.tsp", `${code}%>`), { start: 0, open: 0 }).tokens;

const before = (code: string, next?: string): string =>
  terminator(tokens(code), next === undefined ? undefined : tokens(next));

t.test("a statement ends before text", async (t) => {
  for (const code of ["a()", "a.if(b)", "const a = 1", "}", "})", "a++", "'x'", "o?.while(1)"]) {
    t.equal(before(code), ";", code);
  }
});

t.test("a statement that is open goes on: a semicolon would leave its door open", async (t) => {
  for (const code of [
    "if (a)",
    "if (a(b) && (c))",
    "while (a)",
    "for await (const a of b)",
    "} else",
    "do",
    "a = {",
    "f(",
    "case 1:",
    "a;",
    "",
  ]) {
    t.equal(before(code), "", code);
  }
});

t.test("what follows may belong to it", async (t) => {
  for (const next of ["else {", "catch {", "finally {", "while (a);", ") b", "}", ".then()"]) {
    t.equal(before("}", next), "", next);
  }
  for (const next of ["a()", "(a)()", "[a]", "const b = 1", "if (a) {"]) {
    t.equal(before("}", next), ";", next);
  }
});
