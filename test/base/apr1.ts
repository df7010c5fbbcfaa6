/** Apache's MD5 hash: the same as the programs make that everybody uses. */
import { spawnSync } from "node:child_process";
import t from "tap";
import { hashApr1, verifyApr1 } from "../../src/base/apr1.ts";

t.test("known hashes", async (t) => {
  // openssl passwd -apr1 -salt SALT PASSWORD; the last one by htpasswd
  for (const [password, hash] of [
    ["secret", "$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/"],
    ["", "$apr1$x$tMwYqBfQwi3FYAr0aJc8M/"],
    ["ünï", "$apr1$l/.oL6P7$WV2MJoO9l.Kp6FRmlkwKw1"],
  ] as const) {
    t.ok(verifyApr1(hash, password), password);
    t.notOk(verifyApr1(hash, `${password}x`), password);
  }
});

t.test("openssl makes the same of passwords of any length", async (t) => {
  const found = spawnSync("openssl", ["version"]).status === 0;
  if (!found) return void t.comment("skipped: there is no openssl on this machine");
  for (const length of [1, 2, 7, 8, 15, 16, 17, 31, 32, 33, 64, 100, 200]) {
    const password = "pä5$ ".repeat(60).slice(0, length);
    const salt = "a./Z09xy".slice(0, (length % 8) + 1);
    const { stdout } = spawnSync("openssl", ["passwd", "-apr1", "-salt", salt, "-stdin"], {
      input: `${password}\n`,
      encoding: "utf8",
    });
    t.equal(hashApr1(password, salt), stdout.trim(), `${length} characters`);
  }
});

t.test("what is no such hash fits no password", async (t) => {
  for (const hash of [
    "",
    "$apr1$",
    "$apr1$$",
    "$apr1$abc$short",
    "$apr1$toolongsalt$7fbTDKKTcJ3E5EZgQ5aPG0",
    "$1$abcdefgh$7fbTDKKTcJ3E5EZgQ5aPG0",
    `${hashApr1("secret", "abc")}x`,
  ]) {
    t.notOk(verifyApr1(hash, "secret"), hash);
  }
});
