import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import t from "tap";
import { ExternalModules, packageDirectories } from "../../src/loader/external.ts";

const folder = await realpath(await mkdtemp(join(tmpdir(), "mod-ts-external-")));
t.teardown(() => rm(folder, { recursive: true }));
const files: Record<string, string> = {
  "node_modules/p/package.json": '{ "exports": { "import": "./p.mjs" } }',
  "node_modules/p/p.mjs": "export const where = 'outer'; export default 1;",
  "deep/node_modules/p/package.json": '{ "exports": { "import": "./p.mjs" } }',
  "deep/node_modules/p/p.mjs": "export const where = 'inner'; export default 1;",
  "node_modules/broken/package.json": '{ "exports": "./b.mjs" }',
  "node_modules/broken/b.mjs": "throw new RangeError('inside');",
  "node_modules/syntax/package.json": '{ "type": "module", "exports": "./s.js" }',
  "node_modules/syntax/s.js": "\nexport const s = ;",
  "pnpm/pnpm-lock.yaml": "",
  "pnpm/lib/a.ts": "",
  "yarn/yarn.lock": "",
  "yarn/lib/a.ts": "",
  "yarn/npm/package-lock.json": "",
  "pnp/.pnp.cjs": "",
  "pnp/yarn.lock": "",
  "node_modules/manifest/package.json": "{",
  "node_modules/needy/package.json": '{ "exports": "./n.mjs" }',
  "node_modules/needy/n.mjs": "import 'not-installed';",
};
for (const [name, text] of Object.entries(files)) {
  await mkdir(dirname(join(folder, name)), { recursive: true });
  await writeFile(join(folder, name), text);
}

const request = (specifier: string, importer = "a.ts") => ({
  specifier,
  importer: join(folder, importer),
  attributes: {},
  source: `\nimport "${specifier}";`,
});

t.test("a package is the one that the importer's folder sees", async (t) => {
  const externals = new ExternalModules({});
  t.match(await externals.namespace(request("p")), { where: "outer", default: 1 });
  t.match(await externals.namespace(request("p", "deep/a.ts")), { where: "inner" });
  t.equal(await externals.namespace(request("node:path")), await import("node:path"));
});

t.test("one module for a folder and specifier", async (t) => {
  const externals = new ExternalModules({});
  const module = await externals.module(request("p"));
  t.equal(await externals.module(request("p", "b.ts")), module);
  t.not(await externals.module(request("p", "deep/a.ts")), module);
  await module.evaluate();
  t.match(module.namespace, { where: "outer", default: 1 });
});

t.test("what the host answers is never looked for", async (t) => {
  const host = { marker: {} };
  const externals = new ExternalModules({ p: host });
  t.equal(await externals.namespace(request("p")), host);
  const module = (await externals.imported(request("p"))) as { namespace: typeof host };
  t.equal(module.namespace.marker, host.marker);
  t.match(await externals.imported(request("node:os")), { EOL: String });
});

t.test("errors name package, importer and line", async (t) => {
  const externals = new ExternalModules({});
  await t.rejects(externals.namespace(request("nope")), {
    message: `cannot find package "nope", imported by ${join(folder, "a.ts")}; run npm install nope, then mod-ts reload (${join(folder, "a.ts")}:2:9)`,
    line: 2,
  });
  await t.rejects(
    new ExternalModules({}, true).namespace(request("@scope/nope/deep")),
    /run npm install @scope\/nope \(/,
  );
  for (const [directory, advice] of Object.entries({
    "pnpm/lib": /; run pnpm add nope, then mod-ts reload /,
    "yarn/lib": /; run yarn add nope, then mod-ts reload /,
    "yarn/npm": /; run npm install nope, then mod-ts reload /,
    pnp: /; with Plug'n'Play, start mod-ts with yarn, such as yarn mod-ts dev /,
  })) {
    await t.rejects(externals.namespace(request("nope", `${directory}/a.ts`)), advice);
  }
  await t.rejects(externals.namespace(request("@/lib/hash")), /use "imports" of package\.json/);
  await t.rejects(externals.namespace(request("broken")), /"broken" failed: RangeError: inside/);
  await t.rejects(externals.namespace(request("needy")), /"needy" failed: .*'not-installed'/);
  const ofSyntax = new RegExp(`"syntax" failed: ${folder}.*/syntax/s\\.js:2:\\d+: SyntaxError: `);
  await t.rejects(externals.namespace(request("syntax")), ofSyntax);
  const failure: unknown = await externals.namespace(request("manifest")).catch((error) => error);
  const { message, cause } = failure as Error;
  t.match(message, `from ${join(folder, "a.ts")}. (`);
  t.match(cause, { message: `from ${join(folder, "a.ts")}.`, stack: /a\.ts/ });
});

t.test("where a package would be installed", (t) => {
  t.same(packageDirectories("@a/b/c", "/x/y/z.ts"), [
    "/x/y/node_modules/@a/b/package.json",
    "/x/node_modules/@a/b/package.json",
    "/node_modules/@a/b/package.json",
  ]);
  t.end();
});
