/** A refusal on its way through Apache holds for one request, for a minute. */
import t from "tap";
import { Refusals } from "../../src/engine/refusals.ts";
import type { Exchange } from "../../src/request/exchange.ts";
import { ApacheRequest } from "../../src/request/request.ts";
import { contextOf } from "../fixtures/exchange-server.ts";

const refusals = new Refusals("0123456789abcdef");
const refusal = { status: 410, headers: ["X-Why", "gone"], body: "" };
const subject = { remoteAddress: "192.0.2.7", remotePort: 4711, requestLine: "GET /a HTTP/1.1" };
const of = (changes: Partial<typeof subject> = {}): ApacheRequest =>
  new ApacheRequest(contextOf({ ...subject, ...changes }), {} as Exchange);

t.test("the handler of the ErrorDocument reads what the authorizer wrote", (t) => {
  t.match(refusals.read(of(), refusals.write(of(), refusal)), refusal);
  t.end();
});

t.test("another request, another secret, or a changed text has none", (t) => {
  const token = refusals.write(of(), refusal);
  for (const changes of [
    { remoteAddress: "192.0.2.8" },
    { remotePort: 4712 },
    { requestLine: "GET /b HTTP/1.1" },
  ]) {
    t.equal(refusals.read(of(changes), token), undefined, Object.keys(changes)[0]!);
  }
  t.equal(new Refusals("another secret 0").read(of(), token), undefined);
  for (const text of ["", "x", token.slice(1), `${token}A`]) {
    t.equal(refusals.read(of(), text), undefined);
  }
  t.end();
});

t.test("after a minute it is over", (t) => {
  const token = refusals.write(of(), refusal);
  const { now } = Date;
  t.teardown(() => (Date.now = now));
  Date.now = () => now() + 61_000;
  t.equal(refusals.read(of(), token), undefined);
  t.end();
});
