/** From what Apache says to a module and names. */
import {
  closeSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { ModuleDirectory, Places } from "../../../src/handlers/publisher/locate.ts";
import { FileInfo } from "../../../src/request/file-info.ts";

const root = t.testdir({
  "index.ts": "",
  "hello.ts": "",
  "image.png": "",
  sub: { "index.mjs": "" },
  bare: { "x.ts": "" },
});
const find = (name: string, pathInfo = "", places = new Places()): unknown => {
  const filename = `${root}/${name}`;
  const place = places.find({ filename, pathInfo, finfo: new FileInfo(filename) });
  return place && [place.file.slice(root.length + 1), ...place.names];
};

t.test("every shape", async (t) => {
  for (const [name, pathInfo, expected] of [
    ["hello.ts", "", ["hello.ts", "index"]],
    ["hello", "/", ["hello.ts", "index"]],
    ["hello", "/a/b", ["hello.ts", "a", "b"]],
    ["hello.ts", "/a/b/", ["hello.ts", "a", "b"]],
    ["hello.ts", "/a.b", ["hello.ts", "a.b"]],
    ["hello.ts", "//a", ["hello.ts", "", "a"]],
    ["hello.ts", "/a//", ["hello.ts", "a", ""]],
    ["", "", ["index.ts", "index"]],
    ["", "/a", ["index.ts", "a"]],
    ["fn", "", ["index.ts", "fn"]],
    ["fn.ts", "/a", ["index.ts", "fn", "a"]],
    ["a.png", "", ["index.ts", "a.png"]],
    [".ts", "", ["index.ts", ""]],
    ["sub/", "", ["sub/index.mjs", "index"]],
    ["sub", "", ["sub/index.mjs", "index"]],
    ["sub", "/a", ["sub/index.mjs", "a"]],
    ["sub/fn", "", ["sub/index.mjs", "fn"]],
    ["bare/x", "", ["bare/x.ts", "index"]],
    ["bare/", "", undefined],
    ["bare/y", "", undefined],
    ["image.png", "", undefined],
    ["none/x", "", undefined],
  ] as const) {
    t.same(find(name, pathInfo), expected, `${name} ${pathInfo}`);
  }
});

t.test("forgets what it is told to forget", async (t) => {
  const places = new Places();
  t.same(find("bare/x", "", places), ["bare/x.ts", "index"]);
  rmSync(`${root}/bare/x.ts`);
  t.same(find("bare/x", "", places), ["bare/x.ts", "index"], "nobody looked");
  places.forget(`${root}/bare/x.ts`);
  t.equal(find("bare/x", "", places), undefined);
});

t.test("many roots are not remembered for ever", async (t) => {
  const places = new Places();
  for (let number = 0; number < 1100; number += 1) find(`none${number}/x`, "", places);
  t.same(find("hello", "", places), ["hello.ts", "index"]);
});

t.test("the order of extensions, and one that is named", async (t) => {
  const path = `${t.testdir({ "a.js": "", "a.mts": "", "b.ts": "", "b.js": "", "c.txt": "", ".ts": "" })}/`;
  const directory = new ModuleDirectory(path);
  t.equal(directory.find("a"), `${path}a.mts`);
  t.equal(directory.find("a", ".js"), `${path}a.js`);
  t.equal(directory.find("a", ".ts"), undefined);
  t.equal(directory.find("b"), `${path}b.ts`);
  t.equal(directory.find("c"), undefined);
  t.equal(directory.find(""), undefined);
});

t.test("only files, and links", async (t) => {
  const path = `${t.testdir({})}/`;
  mkdirSync(join(path, "a.ts"));
  symlinkSync("elsewhere.ts", join(path, "b.ts"));
  t.equal(new ModuleDirectory(path).find("a"), undefined);
  t.equal(new ModuleDirectory(path).find("b"), `${path}b.ts`);
});

t.test("a folder that is none has no modules", async (t) => {
  const path = t.testdir({ file: "" });
  t.equal(new ModuleDirectory(`${path}/none/`).find("a"), undefined);
  t.equal(new ModuleDirectory(`${path}/file/`).find("a"), undefined);
});

t.test("what comes is seen, at once and later", async (t) => {
  const path = `${t.testdir({})}/`;
  const directory = new ModuleDirectory(path);
  t.equal(directory.find("a"), undefined);
  writeFileSync(join(path, "a.js"), "");
  t.equal(directory.find("a"), `${path}a.js`, "in the same tick of the clock");
  await sleep(50);
  t.equal(directory.find("a"), `${path}a.js`);
  writeFileSync(join(path, "a.ts"), "");
  t.equal(directory.find("a"), `${path}a.ts`);
  rmSync(join(path, "a.js"));
  t.equal(directory.find("a", ".js"), `${path}a.js`, "the loader is the one to notice");
  t.equal(directory.find("b"), undefined);
  t.equal(directory.find("a", ".js"), undefined, "unless something made us look");
});

t.test("a time stamp that was set back hides nothing", async (t) => {
  const path = `${t.testdir({})}/`;
  const directory = new ModuleDirectory(path);
  utimesSync(path, 1, 1);
  await sleep(50);
  t.equal(directory.find("a"), undefined);
  writeFileSync(join(path, "a.js"), "");
  utimesSync(path, 1, 1);
  t.equal(directory.find("a"), `${path}a.js`);
});

t.test("no free file descriptor: an error, and not a folder without modules", async (t) => {
  const path = `${t.testdir({ "a.ts": "" })}/`;
  const directory = new ModuleDirectory(path);
  await sleep(50);
  execFileSync("prlimit", ["--pid", String(process.pid), "--nofile=256:"]);
  const open: number[] = [];
  try {
    for (;;) open.push(openSync("/dev/null", "r"));
  } catch {
    t.throws(() => directory.find("a"), { code: "EMFILE" });
  }
  for (const descriptor of open) closeSync(descriptor);
  t.equal(directory.find("a"), `${path}a.ts`);
});
