import t from "tap";
import { CookieCipher } from "../../src/request/cookie-cipher.ts";

const cipher = new CookieCipher("k".repeat(32), "a");

t.test("what we wrote comes back, and nobody else reads it", async (t) => {
  const token = cipher.write({ text: "→", list: [1, null] });
  t.strictSame(cipher.read(token), { text: "→", list: [1, null] });
  t.match(token, /^[\w-]+$/);
  t.notMatch(Buffer.from(token, "base64url").toString(), /text/);
  t.not(cipher.write(1), cipher.write(1), "no two are alike");
});

t.test("another name, another key, another byte", async (t) => {
  const token = cipher.write("x");
  t.equal(new CookieCipher("k".repeat(32), "b").read(token), undefined);
  t.equal(new CookieCipher("l".repeat(32), "a").read(token), undefined);
  for (let at = 0; at < token.length; at += 1) {
    const changed = token.slice(0, at) + (token[at] === "A" ? "B" : "A") + token.slice(at + 1);
    t.equal(cipher.read(changed), undefined, changed);
  }
  for (const text of ["", "A", "A".repeat(37), "A".repeat(38), `${token}=`, ` ${token}`, "ä"]) {
    t.equal(cipher.read(text), undefined, text);
  }
});
