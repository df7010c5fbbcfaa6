import { chmodSync, chownSync, existsSync, mkdirSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { isReplaceable, openPrivateDirectory } from "../../src/base/private-directory.ts";
import { shortFolder } from "../fixtures/short-folder.ts";

t.test("a directory is created for our user only, and found again", async (t) => {
  const directory = join(shortFolder(t), "private");
  openPrivateDirectory(directory);
  t.equal(statSync(directory).mode & 0o777, 0o700);
  chmodSync(directory, 0o755);
  openPrivateDirectory(directory);
  t.equal(statSync(directory).mode & 0o777, 0o700, "readable for others: closed again");
});

t.test("a directory that others could write to or replace is refused", async (t) => {
  const folder = shortFolder(t);
  const directory = join(folder, "private");
  mkdirSync(directory);
  chmodSync(directory, 0o770);
  t.throws(() => openPrivateDirectory(directory), /writable for others/);
  chmodSync(directory, 0o700);
  chmodSync(folder, 0o777);
  t.throws(() => openPrivateDirectory(directory), /replaceable by others/);
  chmodSync(folder, 0o1777);
  t.doesNotThrow(() => openPrivateDirectory(directory), "the sticky bit protects it");
  symlinkSync("private", join(folder, "link"));
  t.throws(() => openPrivateDirectory(join(folder, "link")), /not a directory/);
});

t.test(
  "a directory of another user is refused",
  { skip: process.geteuid?.() !== 0 && "only root can make one" },
  async (t) => {
    const directory = join(shortFolder(t), "private");
    mkdirSync(directory);
    chownSync(directory, 12345, 12345);
    t.throws(() => openPrivateDirectory(directory), /owned by another user/);
    t.ok(existsSync(directory));
  },
);

t.test("who may rename what lies in a directory", async (t) => {
  t.equal(isReplaceable({ mode: 0o775 }, 0o022), true);
  t.equal(isReplaceable({ mode: 0o775 }, 0o002), false);
  t.equal(isReplaceable({ mode: 0o1777 }, 0o022), false);
});
