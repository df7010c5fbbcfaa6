import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import t from "tap";
import { placeOfSyntaxError } from "../../src/loader/broken-package.ts";

const folder = await realpath(await mkdtemp(join(tmpdir(), "mod-ts-broken-")));
t.teardown(() => rm(folder, { recursive: true }));
const files: Record<string, string> = {
  "modules/package.json": '{ "type": "module", "exports": "./a.js" }',
  "modules/a.js": "import './b.js';\nimport 'node:fs';\nexport * from './lib/c.js';",
  "modules/b.js": "import './a.js';",
  "modules/lib/c.js": "export const a = 1;\nexport const b = (;\n",
  "common/package.json": '{ "main": "./c.js" }',
  "common/c.js": "\nexports.c = ;\n",
  "names/package.json": '{ "type": "module", "exports": "./n.js" }',
  "names/n.js": "import { nothing } from 'node:fs';",
};
for (const [name, text] of Object.entries(files)) {
  await mkdir(join(folder, "node_modules", dirname(name)), { recursive: true });
  await writeFile(join(folder, "node_modules", name), text);
}

/** Imports a file as Node does, and says where its package is broken. */
async function placeIn(name: string, file: string): Promise<string | undefined> {
  const error: unknown = await import(join(folder, "node_modules", name, file)).catch(
    (reason: unknown) => reason,
  );
  return placeOfSyntaxError(error as SyntaxError, name, join(folder, "a.ts"))?.replace(folder, "");
}

t.test("the file and line of a syntax error in a package", async (t) => {
  t.equal(
    await placeIn("modules", "a.js"),
    "/node_modules/modules/lib/c.js:2:19",
    "a module of a module",
  );
  t.equal(await placeIn("common", "c.js"), "/node_modules/common/c.js:2", "CommonJS");
  t.equal(await placeIn("names", "n.js"), "/node_modules/names/n.js:1", "a missing export");
});

t.test("nothing is said where nothing is found", async (t) => {
  const other = new SyntaxError("another one");
  t.equal(placeOfSyntaxError(other, "modules", join(folder, "a.ts")), undefined);
  t.equal(placeOfSyntaxError(other, "absent", join(folder, "a.ts")), undefined);
});
