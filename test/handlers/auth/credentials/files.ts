/** Files of users, groups and keys that are read again when they change. */
import {
  chmodSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { attempt } from "../../../../src/base/attempt.ts";
import { FreshFile, GroupFile, KeyFile } from "../../../../src/handlers/auth/credentials/files.ts";
import { withoutRoom } from "../../../fixtures/without-room.ts";

const base = t.testdir({ file: "one", other: "new" });
const watched = join(base, "file");

t.test("is read again when it changes, and only then", async (t) => {
  let reads = 0;
  const file = new FreshFile(watched, (text) => `${(reads += 1) && text}`);
  t.equal(file.get(), "one");
  // Until the clock of the file system has moved on, a second save would look the same.
  await sleep(60);
  file.get();
  const before = reads;
  for (let times = 0; times < 10; times += 1) t.equal(file.get(), "one");
  t.equal(reads, before);
  for (const text of ["two", "tre", "for", "fiv"]) {
    writeFileSync(watched, text);
    t.equal(file.get(), text, "of the same length, in the same moment");
  }
  writeFileSync(watched, "old");
  utimesSync(watched, 1, 1);
  t.equal(file.get(), "old", "an older time is a change, too");
  renameSync(join(base, "other"), watched);
  t.equal(file.get(), "new");
});

t.test("a file that is gone says nothing", async (t) => {
  const file = new FreshFile(watched, (text) => text);
  file.get();
  rmSync(watched);
  t.throws(() => file.get(), { code: "MODTS_USERS_UNREADABLE", status: 500 });
  writeFileSync(watched, "back");
  t.equal(file.get(), "back");
});

t.test("what cannot be parsed stays so", async (t) => {
  const file = new FreshFile(watched, () => {
    throw new Error("no");
  });
  t.throws(() => file.get(), { code: "MODTS_USERS_UNREADABLE" });
  await sleep(60);
  t.throws(() => file.get(), { code: "MODTS_USERS_UNREADABLE" });
  t.throws(() => file.get(), { code: "MODTS_USERS_UNREADABLE" }, "again, and no value of before");
});

t.test("who is in a group", async (t) => {
  const folder = t.testdir({
    groups: "# staff: eve\r\nstaff: john  ann\r\nstaff:bea\n empty :\nnonsense\n: eve\nodd: a:b\n",
  });
  const groups = new GroupFile(join(folder, "groups"));
  for (const user of ["john", "ann", "bea"]) t.ok(groups.isMember(user, ["none", "staff"]), user);
  t.notOk(groups.isMember("eve", ["staff", "", "# staff", "nonsense", "empty"]));
  t.notOk(groups.isMember("", ["staff", "empty"]));
  t.notOk(groups.isMember("john", []));
  t.notOk(groups.isMember("constructor", ["__proto__"]));
  rmSync(join(folder, "groups"));
  t.throws(() => groups.isMember("john", ["staff"]), { code: "MODTS_USERS_UNREADABLE" });
});

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

t.test("on a full disk nothing is left of it", async (t) => {
  const folder = t.testdir({});
  const key = new KeyFile(join(folder, "login.key"), true);
  t.equal(
    withoutRoom(() => attempt(() => key.get(), "refused")),
    "refused",
  );
  t.strictSame(readdirSync(folder), []);
  t.match(key.get(), /^[0-9a-f]{64}$/);
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
  t.throws(() => key.get(), { message: /world-readable/ });
  chmodSync(path, 0o640);
  t.equal(key.get(), "k".repeat(32));
});

t.test("a folder that cannot be is said", async (t) => {
  const folder = t.testdir({ file: "" });
  t.throws(() => new KeyFile(join(folder, "file/key"), true).get(), {
    code: "MODTS_USERS_UNREADABLE",
  });
});
