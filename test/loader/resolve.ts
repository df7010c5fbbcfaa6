import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { existsSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import t from "tap";
import { isLocal, resolveLocal } from "../../src/loader/resolve.ts";

const folder = join(await realpath(await mkdtemp(join(tmpdir(), "mod-ts-resolve-"))));
t.teardown(() => rm(folder, { recursive: true }));
for (const name of [
  "a.ts",
  "b.js",
  "b.ts",
  "c.tsx",
  "d/index.mts",
  "e.ts",
  "e/index.ts",
  "f.json",
]) {
  await mkdir(dirname(join(folder, name)), { recursive: true });
  await writeFile(join(folder, name), "");
}
await symlink("d", join(folder, "link"));

const exists = (path: string): boolean => existsSync(path) && statSync(path).isFile();
const found = (specifier: string): string | undefined =>
  resolveLocal(specifier, join(folder, "importer.ts"), exists).file?.slice(folder.length + 1);

t.test("where specifiers lead", (t) => {
  const cases: Record<string, string | undefined> = {
    "./a.ts": "a.ts",
    "./a.js": "a.ts",
    "./a": "a.ts",
    "./b.js": "b.js",
    "./b": "b.ts",
    "./c.jsx": "c.tsx",
    "./c.js": "c.tsx",
    "./d": "d/index.mts",
    "./d/": "d/index.mts",
    "./e": "e.ts",
    "./e/": "e/index.ts",
    "./f": "f.json",
    "./f.json": "f.json",
    "./link": "d/index.mts",
    "./link/index.mjs": "d/index.mts",
    "./nothing": undefined,
    "./": undefined,
    [join(folder, "a.ts")]: "a.ts",
    [pathToFileURL(join(folder, "a.ts")).href]: "a.ts",
  };
  for (const [specifier, file] of Object.entries(cases)) t.equal(found(specifier), file, specifier);
  t.end();
});

t.test("what was tried is told, the path found last", (t) => {
  const { tried } = resolveLocal("./a.js", join(folder, "importer.ts"), exists);
  t.same(tried, [join(folder, "a.js"), join(folder, "a.ts")]);
  t.end();
});

t.test("which specifiers are files", (t) => {
  for (const yes of ["./a", "../a", "/a", ".", "..", "file:///a"]) t.ok(isLocal(yes), yes);
  for (const no of ["a", "@a/b", "node:fs", "#a", ".a", "https://a/b", "data:text/javascript,"]) {
    t.notOk(isLocal(no), no);
  }
  t.end();
});
