import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import t from "tap";
import { HttpError } from "../../../src/base/http-error.ts";
import { ownIdentity } from "../../../src/base/process-identity.ts";
import { sweepTemporaryFiles, TemporaryFiles } from "../../../src/request/body/temporary-files.ts";

const bytes = (): Readable => Readable.from(["text"]);

t.test("files in a folder for us alone, gone at the end", async (t) => {
  const folder = join(t.testdir({}), "run/tmp");
  const files = new TemporaryFiles(folder);
  const [one, two] = await Promise.all([files.keep(bytes()), files.keep(bytes())]);
  t.not(one, two);
  t.equal(dirname(one), folder);
  t.equal(readFileSync(one, "utf8"), "text");
  t.equal(statSync(folder).mode & 0o777, 0o700);
  t.equal(statSync(one).mode & 0o777, 0o600);
  await files.remove();
  t.notOk(existsSync(one));
  await t.rejects(files.keep(bytes()), {
    code: "MODTS_UPLOAD_FAILED",
    message: /request is over/,
  });
  t.strictSame(readdirSync(folder), []);
});

t.test("what breaks off is removed at once, and says why", async (t) => {
  const folder = join(t.testdir({}), "tmp");
  const files = new TemporaryFiles(folder);
  for (const error of [new HttpError(413), new Error("odd")]) {
    const stream = new PassThrough();
    stream.write("half");
    const keeping = files.keep(stream);
    stream.destroy(error);
    const isPlain = !(error instanceof HttpError);
    await t.rejects(keeping, isPlain ? { code: "MODTS_UPLOAD_FAILED", cause: error } : error);
    t.strictSame(readdirSync(folder), []);
  }
});

t.test("a file that is still written when the request ends does not stay", async (t) => {
  const folder = join(t.testdir({}), "tmp");
  const files = new TemporaryFiles(folder);
  const stream = new PassThrough();
  const keeping = files.keep(stream);
  await files.remove();
  stream.end("late");
  await t.rejects(keeping, { code: "MODTS_UPLOAD_FAILED" });
  t.strictSame(readdirSync(folder), []);
});

t.test("a folder that others can write to, or that is none, is refused", async (t) => {
  const base = t.testdir({});
  mkdirSync(join(base, "open"));
  chmodSync(join(base, "open"), 0o777);
  mkdirSync(join(base, "own"), { mode: 0o700 });
  symlinkSync("own", join(base, "link"));
  writeFileSync(join(base, "file"), "");
  for (const folder of [join(base, "open"), join(base, "link"), join(base, "file"), undefined]) {
    const keeping = new TemporaryFiles(folder).keep(bytes());
    await t.rejects(keeping, { code: "MODTS_UPLOAD_FAILED" }, String(folder));
  }
});

t.test("what a dead process left is swept, and nothing else", async (t) => {
  const folder = join(t.testdir({}), "tmp");
  mkdirSync(folder, { mode: 0o700 });
  const { pid: dead } = spawnSync(process.execPath, ["-e", ""]);
  const [machine, , started] = ownIdentity().split(".");
  const hex = "0".repeat(32);
  const stale = [
    `${machine}.${dead}.${started}-${hex}`,
    `${machine}.${process.pid}.${Number(started) - 1}-${hex}`,
    `00000000ffff.1.1-${hex}`,
  ];
  const kept = [
    `${ownIdentity()}-${hex}`,
    `00000000eeee.1.1-${hex}`,
    `${machine}.${dead}.${started}-notes`,
    "notes.txt",
  ];
  for (const name of [...stale, ...kept]) writeFileSync(join(folder, name), "");
  const before = Date.now() / 1000 - 2 * 24 * 60 * 60;
  for (const name of [stale[2], "notes.txt"])
    utimesSync(join(folder, name as string), before, before);
  sweepTemporaryFiles(folder);
  t.strictSame(readdirSync(folder).toSorted(), kept.toSorted());
  sweepTemporaryFiles(join(folder, "nothing"));
});

t.test("a link in the place of the folder sweeps nothing behind it", async (t) => {
  const base = t.testdir({});
  const { pid: dead } = spawnSync(process.execPath, ["-e", ""]);
  const [machine] = ownIdentity().split(".");
  mkdirSync(join(base, "other"), { mode: 0o700 });
  writeFileSync(join(base, "other", `${machine}.${dead}.1-${"0".repeat(32)}`), "");
  symlinkSync("other", join(base, "tmp"));
  sweepTemporaryFiles(join(base, "tmp"));
  t.equal(readdirSync(join(base, "other")).length, 1);
});
