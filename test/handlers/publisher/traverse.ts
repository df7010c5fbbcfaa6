/** From names to values; test/apache/publisher-refusals.ts has what must not be reached. */
import t from "tap";
import { type Target, traverse } from "../../../src/handlers/publisher/traverse.ts";

const exports = {
  fn: () => 1,
  passedOn: () => 2,
  object: { fn: () => 3, list: ["a"], inner: { auth: true, realm: "R", fn: () => 4 } },
  bare: Object.assign(Object.create(null), { a: 1 }) as object,
  text: "text",
  handler: () => 5,
};
const module = {
  exports,
  declared: new Set(["fn", "object", "bare", "text"]),
  file: "/m.ts",
  generation: 1,
};
const at = (...names: string[]): unknown => {
  const end = traverse(module, names);
  return "status" in end ? end.status : end.value;
};

t.test("values of the module and of objects in it", async (t) => {
  t.equal(at("fn"), exports.fn);
  t.equal(at("object", "fn"), exports.object.fn);
  t.equal(at("object", "list", "0"), "a");
  t.equal(at("bare", "a"), 1);
  const end = traverse(module, ["object", "inner", "fn"]) as Target;
  t.equal(end.owner, exports.object.inner);
  t.equal(end.label, "/m.ts/object/inner/fn");
  t.equal((traverse(module, ["fn"]) as Target).owner, undefined);
});

t.test("what it does not declare is not there", async (t) => {
  t.equal(at("passedOn"), 404);
  t.equal(at("none"), 404);
  t.equal(at("text", "length"), 404);
  t.equal(at("object", ""), 404);
  t.equal(at(""), 404);
  t.equal(at("handler"), 403);
  const { declared: _, ...unknown } = module;
  t.match(traverse(unknown, ["fn"]), { status: 404 }, "a built-in declares nothing");
});

t.test("who has a say, from the outside in", async (t) => {
  t.same(traverse(module, ["object", "fn"]).guarded, []);
  t.strictSame(traverse(module, ["object", "inner", "fn"]).guarded, [exports.object.inner]);
  t.strictSame(traverse(module, ["object", "inner", "none"]).guarded, [exports.object.inner]);
  t.strictSame(traverse(module, ["object", "inner"]).guarded, [exports.object.inner]);
  const guarded = { ...module, exports: { ...exports, access: undefined } };
  t.strictSame(traverse(guarded, ["fn"]).guarded, [guarded.exports]);
  t.strictSame(traverse(guarded, ["_none"]).guarded, [guarded.exports]);
});

t.test("a reason for the log", async (t) => {
  t.match(traverse(module, ["object", "__proto__"]), {
    status: 403,
    reason: '"__proto__" is private in /m.ts',
  });
  t.match(traverse(module, ["fn", "call"]), { reason: '"call" is below a function in /m.ts' });
});
