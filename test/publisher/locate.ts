/** From what Apache says to a module and names. */
import { rmSync } from "node:fs";
import t from "tap";
import { Places } from "../../src/publisher/locate.ts";
import { FileInfo } from "../../src/request/file-info.ts";

const folder = t.testdir({
  "index.ts": "",
  "hello.ts": "",
  "image.png": "",
  sub: { "index.mjs": "" },
  bare: { "x.ts": "" },
});
const find = (name: string, pathInfo = "", places = new Places()): unknown => {
  const filename = `${folder}/${name}`;
  const place = places.find({ filename, pathInfo, finfo: new FileInfo(filename) });
  return place && [place.file.slice(folder.length + 1), ...place.names];
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
  rmSync(`${folder}/bare/x.ts`);
  t.same(find("bare/x", "", places), ["bare/x.ts", "index"], "nobody looked");
  places.forget(`${folder}/bare/x.ts`);
  t.equal(find("bare/x", "", places), undefined);
});

t.test("many folders are not remembered for ever", async (t) => {
  const places = new Places();
  for (let number = 0; number < 1100; number += 1) find(`none${number}/x`, "", places);
  t.same(find("hello", "", places), ["hello.ts", "index"]);
});
