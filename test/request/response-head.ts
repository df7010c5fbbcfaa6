import t from "tap";
import type { Exchange } from "../../src/request/exchange.ts";
import { ResponseHead } from "../../src/request/response-head.ts";

/** The wire is seen in `response.ts`; here are the rules that need none. */
function headOf(): ResponseHead {
  return new ResponseHead({ begun: false } as Exchange);
}

t.test("the reason belongs to its status", async (t) => {
  const head = headOf();
  t.equal(head.statusLine, "200 OK");
  head.statusLine = "404 Nobody";
  t.equal(head.statusLine, "200 OK");
  head.status = 404;
  t.equal(head.reason, "Nobody");
  head.statusLine = "404";
  t.equal(head.reason, "");
});

t.test("the type to send", async (t) => {
  const head = headOf();
  t.equal(head.typeToSend(true, true), "text/html; charset=utf-8");
  t.equal(head.typeToSend(true, false), undefined);
  head.withoutDefaultType();
  t.equal(head.typeToSend(true, true), undefined);
  head.contentType = "TEXT/x";
  t.equal(head.typeToSend(true, true), "TEXT/x; charset=utf-8");
  head.status = 304;
  t.equal(head.typeToSend(true, true), undefined);
});

t.test("the declared length", async (t) => {
  const head = headOf();
  t.equal(head.declaredLength, undefined);
  t.equal(head.headersOut.size, 0);
  t.equal(head.declaredLength, undefined);
  head.setContentLength(7);
  t.equal(head.declaredLength, 7);
  head.status = 204;
  t.equal(head.declaredLength, undefined);
  t.throws(() => head.setContentLength(1.5), { code: "MODTS_BAD_HEADER" });
});

t.test("resetTo", async (t) => {
  const head = headOf();
  head.headersOut.set("Location", "/out").set("X", "1");
  head.errHeadersOut.set("Location", "/err");
  head.resetTo(307);
  t.equal(head.errHeadersOut.get("Location"), "/err", "errHeadersOut wins");
  t.equal(head.headersOut.size, 0);
  head.headersOut.set("X", "1");
  head.resetTo(204);
  t.equal(head.headersOut.get("X"), "1");
  head.allowed = ["GET"];
  head.resetTo(501);
  t.equal(head.errHeadersOut.get("Allow"), "GET");
  for (const status of [0, 100, 600, Number.NaN]) {
    head.resetTo(status);
    t.equal(head.status, 500);
  }
});

t.test("override keeps repeated names", async (t) => {
  const head = headOf();
  head.headersOut.set("A", "0").set("B", "0");
  head.errHeadersOut.set("a", "1");
  head.override([
    ["A", "2"],
    ["a", "3"],
  ]);
  t.strictSame(head.errHeadersOut.getAll("a"), ["2", "3"]);
  t.strictSame(head.headersOut.raw(), ["B", "0"]);
});

t.test("hasLatin1", async (t) => {
  const head = headOf();
  t.equal(head.hasLatin1, false);
  head.errHeadersOut.set("X", "\xe4");
  t.equal(head.hasLatin1, true);
});
