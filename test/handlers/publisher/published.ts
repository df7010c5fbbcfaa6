/** A function with a schema: what it is called with, and what the compiler knows of that. */
import t from "tap";
import { z } from "zod";
import {
  type JsonSchema,
  published,
  type StandardSchema,
} from "../../../src/handlers/publisher/published.ts";
import type { ApacheRequest } from "../../../src/request/request.ts";

type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const holds = <T extends true>(): T => true as T;

const req = {} as ApacheRequest;

t.test("is called with the parameters and the request", async (t) => {
  const schema = z.object({ name: z.string() });
  const greet = published(schema, (parameters, given) => [parameters, given === req]);
  t.same(greet({ name: "ann" }, req), [{ name: "ann" }, true]);
  t.equal(greet.parameters, schema);
});

t.test("the given function stays as it is, and may be published twice", async (t) => {
  const call = (): string => "called";
  const [first, second] = [published({}, call), published({ required: [] }, call)];
  t.not(first.parameters, second.parameters);
  t.notOk("parameters" in call);
});

t.test("types: a Standard Schema says what it makes", async (t) => {
  const schema = z.object({ age: z.coerce.number().default(3), tags: z.array(z.string()) });
  published(schema, (parameters, given) => {
    holds<Equal<typeof parameters, { age: number; tags: string[] }>>();
    holds<Equal<typeof given, ApacheRequest>>();
  });
  const own: StandardSchema<Date> = {
    "~standard": { version: 1, vendor: "test", validate: () => ({ value: new Date(0) }) },
  };
  published(own, (parameters) => holds<Equal<typeof parameters, Date>>());
  // @ts-expect-error the schema makes no text of it
  published(schema, ({ age }: { age: string }) => age);
  t.pass("it compiles");
});

t.test("types: of a JSON Schema the author says it", async (t) => {
  const schema: JsonSchema = { properties: { n: { type: "integer" } }, required: ["n"] };
  published<{ n: number }>(schema, (parameters) =>
    holds<Equal<typeof parameters, { n: number }>>(),
  );
  published({ properties: { n: { type: "integer" } } }, (parameters) =>
    holds<Equal<typeof parameters, Record<string, unknown>>>(),
  );
  t.pass("it compiles");
});

t.test("types: guards and methods beside it", async (t) => {
  const guarded = published({}, () => 1);
  guarded.auth = async (given, user, password) => given === req && user === password;
  guarded.access = ["ann"];
  guarded.realm = "Area";
  guarded.methods = ["PUT"];
  // @ts-expect-error only true and false say who gets in
  guarded.auth = () => "yes";
  t.same(Object.keys(guarded).toSorted(), ["access", "auth", "methods", "parameters", "realm"]);
});
