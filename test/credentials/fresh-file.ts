import { renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { FreshFile } from "../../src/credentials/fresh-file.ts";

const folder = t.testdir({ file: "one", other: "new" });
const path = join(folder, "file");

t.test("is read again when it changes, and only then", async (t) => {
  let reads = 0;
  const file = new FreshFile(path, (text) => `${(reads += 1) && text}`);
  t.equal(file.get(), "one");
  // Until the clock of the file system has moved on, a second save would look the same.
  await sleep(60);
  file.get();
  const before = reads;
  for (let times = 0; times < 10; times += 1) t.equal(file.get(), "one");
  t.equal(reads, before);
  for (const text of ["two", "tre", "for", "fiv"]) {
    writeFileSync(path, text);
    t.equal(file.get(), text, "of the same length, in the same moment");
  }
  writeFileSync(path, "old");
  utimesSync(path, 1, 1);
  t.equal(file.get(), "old", "an older time is a change, too");
  renameSync(join(folder, "other"), path);
  t.equal(file.get(), "new");
});

t.test("a file that is gone says nothing", async (t) => {
  const file = new FreshFile(path, (text) => text);
  file.get();
  rmSync(path);
  t.throws(() => file.get(), { code: "MODTS_USERS_UNREADABLE", status: 500 });
  writeFileSync(path, "back");
  t.equal(file.get(), "back");
});

t.test("what cannot be parsed stays so", async (t) => {
  const file = new FreshFile(path, () => {
    throw new Error("no");
  });
  t.throws(() => file.get(), { code: "MODTS_USERS_UNREADABLE" });
  await sleep(60);
  t.throws(() => file.get(), { code: "MODTS_USERS_UNREADABLE" });
  t.throws(() => file.get(), { code: "MODTS_USERS_UNREADABLE" }, "again, and no value of before");
});
