/** Derived keys, comparison, signed and sealed tokens, the shared secret. */
import t from "tap";
import {
  createSecretCheck,
  deriveKey,
  isEqual,
  originGuard,
  TokenSealer,
  TokenSigner,
} from "../../src/base/crypto.ts";

const signer = new TokenSigner("m".repeat(32), "test");

t.test("signed tokens: the payload comes back, and a changed token is invalid", async (t) => {
  const token = signer.write(["john", 7, "→"]);
  t.strictSame(signer.read(token), ["john", 7, "→"]);
  for (let at = 0; at < token.length; at += 1) {
    const other = token[at] === "A" ? "B" : "A";
    const changed = token.slice(0, at) + other + token.slice(at + 1);
    t.equal(signer.read(changed), undefined, changed);
  }
  for (const text of [
    "",
    ".",
    "..",
    "a",
    "a.b",
    "a.b.c",
    `${token}.`,
    `.${token}`,
    token.slice(0, -1),
    `${token} `,
  ]) {
    t.equal(signer.read(text), undefined, text);
  }
});

t.test("signed tokens: another purpose or another key is invalid", async (t) => {
  const token = signer.write("x");
  t.equal(new TokenSigner("m".repeat(32), "other").read(token), undefined);
  t.equal(new TokenSigner("n".repeat(32), "test").read(token), undefined);
  t.equal(new TokenSigner("m".repeat(32), "test").read(token), "x");
});

t.test("equality of text", async (t) => {
  t.ok(isEqual("ä", "ä"));
  t.ok(isEqual("", ""));
  t.notOk(isEqual("a", "b"));
  t.notOk(isEqual("abc", "Abc"));
  t.notOk(isEqual("abc", "abC"));
  t.ok(isEqual("abc", Buffer.from("abc")));
  t.notOk(isEqual("abc", Buffer.from("abd")));
  t.notOk(isEqual("a", "aa"));
  t.notOk(isEqual("ä", "ab"), "two bytes each");
});

const sealer = new TokenSealer("k".repeat(32), "test");

t.test("sealed tokens: the payload comes back, and the token does not show it", async (t) => {
  const token = sealer.write({ text: "→", list: [1, null] });
  t.strictSame(sealer.read(token), { text: "→", list: [1, null] });
  t.match(token, /^[\w-]+$/);
  t.notMatch(Buffer.from(token, "base64url").toString(), /text/);
  t.not(sealer.write(1), sealer.write(1), "no two are alike");
});

t.test("sealed tokens: another purpose, another key or another byte is invalid", async (t) => {
  const token = sealer.write("x");
  t.equal(new TokenSealer("k".repeat(32), "b").read(token), undefined);
  t.equal(new TokenSealer("l".repeat(32), "a").read(token), undefined);
  for (let at = 0; at < token.length; at += 1) {
    const changed = token.slice(0, at) + (token[at] === "A" ? "B" : "A") + token.slice(at + 1);
    t.equal(sealer.read(changed), undefined, changed);
  }
  for (const text of ["", "A", "A".repeat(37), "A".repeat(38), `${token}=`, ` ${token}`, "ä"]) {
    t.equal(sealer.read(text), undefined, text);
  }
});

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
