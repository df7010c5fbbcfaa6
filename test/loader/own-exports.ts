/** What a module declares itself, and what it only passes on. */
import t from "tap";
import { compile } from "../../src/loader/compile.ts";
import { exportedNames, ownExports } from "../../src/loader/own-exports.ts";

const own = (code: string): string[] =>
  [...ownExports(compile("m.ts", code).code)].toSorted((a, b) => a.localeCompare(b));

t.test("declarations of every kind", async (t) => {
  t.same(own("export function f(a: number) {} export async function* g() {}"), ["f", "g"]);
  t.same(own("export class C {} export enum E { A }"), ["C", "E"]);
  t.same(own("export const a = 1, b = () => {}; export let c; export var d;"), [..."abcd"]);
  t.same(own("export const { a, b: [c = 1, ...d], ...e } = {} as any; export const [, f] = [];"), [
    ..."acdef",
  ]);
});

t.test("a list at the end, with other names", async (t) => {
  t.same(own('const a = 1, b = 2; export { a, b as c, b as "d e" };'), ["a", "c", "d e"]);
  t.same(own("if (globalThis) { var deep = 1; } export { deep };"), ["deep"]);
});

t.test("what is passed on is not its own", async (t) => {
  t.same(own('export { a, b as c } from "./m.ts"; export * from "./n.ts";'), []);
  t.same(own('export * as ns from "./n.ts";'), []);
  t.same(own('import { a } from "./m.ts"; export { a, a as b };'), []);
  t.same(own('import a from "./m.ts"; import * as ns from "./n.ts"; export { a, ns };'), []);
});

t.test("a new name for something imported is a declaration", async (t) => {
  t.same(own('import { a } from "./m.ts"; export const b = a;'), ["b"]);
});

t.test("nor is the default, nor a type", async (t) => {
  t.same(own("export default function f() {}"), []);
  t.same(own("const a = 1; export { a as default };"), []);
  t.same(own("export interface I {} export type T = string; export {};"), []);
});

t.test("code that no parser knows is an error, not an empty set", async (t) => {
  t.throws(() => ownExports("export const a = = 1"), { name: "SyntaxError" });
});

t.test("all exports, those that are passed on included", (t) => {
  const names = (code: string): unknown => {
    const found = exportedNames(compile("m.ts", code).code);
    return found && [...found];
  };
  t.same(names('export { a, b as c } from "./m.ts"; export * as ns from "./n.ts";'), [
    "a",
    "c",
    "ns",
  ]);
  t.same(names("export default 1; export const d = 2; export type E = 1;"), ["default", "d"]);
  t.equal(names('export const a = 1; export * from "./m.ts";'), undefined, "nobody knows");
  t.end();
});
