import t from "tap";
import { isCommonJs, toEsModule } from "../../src/loader/common-js.ts";
import { answering, makeProject } from "../fixtures/loader/project.ts";

t.test("which files are CommonJS", (t) => {
  for (const source of [
    'import fs = require("node:fs");',
    'export import fs = require("node:fs");',
    "export = 1;",
    "const a = 1; export = a;",
    "  export =\n  1;",
  ]) {
    t.ok(isCommonJs("/a.ts", source), source);
  }
  t.ok(isCommonJs("/a.cts", ""));
  for (const source of [
    "module.exports = 1;",
    'require("a")',
    "export == 1",
    "// TypeScript has export = too\nexport const a = 1;",
    "/* export = 1 */",
    "/**\n * import a = require('b')\n */",
    "import a from 'b'",
  ]) {
    t.notOk(isCommonJs("/a.ts", source), source);
  }
  t.end();
});

t.test("a file may declare the names itself", (t) => {
  const own = 'import require from "a"; const __filename = 1, module = { exports: 2 };';
  const { code } = toEsModule({ code: own, map: undefined });
  t.notMatch(code, /__filename = import\.meta|require = Object|module = \{ exports: \{\} \}/);
  t.match(code, /__dirname = import\.meta\.dirname/);
  t.end();
});

t.test("a .cts file has the exports that Node gives it", async (t) => {
  const project = await makeProject(t);
  await project.save(
    "lib.cts",
    `enum Kind { one = 1 }
     exports.one = Kind.one;
     exports["two words"] = (() => 2) as () => number;
     module.exports.places = [typeof require.resolve, __filename, __dirname];`,
  );
  await project.save("object.cts", "module.exports = { a: 1, 'b-c': 2, [`d`]: 3 };");
  await project.save(
    "a.ts",
    `import whole, { one, "two words" as two, places } from "./lib.cts";
     import object, { a, "b-c" as b } from "./object.cts";
     export const handler = () => ({ whole: Object.keys(whole), one, two: two(), places, a, b, d: object.d });`,
  );
  t.same(await project.request("a.ts"), {
    whole: ["one", "two words", "places"],
    one: 1,
    two: 2,
    places: ["function", project.path("lib.cts"), project.folder],
    a: 1,
    b: 2,
    d: 3,
  });
});

t.test("export = and import = require()", async (t) => {
  const project = await makeProject(t);
  await project.save(
    "class.ts",
    "class Box { constructor(readonly value: number) {} }\nexport = Box;",
  );
  await project.save("json.json", '{ "x": 5 }');
  await project.save("own.cjs", "exports.y = 6;");
  await project.save(
    "a.ts",
    `import path = require("node:path");
     import Box = require("./class");
     import { createRequire } from "node:module";
     import json = require("./json.json");
     import own = require("./own.cjs");
     export const handler = () =>
       [path.basename("/x/y"), new Box(4).value, json.x, own.y, typeof createRequire];`,
  );
  t.same(await project.request("a.ts"), ["y", 4, 5, 6, "function"]);
});

t.test("a required file is reloaded", async (t) => {
  const project = await makeProject(t);
  await project.save("leaf.cts", "export = 1;");
  await project.save("lib.cts", 'const leaf = require("./leaf.cts");\nmodule.exports = { leaf };');
  await project.save(
    "a.ts",
    'import lib from "./lib.cts";\nexport const handler = () => lib.leaf;',
  );
  t.equal(await project.request("a.ts"), 1);
  await project.save("leaf.cts", "export = 2;");
  t.equal(await project.request("a.ts"), 2);
});

t.test("errors have the lines of the author", async (t) => {
  const project = await makeProject(t);
  await project.save(
    "lib.cts",
    "\ntype X = 1;\nexports.fail = () => {\n  throw new Error('here');\n};",
  );
  await project.save("a.ts", 'import { fail } from "./lib.cts";\nexport const handler = fail;');
  const error = await project.request("a.ts").catch((reason: unknown) => reason);
  t.match((error as Error).stack, `${project.path("lib.cts")}:4:9`);
  await project.save("lib.cts", '\nimport x = require("./none");\nexport = x;');
  await project.save("b.ts", `import "./lib.cts";\n${answering("b")}`);
  await t.rejects(project.request("b.ts"), {
    message: `cannot resolve "./none" (${project.path("lib.cts")}:2:21)`,
  });
});
