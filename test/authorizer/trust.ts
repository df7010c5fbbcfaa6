import t from "tap";
import { createTrustCheck } from "../../src/authorizer/trust.ts";
import type { Pairs } from "../../src/authorizer/params.ts";

const secret = "0123456789abcdef";
const good: Pairs = [
  ["MOD_TS_VERSION", "1"],
  ["MOD_TS_SECRET", secret],
  ["MOD_TS_FILENAME", "/srv/a"],
  ["SCRIPT_FILENAME", "/srv/a"],
];
const without = (name: string): Pairs => good.filter(([candidate]) => candidate !== name);
const withValue = (name: string, value: string): Pairs => [...without(name), [name, value]];

t.test("gives the parameters of what Apache says", async (t) => {
  const params = createTrustCheck(secret)(good);
  t.equal(params.get("SCRIPT_FILENAME"), "/srv/a");
  t.equal(createTrustCheck("")(without("MOD_TS_SECRET")).size, 3, "no secret, none needed");
});

t.test("refuses everything else", async (t) => {
  const check = createTrustCheck(secret);
  const wrong = { code: "MODTS_SECRET_WRONG", status: 403 };
  t.throws(() => check(without("MOD_TS_SECRET")), wrong);
  for (const value of ["", "x", `${secret}0`, secret.slice(1), secret.toUpperCase()]) {
    t.throws(() => check(withValue("MOD_TS_SECRET", value)), wrong, value);
  }
  t.throws(() => check(without("MOD_TS_VERSION")), { code: "MODTS_CONTEXT_MISSING", status: 403 });
  for (const value of ["", "0", "2", "01", "1 ", "1\0"]) {
    t.throws(() => check(withValue("MOD_TS_VERSION", value)), { code: "MODTS_CONTEXT_MISSING" });
  }
  t.throws(() => check([]), wrong);
});

t.test("a sub-request of another section", async (t) => {
  const check = createTrustCheck("");
  const refused = { code: "MODTS_CONTEXT_INVALID", status: 403 };
  t.throws(() => check(withValue("SCRIPT_FILENAME", "/srv/b")), refused);
  t.throws(() => check(without("SCRIPT_FILENAME")), refused);
  t.throws(() => check(without("MOD_TS_FILENAME")), refused);
});

t.test("a parameter that comes twice, whichever it is", async (t) => {
  for (const pair of good) {
    const twice = { code: "MODTS_CONTEXT_INVALID", message: /comes twice/ };
    t.throws(() => createTrustCheck(secret)([...good, pair]), twice, pair[0]);
  }
});
