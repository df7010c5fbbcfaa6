import t from "tap";
import { pagesFingerprint } from "../../src/pages/fingerprint.ts";

t.test("the same code has the same fingerprint", async (t) => {
  t.match(pagesFingerprint(), /^[0-9a-f]{64}$/);
  t.equal(pagesFingerprint(), pagesFingerprint());
});
