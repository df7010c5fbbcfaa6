/** Standard Schema: three kinds of issue paths, promises, schemas that are functions. */
import t from "tap";
import type { StandardResult } from "../../src/published.ts";
import { checkBySchema } from "../../src/publisher/schema.ts";
import { Form } from "../../src/request/form.ts";
import { HeaderTable } from "../../src/request/headers.ts";
import type { ApacheRequest } from "../../src/request/request.ts";

const req = { headersIn: new HeaderTable() } as unknown as ApacheRequest;
const fields = new Form([
  ["a", "1"],
  ["a", "2"],
  ["b", "3"],
]);
const named = { label: "/m.ts/fn" };
const schemaOf = (validate: (value: unknown) => StandardResult | Promise<StandardResult>) => ({
  "~standard": { version: 1, vendor: "test", validate },
});
const check = (schema: unknown): Promise<unknown> => checkBySchema(req, schema, fields, named);

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
