import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import t from "tap";
import { sweepTemporaryFiles, TemporaryFiles } from "../../src/request/temporary-files.ts";

t.test("paths in a folder for us alone, gone at the end", async (t) => {
  const folder = join(t.testdir({}), "run/tmp");
  const files = new TemporaryFiles(folder);
  const [one, two] = [files.path(), files.path()];
  t.not(one, two);
  t.equal(dirname(one), folder);
  t.equal(statSync(folder).mode & 0o777, 0o700);
  writeFileSync(one, "1");
  await files.remove();
  t.notOk(existsSync(one));
  t.throws(() => files.path(), { code: "MODTS_UPLOAD_FAILED", message: /request is over/ });
});

t.test("a folder that others can reach is refused", async (t) => {
  const base = t.testdir({});
  mkdirSync(join(base, "open"), { mode: 0o777 });
  mkdirSync(join(base, "own"), { mode: 0o700 });
  symlinkSync("own", join(base, "link"));
  writeFileSync(join(base, "file"), "");
  for (const name of ["open", "link", "file"]) {
    t.throws(
      () => new TemporaryFiles(join(base, name)).path(),
      { code: "MODTS_UPLOAD_FAILED" },
      name,
    );
  }
  t.throws(() => new TemporaryFiles(undefined).path(), { code: "MODTS_UPLOAD_FAILED" });
});

t.test("what a dead process left is swept, and nothing else", async (t) => {
  const folder = t.testdir({});
  const { pid: dead } = spawnSync(process.execPath, ["-e", ""]);
  const hex = "0".repeat(32);
  const names = [`${dead}-${hex}`, `${process.pid}-${hex}`, `1-${hex}`, "notes.txt", `0-${hex}`];
  for (const name of names) writeFileSync(join(folder, name), "");
  sweepTemporaryFiles(folder);
  t.strictSame(readdirSync(folder).toSorted(), names.slice(1).toSorted());
  sweepTemporaryFiles(join(folder, "nothing"));
});
