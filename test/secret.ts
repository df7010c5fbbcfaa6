import t from "tap";
import { createSecretCheck, deriveKey, originGuard } from "../src/secret.ts";

const secret = "0123456789abcdef";

t.test("only the secret passes", (t) => {
  const check = createSecretCheck(secret);
  t.doesNotThrow(() => check(secret));
  for (const given of [undefined, "", "0123456789abcdeF", secret.slice(1), `${secret}0`, "é"]) {
    t.throws(() => check(given), { code: "MODTS_SECRET_WRONG", status: 403 });
  }
  t.end();
});

t.test("where there is none, every peer passes", (t) => {
  t.doesNotThrow(() => createSecretCheck("")(undefined));
  t.end();
});

t.test("keys and words that follow from it, and not back", async (t) => {
  t.equal(deriveKey("secret", "a").length, 32);
  t.notSame(deriveKey("secret", "a"), deriveKey("secret", "b"));
  t.notSame(deriveKey("secret", "a"), deriveKey("other", "a"));
  t.match(originGuard("secret"), /^[0-9a-f]{32}$/);
});
