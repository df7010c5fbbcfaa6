import t from "tap";
import { CookieKeys } from "../../../src/request/cookies/cookie-keys.ts";

const [older, newer] = ["o".repeat(32), "n".repeat(32)] as const;
const old = new CookieKeys([older]);
const both = new CookieKeys([newer, older]);

for (const kind of ["signing", "encrypting"] as const) {
  t.test(`${kind}: the first key writes, all read`, async (t) => {
    const token = old[kind]("a").write(["x"]);
    t.strictSame(both[kind]("a").read(token), ["x"]);
    const renewed = both[kind]("a").write(["x"]);
    t.strictSame(new CookieKeys([newer])[kind]("a").read(renewed), ["x"]);
    t.equal(old[kind]("a").read(renewed), undefined);
    t.equal(both[kind]("b").read(token), undefined, "moved to another name");
  });
}

t.test("a token of one kind is none of the other", async (t) => {
  t.equal(old.encrypting("a").read(old.signing("a").write("x")), undefined);
  t.equal(old.signing("a").read(old.encrypting("a").write("x")), undefined);
});

t.test("keys that are none, or too short, or too many", async (t) => {
  const bad = [
    [],
    ["short"],
    [older, ""],
    [older, undefined],
    older,
    undefined,
    Array(9).fill(older),
  ];
  for (const keys of bad) {
    t.throws(() => new CookieKeys(keys as string[]), {
      code: "MODTS_BAD_ARGUMENT",
      message: /1 to 8 keys with at least 32 characters/,
    });
  }
});
