import { join } from "node:path";
import t from "tap";
import { findTypeScript, type TypeScript } from "../../../src/cli/type-check/typescript.ts";
import { tsconfigOf } from "../../../src/cli/type-check/mirror.ts";
import { makeSettings } from "../../../src/cli/type-check/settings.ts";

const typeScript = findTypeScript(import.meta.dirname) as TypeScript;
const job = (root: string) => ({
  root,
  mirror: "/mirror",
  tsconfig: tsconfigOf(join(root, "a.ts")),
  modules: ["a.ts"],
  pages: ["b.tsp"],
});

t.test("strict ones where there are none", async (t) => {
  const root = t.testdir({ "package.json": "{}", "a.ts": "" });
  const without = { ...job(root), tsconfig: undefined };
  const { compilerOptions, files } = (await makeSettings(without, typeScript)).config;
  t.match(compilerOptions, {
    strict: true,
    noEmit: true,
    rootDirs: [root, "/mirror"],
    types: ["node"],
  });
  t.match(compilerOptions["paths"], {
    "mod-ts": [/src\/index\.ts$/],
    "mod-ts/config": [/src\/config\/config\.ts$/],
    "mod-ts/testing": [/src\/testing\/testing\.ts$/],
  });
  t.same(files, [join(root, "a.ts"), "/mirror/b.tsp.ts"]);
});

t.test("those of the folder, but for what writes files or would not run", async (t) => {
  const folder = t.testdir({
    "package.json": "{}",
    "tsconfig.json": JSON.stringify({
      compilerOptions: {
        noImplicitReturns: true,
        module: "nodenext",
        composite: true,
        outDir: "out",
        paths: { "@/*": ["./lib/*"] },
      },
      exclude: ["root/skipped.ts"],
    }),
    "else.ts": "",
    root: { "a.ts": "", "skipped.ts": "" },
  });
  const root = join(folder, "root");
  const { compilerOptions, files } = (await makeSettings(job(root), typeScript)).config;
  t.match(compilerOptions, { noImplicitReturns: true, module: "preserve" });
  t.match(compilerOptions["paths"], { "@/*": [join(folder, "lib/*")], "mod-ts": [String] });
  t.notOk("outDir" in compilerOptions || "composite" in compilerOptions);
  t.same(files, [join(root, "a.ts"), "/mirror/b.tsp.ts"]);
});

t.test("a tsconfig.json that names other folders alone says nothing of the files", async (t) => {
  const folder = t.testdir({
    "package.json": "{}",
    "tsconfig.json": '{ "include": ["src"] }',
    src: { "x.ts": "" },
    root: { "a.ts": "" },
  });
  const { config } = await makeSettings(job(join(folder, "root")), typeScript);
  t.same(config.files, [join(folder, "root/a.ts"), "/mirror/b.tsp.ts"]);
});

t.test("what the compiler would pass over in a tsconfig.json", async (t) => {
  const root = t.testdir({
    "package.json": "{}",
    "tsconfig.json": '{ "compilerOptions": {\n  "strct": true, "noImplicitReturns": tru } }',
    "a.ts": "",
  });
  const { mistakes } = await makeSettings(job(root), typeScript);
  const file = join(root, "tsconfig.json");
  t.match(mistakes[0], { file, line: 2, column: 3, message: /TS5023: .*'strct'/ });
  t.ok(mistakes.length >= 2);
});
