import t from "tap";
import { isEqual, TokenSigner } from "../src/signed-token.ts";

const signer = new TokenSigner("m".repeat(32), "test");

t.test("what we signed comes back, what anybody changed does not", async (t) => {
  const token = signer.sign(["john", 7, "→"]);
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

t.test("another purpose, another key", async (t) => {
  const token = signer.sign("x");
  t.equal(new TokenSigner("m".repeat(32), "other").read(token), undefined);
  t.equal(new TokenSigner("n".repeat(32), "test").read(token), undefined);
  t.equal(new TokenSigner("m".repeat(32), "test").read(token), "x");
});

t.test("equality of text", async (t) => {
  t.ok(isEqual("ä", "ä"));
  t.ok(isEqual("", ""));
  t.notOk(isEqual("a", "b"));
  t.notOk(isEqual("a", "aa"));
  t.notOk(isEqual("ä", "ab"), "two bytes each");
});
