import t from "tap";
import { splitHeaders } from "../../src/gateway/context.ts";
import { createTrustCheck } from "../../src/gateway/trust.ts";
import { contextHeader } from "../fixtures/context-header.ts";

const secret = "0123456789abcdef";

function check(header: string | undefined, configured = ""): () => void {
  const headers = splitHeaders(header === undefined ? ["Host", "x"] : ["Mod-Ts-Context", header]);
  return () => createTrustCheck(configured)(headers);
}

const line = (target: string): string => contextHeader({ requestLine: `GET ${target} HTTP/1.1` });

t.test("a whole context passes", (t) => {
  t.doesNotThrow(check(contextHeader()));
  t.doesNotThrow(check(contextHeader({ secret }), secret));
  t.doesNotThrow(check(contextHeader({ connection: "close, TE" })));
  t.end();
});

t.test("no context, no service", (t) => {
  t.throws(check(undefined), { code: "MODTS_CONTEXT_MISSING", status: 403 });
  t.throws(check(""), { code: "MODTS_CONTEXT_INVALID" });
  t.throws(check("1"), { code: "MODTS_CONTEXT_INVALID" });
  t.throws(check(`${contextHeader()};`), { code: "MODTS_CONTEXT_INVALID" });
  t.throws(check(contextHeader({ version: "2" })), { code: "MODTS_CONTEXT_INVALID" });
  t.end();
});

t.test("the secret: wrong, shorter, longer, missing", (t) => {
  for (const given of ["", "0123456789abcdeF", secret.slice(1), `${secret}0`]) {
    t.throws(check(contextHeader({ secret: given }), secret), {
      code: "MODTS_SECRET_WRONG",
      status: 403,
    });
  }
  t.end();
});

t.test("a client that tried to have our headers dropped as hop-by-hop", (t) => {
  for (const connection of ["Mod-Ts-Config", "close, mod-ts-env", "x,MOD-TS-CONTEXT"]) {
    t.throws(check(contextHeader({ connection })), { code: "MODTS_CONTEXT_INVALID" }, connection);
  }
  t.end();
});

t.test(
  "malformed escapes in the path are refused, in the query they are the application's",
  (t) => {
    t.throws(check(line("/%zz")), { code: "MODTS_BAD_URL", status: 400 });
    t.throws(check(line("/a%2")), { code: "MODTS_BAD_URL" });
    t.doesNotThrow(check(line("/a%2f?100%")));
    t.end();
  },
);
