import { join } from "node:path";
import t from "tap";
import { readSecret, readSecrets, secretFiles } from "../../src/config/secrets.ts";

const directory = t.testdir({
  "good.txt": "0123456789abcdef\n",
  "short.txt": "0123456789abcde\n",
});

t.test("the secret, by value or from a file", async (t) => {
  const mistakes: string[] = [];
  t.equal(readSecret({}, directory, mistakes), undefined, "there may be none");
  t.equal(readSecret({ secret: "by value" }, directory, mistakes), "by value");
  const read = readSecret({ secretFile: "good.txt" }, directory, mistakes);
  t.equal(read, "0123456789abcdef", "the end of the line does not belong to it");
  t.same(mistakes, [], "all of these are right");
});

t.test("a secret that protects nothing is a mistake", async (t) => {
  for (const [input, mistake] of [
    [{ secretFile: "short.txt" }, /short\.txt must hold at least 16 characters/],
    [{ secretFile: "missing.txt" }, /secretFile: ENOENT/],
    [{ secretFile: "good.txt", secret: "other" }, /exclude each other/],
  ] as const) {
    const mistakes: string[] = [];
    readSecret(input, directory, mistakes);
    t.match(mistakes, [mistake], String(mistake));
    t.equal(mistakes.length, 1, "named once");
  }
});

t.test("named secrets for options", async (t) => {
  const mistakes: string[] = [];
  const secrets = { db: "by value", key: { file: "good.txt" }, lost: { file: "missing.txt" } };
  t.same(
    readSecrets({ secrets }, directory, mistakes),
    { db: "by value", key: "0123456789abcdef", lost: "" },
    "a file that is missing gives nothing",
  );
  t.match(mistakes, [/secrets\.lost: ENOENT/], "and is a mistake");
  t.same(readSecrets({}, directory, mistakes), {}, "there may be none");
});

t.test("files that are never served", async (t) => {
  const secrets = { db: "by value", key: { file: join(directory, "key") } };
  const files = secretFiles({ secretFile: "main", secrets });
  t.same(files, ["main", join(directory, "key")], "those of all secrets");
  t.same(secretFiles({}), []);
});
