/** Standard decorators and accessor fields. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { compile } from "../../src/loader/compile.ts";
import { hasDecorator } from "../../src/loader/standard-decorators.ts";

const source = `
function twice(method: (n: number) => number, _context: ClassMethodDecoratorContext) {
  return function (this: unknown, n: number) { return 2 * method.call(this, n); };
}
export class Sums {
  @twice plus(n: number) { return n + 1; }
  accessor total = 9;
}
`;

t.test("decorators and accessors run", async (t) => {
  const { code, map } = compile("/a.ts", source);
  const file = join(t.testdir({}), "a.mjs");
  writeFileSync(file, code);
  const { Sums } = (await import(file)) as {
    Sums: new () => { plus(n: number): number; total: number };
  };
  t.equal(new Sums().plus(1), 4);
  t.equal(new Sums().total, 9);
  t.match(map, { sources: ["/a.ts"], sourcesContent: [] }, "positions are those of the author");
  t.ok(map!.mappings.length > 0);
});

t.test("a mistake has its place", async (t) => {
  t.throws(() => compile("/a.ts", "class A {\n  @log m() {}\n  @ x\n}\nlet y = ;"), {
    name: "BuildError",
    file: "/a.ts",
  });
});

t.test("ordinary code never gets there", async (t) => {
  const quick = (text: string): boolean => hasDecorator(text, compile("/a.ts", text).code);
  t.equal(quick('const mail = "ann@example.org"; const accessor = 1;'), false);
  t.equal(quick("/** @param x */ const accessor = { total: 1 };"), false);
  const own = readFileSync(join(import.meta.dirname, "../../src/loader/compile.ts"), "utf8");
  t.equal(quick(own), false);
});
