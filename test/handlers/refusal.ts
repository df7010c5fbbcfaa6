/** The ErrorDocument of refusals, without Apache; with it: `test/apache/auth-refusals.ts`. */
import t from "tap";
import { Refusals } from "../../src/engine/refusals.ts";
import { createRefusal } from "../../src/handlers/refusal.ts";
import type { Exchange } from "../../src/request/exchange.ts";
import { ApacheRequest } from "../../src/request/request.ts";
import { contextOf } from "../fixtures/exchange-server.ts";

const refusals = new Refusals("");
const { handler } = createRefusal(refusals);

function requestOf(environment: Record<string, string>): ApacheRequest {
  return new ApacheRequest(contextOf({ environment }), { begun: false } as Exchange);
}

t.test("status, headers and body are those of the refusal", (t) => {
  const body = Buffer.from("gone").toString("base64");
  const headers = ["Set-Cookie", "a=1", "Set-Cookie", "b=2"];
  const token = refusals.write(requestOf({}), { status: 410, headers, body });
  const joined = `${token.slice(0, 40)}, ${token.slice(40)}`;
  const req = requestOf({ MOD_TS_REFUSAL: joined });
  t.equal(handler(req), -2, "what was written is the whole answer");
  t.equal(req.status, 410);
  t.same(
    [...req.errHeadersOut.entries()],
    [
      ["Set-Cookie", "a=1"],
      ["Set-Cookie", "b=2"],
    ],
  );
  t.end();
});

t.test("without a body the standard page of the status follows", (t) => {
  const token = refusals.write(requestOf({}), { status: 410, headers: [], body: "" });
  t.equal(handler(requestOf({ MOD_TS_REFUSAL: token })), 410);
  t.end();
});

t.test("another failure keeps its status; a visitor of the address finds nothing", (t) => {
  t.equal(handler(requestOf({ MOD_TS_STATUS: "500" })), 500);
  t.equal(handler(requestOf({ MOD_TS_REFUSAL: "made-up" })), 404);
  t.end();
});
