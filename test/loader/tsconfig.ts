/** Settings of tsconfig.json that change the emitted code. */
import { join } from "node:path";
import t from "tap";
import { BuildError } from "../../src/loader/build-error.ts";
import { compile } from "../../src/loader/compile.ts";

const config = (compilerOptions: object): string => JSON.stringify({ compilerOptions });

const folder = t.testdir({
  legacy: {
    "tsconfig.json": config({ experimentalDecorators: true, emitDecoratorMetadata: true }),
  },
  hono: { "tsconfig.json": config({ jsx: "react-jsx", jsxImportSource: "hono/jsx" }) },
  classic: { "tsconfig.json": config({ jsx: "react", jsxFactory: "h", jsxFragmentFactory: "F" }) },
  base: { "tsconfig.base.json": config({ jsxImportSource: "preact" }) },
  extended: { "tsconfig.json": '{ "extends": "../base/tsconfig.base.json", /* and */ }', deep: {} },
  verbatim: { "tsconfig.json": config({ verbatimModuleSyntax: true }) },
  fields: { "tsconfig.json": config({ useDefineForClassFields: false }) },
  broken: { "tsconfig.json": `{ "extends": "./missing.json" }` },
});
const emit = (path: string, source: string): string => compile(join(folder, path), source).code;

t.test("legacy decorators, with their metadata", async (t) => {
  const source = "class D { @log m(a: string): number { return 1; } }";
  const code = emit("legacy/a.ts", source);
  t.match(code, /_decorate\(\[\s*log,[^]*"design:paramtypes", \[String\]/);
  t.notMatch(code, "@log");
});

t.test("JSX of another library than React", async (t) => {
  t.match(emit("hono/a.tsx", "export const a = <b/>;"), '"hono/jsx/jsx-runtime"');
  t.match(emit("classic/a.tsx", "export const a = <b/>;"), 'h("b"');
  t.match(emit("extended/deep/a.tsx", "export const a = <b/>;"), '"preact/jsx-runtime"', "extends");
  const pragma = "/** @jsxImportSource mine */ export const a = <b/>;";
  t.match(emit("hono/a.tsx", pragma), '"mine/jsx-runtime"', "a pragma comes first");
});

t.test("imports and fields", async (t) => {
  const unused = 'import { used } from "x"; type A = used; export const a = 1;';
  t.match(emit("verbatim/a.ts", unused), 'from "x"', "verbatimModuleSyntax keeps imports");
  t.notMatch(emit("hono/a.ts", unused), 'from "x"');
  t.notMatch(emit("fields/a.ts", "class A { x: number; }"), /x;/);
  t.match(emit("hono/a.ts", "class A { x: number; }"), /x;/);
});

t.test("a package comes with its own compilation", async (t) => {
  t.match(emit("hono/node_modules/p/a.jsx", "export const a = <b/>;"), '"react/jsx-runtime"');
});

t.test("an invalid tsconfig.json is an error of the file that needs it", async (t) => {
  t.throws(() => emit("broken/a.ts", "1"), BuildError);
  t.throws(() => emit("broken/a.ts", "1"), { message: /tsconfig\.json of this file is invalid/ });
});
