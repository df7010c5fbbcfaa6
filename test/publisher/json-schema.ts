/** JSON Schema: conversion, defaults, what is dropped. */
import t from "tap";
import { validateJson } from "../../src/publisher/json-schema.ts";

const check = async (schema: object, fields: Record<string, unknown>): Promise<unknown> => {
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
  t.same(await check({ properties }, { n: "3", list: ["1", "2"], yes: "true", word: "a" }), same);
  t.same(await check({ properties }, { list: "1" }), { list: [1], word: "none" });
});

t.test("everything that is wrong is told", async (t) => {
  t.same(
    await check({ properties, required: ["a", "b"] }, { n: "x", list: ["1", "y"], yes: "?" }),
    [
      "a is missing",
      "b is missing",
      "n must be integer",
      "list.1 must be number",
      "yes must be boolean",
    ],
  );
  t.same(await check({ properties }, { n: "10" }), ["n must be <= 9"]);
  t.same(await check({ properties }, { n: ["1", "2"] }), ["n must be integer"]);
  t.same(await check({ properties }, { word: ["a", "b"] }), ["word must be string"]);
  t.same(await check({ minProperties: 1 }, {}), [" must NOT have fewer than 1 properties"]);
});

t.test("fields that nobody named are dropped, unless more may come", async (t) => {
  const more = { n: "1", other: "2", __proto__: null, constructor: "3" };
  t.same(await check({ properties: { n: {} } }, more), { n: "1" });
  t.same(await check({ properties: { n: {} }, additionalProperties: false }, more), { n: "1" });
  const all = { n: "1", other: "2", constructor: "3" };
  t.same(await check({ properties: { n: {} }, additionalProperties: true }, more), all);
  const strict = {
    properties: { n: {} },
    patternProperties: { "^o": { maxLength: 0, type: "string" } },
  };
  t.same(await check(strict, more), ["other must NOT have more than 0 characters"]);
  t.same(await check({}, more), all);
});

t.test("a name that needs an escape in a JSON pointer", async (t) => {
  t.same(await check({ properties: { "a/b~c": { type: "number" } } }, { "a/b~c": "x" }), [
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
