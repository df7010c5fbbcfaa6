/** What the client sent, and that nothing is read where nothing was. */
import t from "tap";
import { fieldsOf, noFields, recordOf } from "../../src/publisher/fields.ts";
import type { ApacheRequest } from "../../src/request/request.ts";
import { Form } from "../../src/request/form.ts";
import { serve } from "../fixtures/exchange-server.ts";

t.test("without a query and a body there is no form to wait for", async (t) => {
  const handler = async (req: ApacheRequest): Promise<void> => {
    const fields = fieldsOf(req);
    if (fields === noFields) req.write("none");
    else req.write(`later ${String((await fields).get("a"))}`);
  };
  const server = await serve(t, handler, { args: "" });
  t.equal((await server.ask("GET /")).body, "none");
  const head = "POST /\nContent-Type: application/x-www-form-urlencoded";
  t.equal((await server.ask(head, "a=1")).body, "later 1");
  t.same([noFields.get("a"), [...noFields.names()], [...noFields]], [undefined, [], []]);
});

t.test("with a query there is", async (t) => {
  const server = await serve(t, async (req) => req.write(String((await fieldsOf(req)).get("x"))));
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
