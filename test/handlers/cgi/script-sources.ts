/** Sources that the worker finds and compiles for scripts. */
import { realpathSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import t from "tap";
import { prepareVersions, VersionStore } from "../../../src/base/version-store.ts";
import {
  provideSource,
  type ScriptBuild,
  ScriptSources,
} from "../../../src/handlers/cgi/script-sources.ts";
import { scriptFolder } from "../../fixtures/script.ts";
import { shortFolder } from "../../fixtures/short-folder.ts";

const folder = scriptFolder(t);
const urlOf = (name: string): string => pathToFileURL(join(folder, name)).href;

/** Writes a file that is old enough for its code to be kept. */
function write(name: string, text: string, age = 10): void {
  writeFileSync(join(folder, name), text);
  const time = Date.now() / 1000 - age;
  utimesSync(join(folder, name), time, time);
}

t.test("code, its kind, the way back to the source", async (t) => {
  write("a.ts", `const a: number = 1; require("x");`);
  write("b.ts", `export const b: number = 1;`);
  write("c.cts", `exports.c = 1 as number;`);
  t.match(provideSource({ url: urlOf("a.ts"), format: undefined }), {
    format: "commonjs",
    source: /^const a = 1;[^]*\n\/\/# sourceMappingURL=data:/,
  });
  t.match(provideSource({ url: urlOf("a.ts"), format: "module-typescript" }), { format: "module" });
  t.match(provideSource({ url: urlOf("b.ts"), format: null }), { format: "module" });
  t.match(provideSource({ url: urlOf("c.cts"), format: "commonjs-typescript" }), {
    format: "commonjs",
  });
});

t.test("a saved file is compiled anew", async (t) => {
  for (const text of ["1", "22", "33"]) {
    write("saved.ts", text);
    t.match(provideSource({ url: urlOf("saved.ts"), format: "module" }), {
      source: new RegExp(`^${text};`),
    });
  }
});

t.test("names that Node does not find", async (t) => {
  write("found.ts", "");
  const parent = urlOf("a.ts");
  for (const specifier of ["./found", "./found.js", "./found.ts"]) {
    t.same(provideSource({ specifier, parent }), { url: urlOf("found.ts") }, specifier);
  }
  t.same(provideSource({ specifier: "./none", parent }), { url: undefined });
  t.same(provideSource({ specifier: "found", parent }), { url: undefined });
  t.same(provideSource({ specifier: "./found", parent: undefined }), { url: undefined });
});

t.test("mistakes are answers", async (t) => {
  write("wrong.ts", "const = 1");
  t.match(provideSource({ url: urlOf("wrong.ts"), format: null }), {
    error: { name: "BuildError" },
  });
  t.match(provideSource({ url: urlOf("none.ts"), format: null }), { error: { code: "ENOENT" } });
});

t.test("a script and what it imports are one build, and the last good one is shared", async (t) => {
  const run = shortFolder(t);
  prepareVersions(run);
  const worker = (): ScriptSources => new ScriptSources(new VersionStore(run, "main"));
  const [a, b] = [worker(), worker()];
  const main = join(realpathSync(folder), "main.ts");
  const codeOf = (build: ScriptBuild, name: string): string => {
    const url = pathToFileURL(join(realpathSync(folder), name)).href;
    return provideSource({ url, format: "module" }, build).source ?? "";
  };
  write("part.ts", "export const part = 'part 1';");
  write("main.ts", `import { part } from "./part.js"; console.log("main 1", part);`);
  a.prepare(main);
  b.prepare(main);
  write("main.ts", `import { part } from "./part.js"; console.log("main 2", part);`);
  a.prepare(main);
  write("part.ts", "export const part = ;");
  for (const sources of [b, a, worker()]) {
    const build = sources.prepare(main);
    t.match(codeOf(build, "main.ts"), "main 2", "b never built it while it was on the disk");
    t.match(codeOf(build, "part.ts"), "part 1");
  }
  t.match(worker().verify(), [
    { code: "MODTS_BUILD_FAILED", message: /part\.ts:1:/, isServed: true },
  ]);
  rmSync(join(folder, "part.ts"));
  const build = worker().prepare(main);
  const parent = pathToFileURL(main).href;
  const { url } = provideSource({ specifier: "./part.js", parent }, build);
  t.equal(url, pathToFileURL(join(realpathSync(folder), "part.ts")).href, "a deleted import");
  t.match(provideSource({ url: url!, format: "module" }, build).source, "part 1");

  rmSync(main);
  a.forget(main);
  write("main.ts", "const = 1");
  t.same([a.prepare(main), b.prepare(main), worker().prepare(main)], [{}, {}, {}], "not again");
  write("part.ts", "export const part = 'part 2';");
  write("main.ts", `export { part } from "./part.ts";`);
  t.same(Object.keys(b.prepare(main)).length, 2);
  t.same(b.verify(), []);
});
