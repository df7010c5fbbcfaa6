/** Modules of a folder, as they come and go. */
import { execFileSync } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { Folder } from "../../src/publisher/folder.ts";

t.test("the order of extensions, and one that is named", async (t) => {
  const path = `${t.testdir({ "a.js": "", "a.mts": "", "b.ts": "", "b.js": "", "c.txt": "", ".ts": "" })}/`;
  const folder = new Folder(path);
  t.equal(folder.find("a"), `${path}a.mts`);
  t.equal(folder.find("a", ".js"), `${path}a.js`);
  t.equal(folder.find("a", ".ts"), undefined);
  t.equal(folder.find("b"), `${path}b.ts`);
  t.equal(folder.find("c"), undefined);
  t.equal(folder.find(""), undefined);
});

t.test("only files, and links", async (t) => {
  const path = `${t.testdir({})}/`;
  mkdirSync(join(path, "a.ts"));
  symlinkSync("elsewhere.ts", join(path, "b.ts"));
  t.equal(new Folder(path).find("a"), undefined);
  t.equal(new Folder(path).find("b"), `${path}b.ts`);
});

t.test("a folder that is none has no modules", async (t) => {
  const path = t.testdir({ file: "" });
  t.equal(new Folder(`${path}/none/`).find("a"), undefined);
  t.equal(new Folder(`${path}/file/`).find("a"), undefined);
});

t.test("what comes is seen, at once and later", async (t) => {
  const path = `${t.testdir({})}/`;
  const folder = new Folder(path);
  t.equal(folder.find("a"), undefined);
  writeFileSync(join(path, "a.js"), "");
  t.equal(folder.find("a"), `${path}a.js`, "in the same tick of the clock");
  await sleep(50);
  t.equal(folder.find("a"), `${path}a.js`);
  writeFileSync(join(path, "a.ts"), "");
  t.equal(folder.find("a"), `${path}a.ts`);
  rmSync(join(path, "a.js"));
  t.equal(folder.find("a", ".js"), `${path}a.js`, "the loader is the one to notice");
  t.equal(folder.find("b"), undefined);
  t.equal(folder.find("a", ".js"), undefined, "unless something made us look");
});

t.test("a time stamp that was set back hides nothing", async (t) => {
  const path = `${t.testdir({})}/`;
  const folder = new Folder(path);
  utimesSync(path, 1, 1);
  await sleep(50);
  t.equal(folder.find("a"), undefined);
  writeFileSync(join(path, "a.js"), "");
  utimesSync(path, 1, 1);
  t.equal(folder.find("a"), `${path}a.js`);
});

t.test("no free file descriptor: an error, and not a folder without modules", async (t) => {
  const path = `${t.testdir({ "a.ts": "" })}/`;
  const folder = new Folder(path);
  await sleep(50);
  execFileSync("prlimit", ["--pid", String(process.pid), "--nofile=256:"]);
  const open: number[] = [];
  try {
    for (;;) open.push(openSync("/dev/null", "r"));
  } catch {
    t.throws(() => folder.find("a"), { code: "EMFILE" });
  }
  for (const descriptor of open) closeSync(descriptor);
  t.equal(folder.find("a"), `${path}a.ts`);
});
