import t from "tap";
import { fieldIndex, splitHeaders } from "../../src/engine/apache-context.ts";
import { createTrustCheck } from "../../src/gateway/trust.ts";
import { apacheTime } from "../fixtures/sealed.ts";
import { contextHeader } from "../fixtures/context-header.ts";

const secret = "0123456789abcdef";

function check(header: string | undefined, configured = ""): () => void {
  const headers = splitHeaders(header === undefined ? ["Host", "x"] : ["Mod-Ts-Context", header]);
  return () => createTrustCheck(configured)(headers);
}

const line = (target: string): string => contextHeader({ requestLine: `GET ${target} HTTP/1.1` });

t.test("a whole context passes", (t) => {
  t.doesNotThrow(check(contextHeader()));
  t.doesNotThrow(check(contextHeader({ time: "" })), "as Apache writes it without a secret");
  t.doesNotThrow(check(contextHeader({ secret }), secret));
  t.doesNotThrow(check(contextHeader({ connection: "close, TE" })));
  t.end();
});

t.test("no context, no service", (t) => {
  t.throws(check(undefined), { code: "MODTS_CONTEXT_MISSING", status: 403 });
  t.throws(check(""), { code: "MODTS_CONTEXT_INVALID" });
  t.throws(check("x;1"), { code: "MODTS_CONTEXT_INVALID" });
  t.throws(check(`${contextHeader()};`), { code: "MODTS_CONTEXT_INVALID" });
  t.throws(check(contextHeader({ version: "1" })), { code: "MODTS_CONTEXT_INVALID" });
  t.end();
});

t.test("the secret: wrong, shorter, longer, missing", (t) => {
  for (const given of ["", "0123456789abcdeF", secret.slice(1), `${secret}0`]) {
    t.throws(check(contextHeader({ secret: given }), secret), {
      code: "MODTS_SECRET_WRONG",
      status: 403,
    });
  }
  // Of an Apache with a secret, or with that of none.
  for (const given of [secret, "-"]) {
    t.throws(check(contextHeader({ secret: given })), { code: "MODTS_SECRET_WRONG" });
  }
  t.end();
});

t.test("a context is good as it was sealed, and for some minutes", (t) => {
  const wrong = { code: "MODTS_SECRET_WRONG", status: 403 };
  const invalid = { code: "MODTS_CONTEXT_INVALID" };
  const fields = contextHeader({ secret }).split(";");
  for (const index of fields.keys()) {
    const other = fields.with(index, `${fields[index]}A`).join(";");
    // The version is looked at first, so that an old mod_ts.conf is named.
    const expected = index === 1 ? invalid : wrong;
    t.throws(check(other, secret), expected, `field ${index}`);
  }
  for (const minutes of [11, 15, 16, 60, 180, -2, -15, -60]) {
    const time = apacheTime(new Date(Date.now() - minutes * 60_000));
    t.throws(check(contextHeader({ secret, time }), secret), invalid, time);
  }
  const earlier = apacheTime(new Date(Date.now() - 300_000));
  t.doesNotThrow(check(contextHeader({ secret, time: earlier }), secret));
  const begin = apacheTime(new Date(Date.now() - 3_600_000));
  const long = contextHeader({ secret, time: `${begin} D=3590000000` });
  t.doesNotThrow(check(long, secret), "a long request");
  for (const time of ["", "20260131235959", "t=", `${begin} D=`, `${begin} D=-1`, `x${begin}`])
    t.throws(check(contextHeader({ secret, time }), secret), invalid, time);
  t.end();
});

t.test("a client that tried to have our headers dropped as hop-by-hop", (t) => {
  const checkTrust = createTrustCheck("");
  const checkConnection = (connection: string): void =>
    checkTrust(splitHeaders(["Mod-Ts-Context", contextHeader({ connection })]));
  for (const connection of ["keep-alive", "keep-alive", "TE", ""]) checkConnection(connection);
  for (const again of ["first", "second"]) {
    t.throws(() => checkConnection("Mod-Ts-Env"), { code: "MODTS_CONTEXT_INVALID" }, again);
  }
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
    const odd = contextHeader().split(";").with(fieldIndex.requestLine, "{}").join(";");
    t.throws(check(odd), { code: "MODTS_CONTEXT_INVALID" }, "not written by Apache");
    t.doesNotThrow(check(line("/a%2f?100%")));
    t.end();
  },
);
