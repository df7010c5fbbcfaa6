import t from "tap";
import { FormTokens } from "../../src/credentials/form-token.ts";

t.test("for this browser, this page, and not for ever", async (t) => {
  let now = 0;
  const tokens = new FormTokens("m".repeat(32), "a", () => now);
  const token = tokens.make("id");
  t.ok(tokens.isGood(token, "id"));
  t.notOk(tokens.isGood(token, "other"));
  t.notOk(tokens.isGood("", "id"));
  t.notOk(tokens.isGood(`${token}x`, "id"));
  t.notOk(new FormTokens("m".repeat(32), "b").isGood(token, "id"));
  now = 12 * 3600 * 1000 - 1;
  t.ok(tokens.isGood(token, "id"));
  now += 1;
  t.notOk(tokens.isGood(token, "id"));
});
