import t from "tap";
import { HeaderTable } from "../../../src/request/headers.ts";
import { addCacheHeaders, type CacheFacts } from "../../../src/request/response/cache-headers.ts";

function added(facts: Partial<CacheFacts>, given: Record<string, string> = {}): object {
  const headersOut = new HeaderTable(given);
  const errHeadersOut = new HeaderTable();
  const nothing = { noCache: false, isPrivate: false, setsCookie: false };
  addCacheHeaders({ ...nothing, ...facts, headersOut, errHeadersOut });
  return { out: Object.fromEntries(headersOut), err: Object.fromEntries(errHeadersOut) };
}

t.test("what caches are told", async (t) => {
  const privately = { out: {}, err: { "Cache-Control": "private" } };
  t.strictSame(added({}), { out: {}, err: {} });
  t.strictSame(added({ isPrivate: true }), privately);
  t.strictSame(added({ isPrivate: true, setsCookie: true }), privately, "the stricter one");
  t.strictSame(added({ setsCookie: true }), {
    out: {},
    err: { "Cache-Control": 'no-cache="set-cookie"' },
  });
  t.strictSame(added({ noCache: true, isPrivate: true }), {
    out: { Expires: "Thu, 01 Jan 1970 00:00:00 GMT", "Cache-Control": "no-cache" },
    err: {},
  });
});

t.test("a handler's own word stands", async (t) => {
  const given = { "Cache-Control": "public" };
  for (const facts of [{ isPrivate: true }, { setsCookie: true }]) {
    t.strictSame(added(facts, given), { out: given, err: {} });
  }
});
