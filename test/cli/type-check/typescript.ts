import { join } from "node:path";
import t from "tap";
import {
  findTypeScript,
  parseDiagnostics,
  runTsc,
} from "../../../src/cli/type-check/typescript.ts";

t.test("what the compiler prints", async (t) => {
  const output = [
    "../a (1).ts(3,14): error TS2322: Type 'string' is not assignable to type 'number'.",
    "  The first line.",
    "    The second line.",
    "error TS5083: Cannot read file '/x/tsconfig.json'.",
    "/srv/b.tsp.ts(1,1): error TS1005: ';' expected.\r",
    "",
    "Found 3 errors.",
  ].join("\n");
  t.same(parseDiagnostics(output, "/srv/work"), [
    {
      file: "/srv/a (1).ts",
      line: 3,
      column: 14,
      message:
        "TS2322: Type 'string' is not assignable to type 'number'.\n  The first line.\n    The second line.",
    },
    {
      file: undefined,
      line: 0,
      column: 0,
      message: "TS5083: Cannot read file '/x/tsconfig.json'.",
    },
    { file: "/srv/b.tsp.ts", line: 1, column: 1, message: "TS1005: ';' expected." },
  ]);
  t.same(parseDiagnostics("", "/"), []);
});

t.test("a compiler that has complaints, and one that breaks down", async (t) => {
  const folder = t.testdir({
    "complains.js": "console.log('a.ts(1,1): error TS1: x'); process.exitCode = 2;",
    "breaks.js": "console.error('out of memory'); process.exitCode = 134;",
  });
  t.match(await runTsc(join(folder, "complains.js"), [], folder), "error TS1");
  await t.rejects(runTsc(join(folder, "breaks.js"), [], folder), /out of memory/);
  await t.rejects(runTsc(join(folder, "missing.js"), [], folder), /missing\.js/);
});

const manifest = (version: string): string =>
  JSON.stringify({ version, bin: { tsc: "./bin/tsc.js" } });

t.test("the compiler of the application comes first", async (t) => {
  const folder = t.testdir({
    app: {},
    node_modules: {
      typescript: { "package.json": manifest("5.9.0") },
      "@types": { node: { "package.json": "{}" } },
    },
  });
  t.same(findTypeScript(join(folder, "app")), {
    tsc: join(folder, "node_modules/typescript/bin/tsc.js"),
    typeRoot: join(folder, "node_modules/@types"),
  });
});

t.test("then the one beside mod_ts", async (t) => {
  const found = findTypeScript("/");
  t.match(found, { tsc: /node_modules\/typescript\/bin\/tsc$/, typeRoot: /@types$/ });
});
