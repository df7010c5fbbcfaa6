/** Standard Schema: three kinds of issue paths, promises, schemas that are functions. */
import t from "tap";
import type { StandardResult } from "../../../src/handlers/publisher/published.ts";
import { checkBySchema, validateJson } from "../../../src/handlers/publisher/schema.ts";
import { Form } from "../../../src/request/body/form.ts";
import { HeaderTable } from "../../../src/request/headers.ts";
import type { ApacheRequest } from "../../../src/request/request.ts";

const req = { headersIn: new HeaderTable() } as unknown as ApacheRequest;
const sent = new Form([
  ["a", "1"],
  ["a", "2"],
  ["b", "3"],
]);
const named = { label: "/m.ts/fn" };
const schemaOf = (validate: (value: unknown) => StandardResult | Promise<StandardResult>) => ({
  "~standard": { version: 1, vendor: "test", validate },
});
const check = (schema: unknown): Promise<unknown> => checkBySchema(req, schema, sent, named);

t.test("gives what the schema makes of all fields", async (t) => {
  const same = schemaOf((value) => ({ value }));
  t.same(await check(same), { a: ["1", "2"], b: "3" });
  t.same(await check(schemaOf(async () => ({ value: 7 }))), 7);
  t.same(await check(Object.assign(() => {}, same)), { a: ["1", "2"], b: "3" }, "a function, too");
  t.equal(await check(schemaOf(() => ({ value: undefined }))), undefined);
});

t.test("lists all issues", async (t) => {
  const issues = [
    { message: "one", path: ["a", 1] },
    { message: "two", path: [{ key: "b" }, Symbol("c")] },
    { message: "three" },
  ];
  await t.rejects(check(schemaOf(() => ({ issues }))), {
    name: "HttpError",
    message: "a.1: one\nb.Symbol(c): two\nthree\n",
  });
});

t.test("a schema that is none, or of another version", async (t) => {
  for (const schema of ["text", 1, null]) {
    await t.rejects(check(schema), { code: "MODTS_BAD_SCHEMA", message: /\/m\.ts\/fn/ });
  }
  await t.rejects(check({ "~standard": { version: 2 } }), { message: /Standard Schema 2, not 1/ });
  await t.rejects(check({ type: "objekt" }), { message: /\/m\.ts\/fn: schema is/ });
});

t.test("a schema that throws is the author's affair", async (t) => {
  const schema = schemaOf(() => {
    throw new Error("oh");
  });
  await t.rejects(check(schema), { message: "oh" });
});

const checkJson = async (schema: object, fields: Record<string, unknown>): Promise<unknown> => {
  const record = Object.assign(Object.create(null), fields) as Record<string, unknown>;
  const checked = await validateJson(schema, record, "fn");
  return "value" in checked
    ? checked.value
    : checked.problems.map(({ parameter, message }) => `${parameter} ${message}`);
};
const properties = {
  n: { type: "integer", maximum: 9 },
  list: { type: "array", items: { type: "number" } },
  yes: { type: "boolean" },
  word: { type: "string", default: "none" },
};

t.test("text becomes what the schema says", async (t) => {
  const same = { n: 3, list: [1, 2], yes: true, word: "a" };
  t.same(
    await checkJson({ properties }, { n: "3", list: ["1", "2"], yes: "true", word: "a" }),
    same,
  );
  t.same(await checkJson({ properties }, { list: "1" }), { list: [1], word: "none" });
});

t.test("everything that is wrong is told", async (t) => {
  t.same(
    await checkJson({ properties, required: ["a", "b"] }, { n: "x", list: ["1", "y"], yes: "?" }),
    [
      "a is missing",
      "b is missing",
      "n must be integer",
      "list.1 must be number",
      "yes must be boolean",
    ],
  );
  t.same(await checkJson({ properties }, { n: "10" }), ["n must be <= 9"]);
  t.same(await checkJson({ properties }, { n: ["1", "2"] }), ["n must be integer"]);
  t.same(await checkJson({ properties }, { word: ["a", "b"] }), ["word must be string"]);
  t.same(await checkJson({ minProperties: 1 }, {}), [" must NOT have fewer than 1 properties"]);
});

t.test("fields that nobody named are dropped, unless more may come", async (t) => {
  const more = { n: "1", other: "2", __proto__: null, constructor: "3" };
  t.same(await checkJson({ properties: { n: {} } }, more), { n: "1" });
  t.same(await checkJson({ properties: { n: {} }, additionalProperties: false }, more), { n: "1" });
  const all = { n: "1", other: "2", constructor: "3" };
  t.same(await checkJson({ properties: { n: {} }, additionalProperties: true }, more), all);
  const strict = {
    properties: { n: {} },
    patternProperties: { "^o": { maxLength: 0, type: "string" } },
  };
  t.same(await checkJson(strict, more), ["other must NOT have more than 0 characters"]);
  t.same(await checkJson({}, more), all);
});

t.test("a name that needs an escape in a JSON pointer", async (t) => {
  t.same(await checkJson({ properties: { "a/b~c": { type: "number" } } }, { "a/b~c": "x" }), [
    "a/b~c must be number",
  ]);
});

t.test("a schema is compiled once, and a wrong one stays wrong", async (t) => {
  const wrong = { type: "objekt" };
  for (const time of [1, 2]) {
    await t.rejects(validateJson(wrong, {}, "fn"), { code: "MODTS_BAD_SCHEMA" }, `time ${time}`);
  }
  await t.rejects(validateJson({ propertys: {} }, {}, "fn"), { message: /unknown keyword/ });
});
