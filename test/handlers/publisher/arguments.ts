/** From fields to arguments. */
import t from "tap";
import {
  argumentsFor,
  fieldsOf,
  noFields,
  recordOf,
} from "../../../src/handlers/publisher/arguments.ts";
import { signatureOf } from "../../../src/handlers/publisher/signature.ts";
import { Form, type FormValue } from "../../../src/request/body/form.ts";
import { HeaderTable } from "../../../src/request/headers.ts";
import type { ApacheRequest } from "../../../src/request/request.ts";
import { serve } from "../../fixtures/exchange-server.ts";

const req = { headersIn: new HeaderTable() } as unknown as ApacheRequest;
const give = (call: object, entries: [string, FormValue][] = []): unknown[] =>
  argumentsFor(req, signatureOf(call).parameters({ label: "fn" }), new Form(entries));

t.test("one value as it is, several as a list, the request as itself", async (t) => {
  const call = (a: unknown, given: unknown, b: unknown, r: unknown): unknown => [a, given, b, r];
  t.throws(() => give(call, []), {
    name: "HttpError",
    message: "a: is missing\ngiven: is missing\n",
  });
  const named = (a: unknown, b: unknown, req_: unknown): unknown => [a, b, req_];
  t.same(give(named, Object.entries({ a: "1", b: "2", req_: "3" })), ["1", "2", "3"]);
  t.same(
    give(
      (b: unknown, a: unknown) => [a, b],
      [
        ["a", "1"],
        ["b", "2"],
        ["a", "3"],
      ],
    ),
    ["2", ["1", "3"]],
  );
  const withRequest = new Function("return (a, req) => a")() as object;
  t.same(
    give(withRequest, [
      ["a", "1"],
      ["req", "x"],
    ])[1],
    req,
  );
});

t.test("a default is left to the function", async (t) => {
  t.same(
    give((a = "A") => a),
    [undefined],
  );
  t.same(
    give((a = "A") => a, [["a", ""]]),
    [""],
  );
});

t.test("objects have no prototype, and only what was sent", async (t) => {
  const [object] = give(({ a, b = 1 }: Record<string, unknown>) => [a, b], [["a", "1"]]);
  t.equal(Object.getPrototypeOf(object), null);
  t.strictSame(Object.keys(object as object), ["a"]);
});

t.test("the rest is what nobody named", async (t) => {
  const call = ({ a, ...rest }: Record<string, unknown>, b: unknown): unknown => [a, rest, b];
  const [object] = give(call, [
    ["a", "1"],
    ["b", "2"],
    ["c", "3"],
    ["__proto__", "4"],
    ["req", "5"],
  ]);
  t.strictSame(Object.keys(object as object).toSorted(), ["__proto__", "a", "c"]);
  const pairs = (a: unknown, ...rest: unknown[]): unknown => [a, rest];
  t.same(
    give(pairs, [
      ["c", "1"],
      ["a", "2"],
      ["c", "3"],
    ]),
    ["2", ["c", "1"], ["c", "3"]],
  );
});

t.test("without a query and a body there is no form to wait for", async (t) => {
  const handler = async (asked: ApacheRequest): Promise<void> => {
    const fields = fieldsOf(asked);
    if (fields === noFields) asked.write("none");
    else asked.write(`later ${String((await fields).get("a"))}`);
  };
  const server = await serve(t, handler, { args: "" });
  t.equal((await server.ask("GET /")).body, "none");
  const head = "POST /\nContent-Type: application/x-www-form-urlencoded";
  t.equal((await server.ask(head, "a=1")).body, "later 1");
  t.same([noFields.get("a"), [...noFields.names()], [...noFields]], [undefined, [], []]);
});

t.test("with a query there is", async (t) => {
  const server = await serve(t, async (asked) =>
    asked.write(String((await fieldsOf(asked)).get("x"))),
  );
  t.equal((await server.ask("GET /")).body, "1");
});

t.test("a record without a prototype", async (t) => {
  const form = new Form([
    ["a", "1"],
    ["a", "2"],
    ["__proto__", "3"],
    ["b", "4"],
  ]);
  const record = recordOf(form, new Set(["b"]));
  t.equal(Object.getPrototypeOf(record), null);
  t.strictSame(Object.entries(record), [
    ["a", ["1", "2"]],
    ["__proto__", "3"],
  ]);
});
