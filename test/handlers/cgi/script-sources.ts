/** Sources that the worker finds and compiles for scripts. */
import { realpathSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import t from "tap";
import { largeFile } from "../../../src/loader/aside.ts";
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
  t.match(await provideSource({ url: urlOf("a.ts"), format: undefined }), {
    format: "commonjs",
    source: /^const a = 1;[^]*\n\/\/# sourceMappingURL=data:/,
  });
  t.match(await provideSource({ url: urlOf("a.ts"), format: "module-typescript" }), {
    format: "module",
  });
  t.match(await provideSource({ url: urlOf("b.ts"), format: null }), { format: "module" });
  t.match(await provideSource({ url: urlOf("c.cts"), format: "commonjs-typescript" }), {
    format: "commonjs",
    source: /^exports\.c = 1;/,
  });
  write("d.ts", `import a = require("./a.ts"); export = { a };`);
  t.match(await provideSource({ url: urlOf("d.ts"), format: null }), {
    format: "commonjs",
    source: /^const a = require\("\.\/a\.ts"\);\s+module\.exports = /,
  });
});

t.test("a saved file is compiled anew", async (t) => {
  for (const text of ["1", "22", "33"]) {
    write("saved.ts", text);
    t.match(await provideSource({ url: urlOf("saved.ts"), format: "module" }), {
      source: new RegExp(`^${text};`),
    });
  }
});

t.test("names that Node does not find", async (t) => {
  write("found.ts", "");
  const parent = urlOf("a.ts");
  for (const specifier of ["./found", "./found.js", "./found.ts"]) {
    t.same(await provideSource({ specifier, parent }), { url: urlOf("found.ts") }, specifier);
  }
  t.same(await provideSource({ specifier: "./none", parent }), { url: undefined });
  t.same(await provideSource({ specifier: "found", parent }), { url: undefined });
  t.same(await provideSource({ specifier: "./found", parent: undefined }), { url: undefined });
});

t.test("mistakes are answers", async (t) => {
  write("wrong.ts", "const = 1");
  t.match(await provideSource({ url: urlOf("wrong.ts"), format: null }), {
    error: { name: "BuildError" },
  });
  t.match(await provideSource({ url: urlOf("none.ts"), format: null }), {
    error: { code: "ENOENT" },
  });
});

t.test("a script and what it imports are one build, and the last good one is shared", async (t) => {
  const run = shortFolder(t);
  prepareVersions(run);
  const worker = (): ScriptSources => new ScriptSources(new VersionStore(run, "main"));
  const [a, b] = [worker(), worker()];
  const main = join(realpathSync(folder), "main.ts");
  const codeOf = async (build: ScriptBuild, name: string): Promise<string> => {
    const url = pathToFileURL(join(realpathSync(folder), name)).href;
    return (await provideSource({ url, format: "module" }, build)).source ?? "";
  };
  write("part.ts", "export const part = 'part 1';");
  write("main.ts", `import { part } from "./part.js"; console.log("main 1", part);`);
  await a.prepare(main);
  await b.prepare(main);
  write("main.ts", `import { part } from "./part.js"; console.log("main 2", part);`);
  await a.prepare(main);
  write("part.ts", "export const part = ;");
  for (const sources of [b, a, worker()]) {
    const build = await sources.prepare(main);
    t.match(await codeOf(build, "main.ts"), "main 2", "b never built it while it was on the disk");
    t.match(await codeOf(build, "part.ts"), "part 1");
  }
  t.match(await worker().verify(), [
    { code: "MODTS_BUILD_FAILED", message: /part\.ts:1:/, isServed: true },
  ]);
  rmSync(join(folder, "part.ts"));
  const build = await worker().prepare(main);
  const parent = pathToFileURL(main).href;
  const { url } = await provideSource({ specifier: "./part.js", parent }, build);
  t.equal(url, pathToFileURL(join(realpathSync(folder), "part.ts")).href, "a deleted import");
  const { source } = await provideSource({ url: url!, format: "module" }, build);
  t.match(source, "part 1");

  rmSync(main);
  a.forget(main);
  write("main.ts", "const = 1");
  const builds = await Promise.all([a, b, worker()].map((sources) => sources.prepare(main)));
  t.same(builds, [{}, {}, {}], "not again");
  write("part.ts", "export const part = 'part 2';");
  write("main.ts", `export { part } from "./part.ts";`);
  t.same(Object.keys(await b.prepare(main)).length, 2);
  t.same(await b.verify(), []);
});

const row = (line: number): string => `  { id: ${line}, name: "row ${line}" } as Row,\n`;
const rows = Array.from({ length: 2 * (largeFile / 40) }, (_, line) => row(line)).join("");
const largeText = (rest = ""): string =>
  `import "./a.ts";\ntype Row = object;\nconst rows: Row[] = [\n${rows}];\n${rest}`;

t.test("a large script is compiled while others are prepared, once for all requests", async (t) => {
  const sources = new ScriptSources(undefined);
  write("large.ts", largeText());
  write("small.ts", "const small: number = 1;");
  const order: string[] = [];
  const prepare = async (name: string): Promise<ScriptBuild> => {
    const build = await sources.prepare(join(folder, name));
    order.push(name);
    return build;
  };
  const [build] = await Promise.all(["large.ts", "large.ts", "small.ts"].map(prepare));
  t.same(order, ["small.ts", "large.ts", "large.ts"]);
  t.same(Object.keys(build!), [join(folder, "large.ts"), join(folder, "a.ts")]);
  t.match(await provideSource({ url: urlOf("large.ts"), format: null }, build), {
    format: "module",
    source: /^import "\.\/a\.ts";\nconst rows = /,
  });
  write("require.ts", largeText("require('x');").replace('import "./a.ts";', ""));
  t.match(await provideSource({ url: urlOf("require.ts"), format: null }), { format: "commonjs" });
});

t.test("a mistake in a large script has its place", async (t) => {
  const sources = new ScriptSources(undefined);
  write("large-wrong.ts", largeText("const = 1;"));
  t.same(await sources.prepare(join(folder, "large-wrong.ts")), {});
  t.match(await provideSource({ url: urlOf("large-wrong.ts"), format: null }), {
    error: { name: "BuildError", line: rows.split("\n").length + 4 },
  });
});

t.test("a script with more files than are kept, and a large one after them", async (t) => {
  const names = Array.from({ length: 501 }, (_, number) => `part-${number}.ts`);
  for (const name of names) write(name, "export {};");
  const imports = [...names, "large.ts"].map((name) => `import "./${name}";\n`).join("");
  write("many.ts", imports);
  const build = await new ScriptSources(undefined).prepare(join(folder, "many.ts"));
  t.equal(
    Object.keys(build).length,
    names.length + 3,
    "with itself, the large one, and its import",
  );
});
