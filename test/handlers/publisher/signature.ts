/** The names of a function's parameters, however the function is written. */
import t from "tap";
import {
  signatureOf,
  takesFields,
  type Parameter,
} from "../../../src/handlers/publisher/signature.ts";

const named = { label: "/m.ts/fn" };
const of = (call: object): readonly Parameter[] => signatureOf(call).parameters(named);
const names = (call: object): string =>
  of(call)
    .map((parameter) =>
      parameter.kind === "one"
        ? parameter.name + (parameter.optional ? "?" : "")
        : parameter.kind === "rest"
          ? "..."
          : `{${parameter.fields.map((field) => field.name + (field.optional ? "?" : "")).join()}${parameter.rest ? ",..." : ""}}`,
    )
    .join(" ");

/** Evaluated here, so that no compiler changes the text. */
const make = (text: string): object => new Function(`"use strict"; return (${text});`)() as object;

t.test("functions of every form", async (t) => {
  for (const [text, expected] of [
    ["function (a, b) {}", "a b"],
    ["function named(a = 1, b) {}", "a? b"],
    ["async function (a) {}", "a"],
    ["function* (a) { yield a; }", "a"],
    ["async function* (a) {}", "a"],
    ["a => a", "a"],
    ["async a => a", "a"],
    ["(a, ...rest) => a", "a ..."],
    ["() => ({})", ""],
    ["function (/* a, */ b /* ) */, c = ')') {}", "b c?"],
    ["function (a = (x, y) => [x, y], b = { c: 1 }) {}", "a? b?"],
    ["({ a, b = 2, 'c-d': c, e: { f }, ...rest }) => a", "{a,b?,c-d,e,...}"],
    ["({ a } = {}, req) => a", "{a} req"],
    ["({ method(a) { return super.toString(a); } }).method", "a"],
    ["({ async method(a) {} }).method", "a"],
    ["({ *method(a) {} }).method", "a"],
    ["({ 'any text'(a) {} })['any text']", "a"],
    ["({ ['com' + 'puted'](a) {} }).computed", "a"],
    ["({ function(a) {} }).function", "a"],
    ["({ async(a) {} }).async", "a"],
    ["new (class { #x = 1; method(a) { return #x in a; } })().method", "a"],
    ["(class { static method(a) {} }).method", "a"],
    ["(class { field = (a) => a }, new (class { field = (a) => a })()).field", "a"],
  ] as const) {
    t.equal(names(make(text)), expected, text);
  }
});

t.test("what has no names to read", async (t) => {
  class Shop {
    open = true;
  }
  t.match(signatureOf(Shop).refusal, "a class");
  t.match(signatureOf(make("class { constructor(a) {} }")).refusal, "a class");
  const native = /built-in or bound/;
  t.match(signatureOf(parseInt).refusal, native);
  t.match(signatureOf(t.equal.bind(null)).refusal, native);
  t.match(signatureOf(new Proxy(() => 1, {})).refusal, native);
  const liar = Object.assign(() => 1, { toString: () => "class {}" });
  t.equal(signatureOf(liar).refusal, undefined, "a function may say of itself what it likes");
});

t.test("parameters without a name are an error that names the function", async (t) => {
  for (const text of ["([a]) => a", "(...[a]) => a", "({ ['a' + 1]: b }) => b"]) {
    t.throws(() => of(make(text)), { code: "MODTS_BAD_PARAMETERS", message: "/m.ts/fn" }, text);
  }
});

t.test("read once", async (t) => {
  const call = (a: unknown): unknown => a;
  t.equal(of(call), of(call));
});

t.test("whether fields are needed", async (t) => {
  t.notOk(takesFields(of(() => 1)));
  t.notOk(takesFields(of((req: unknown) => req)));
  t.ok(takesFields(of((req: unknown, a: unknown) => [req, a])));
  t.ok(takesFields(of((...all: unknown[]) => all)));
  t.ok(takesFields(of(({ req }: { req: unknown }) => req)));
});
