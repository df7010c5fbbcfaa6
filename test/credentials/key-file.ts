import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { KeyFile } from "../../src/credentials/key-file.ts";

t.test("is made once, for its owner alone", async (t) => {
  const folder = t.testdir({});
  const path = join(folder, "run/login.key");
  const [one, two] = [new KeyFile(path, true), new KeyFile(path, true)];
  t.match(one.get(), /^[0-9a-f]{64}$/);
  t.equal(two.get(), one.get());
  t.equal(readFileSync(path, "utf8").trim(), one.get());
  t.equal(statSync(path).mode & 0o777, 0o600);
  t.strictSame(readdirSync(join(folder, "run")), ["login.key"]);
});

t.test("one's own is not made, must be long, and no one else's", async (t) => {
  const folder = t.testdir({});
  const path = join(folder, "key");
  const key = new KeyFile(path, false);
  t.throws(() => key.get(), { code: "MODTS_USERS_UNREADABLE" });
  writeFileSync(path, `${"k".repeat(31)}\n`, { mode: 0o600 });
  t.throws(() => key.get(), { message: /at least 32 characters/ });
  writeFileSync(path, `${"k".repeat(32)}\n`);
  t.equal(key.get(), "k".repeat(32));
  chmodSync(path, 0o604);
  t.throws(() => key.get(), { message: /everybody may open it/ });
  chmodSync(path, 0o640);
  t.equal(key.get(), "k".repeat(32));
});

t.test("a folder that cannot be is said", async (t) => {
  const folder = t.testdir({ file: "" });
  t.throws(() => new KeyFile(join(folder, "file/key"), true).get(), {
    code: "MODTS_USERS_UNREADABLE",
  });
});
