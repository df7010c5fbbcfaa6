import t from "tap";
import { createSecretCheck } from "../src/secret.ts";

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
