import { symlink } from "node:fs/promises";
import t, { type Test } from "tap";
import { findOwnSource, isOnlyAsked, resolvePackage } from "../../src/loader/packages.ts";
import { NodeFiles } from "../../src/loader/node-files.ts";
import { makeProject, type Project } from "../fixtures/loader/project.ts";

/** A project with the package `shared` of its workspace, as npm links it. */
async function makeWorkspace(t: Test, main = "./src/index.tsx"): Promise<Project> {
  const project = await makeProject(t);
  const manifest = { name: "shared", type: "module", exports: { import: main } };
  await project.save("packages/shared/package.json", JSON.stringify(manifest));
  await project.save("node_modules/plain/index.ts", "");
  await project.save("node_modules/plain/package.json", '{ "main": "index.ts" }');
  await symlink("../packages/shared", project.path("node_modules/shared"));
  return project;
}

t.test("TypeScript outside of node_modules is the author's, all else is Node's", async (t) => {
  const project = await makeWorkspace(t);
  await project.save("packages/shared/src/index.tsx", "");
  await project.save(
    "packages/shared/package.json",
    '{ "exports": { ".": "./src/index.tsx", "./js": "./a.js" } }',
  );
  await project.save("packages/shared/a.js", "");
  const importer = project.path("a.ts");
  t.equal(findOwnSource("shared", importer), project.path("packages/shared/src/index.tsx"));
  for (const name of [
    "shared/js",
    "plain",
    "none",
    "node:fs",
    "fs",
    "data:text/javascript,",
    "./a.ts",
  ]) {
    t.equal(findOwnSource(name, importer), undefined, name);
  }
});

t.test("a question is none after it failed", (t) => {
  t.throws(() => resolvePackage("none", "/a.ts"));
  t.notOk(isOnlyAsked());
  t.end();
});

t.test("a package of the workspace is compiled and reloaded", async (t) => {
  const nodeFiles = new NodeFiles();
  t.teardown(() => nodeFiles.close());
  const project = await makeWorkspace(t);
  const shared = (word: string): string =>
    `import { part } from "./part";
     enum Size { small = "${word}" }
     export const size = Size.small + part;
     export const view = () => <b />;`;
  await project.save("packages/shared/src/part.ts", 'export const part: string = "-1";');
  const jsx = "/** @jsxImportSource ./jsx */\n";
  await project.save(
    "packages/shared/src/jsx/jsx-runtime.ts",
    "export const jsx = (tag: string) => tag;",
  );
  await project.save("packages/shared/src/index.tsx", jsx + shared("v1"));
  await project.save(
    "a.ts",
    `import { size, view } from "shared";
     export const handler = async () => [size, view(), (await import("shared")).size];`,
  );
  t.same(await project.request("a.ts"), ["v1-1", "b", "v1-1"]);
  await project.save("packages/shared/src/index.tsx", jsx + shared("v2"));
  t.same(await project.request("a.ts"), ["v2-1", "b", "v2-1"]);
  await project.save("packages/shared/src/part.ts", 'export const part: string = "-2";');
  t.same(await project.request("a.ts"), ["v2-2", "b", "v2-2"]);
  t.equal(nodeFiles.changed(), undefined, "no new process is needed");
});

t.test("imports of package.json lead to files of the author", async (t) => {
  const project = await makeProject(t);
  await project.save("package.json", '{ "imports": { "#lib/*": "./lib/*" } }');
  await project.save("lib/x.ts", "export enum X { a = 1 }");
  await project.save("a.ts", 'import { X } from "#lib/x.ts";\nexport const handler = () => X.a;');
  t.equal(await project.request("a.ts"), 1);
  await project.save("lib/x.ts", "export enum X { a = 2 }");
  t.equal(await project.request("a.ts"), 2);
});

t.test("a package that appears later", async (t) => {
  const project = await makeProject(t);
  const main = 'import { x } from "late";\nexport const handler = () => x;';
  await project.save("a.ts", main);
  await t.rejects(project.request("a.ts"), { code: "MODTS_BUILD_FAILED" });
  await project.save("packages/late/index.ts", "export enum E { a = 7 }\nexport const x = E.a;");
  await project.save("packages/late/package.json", '{ "type": "module", "exports": "./index.ts" }');
  await project.save("node_modules/other.txt", "");
  await symlink("../packages/late", project.path("node_modules/late"));
  t.equal(await project.request("a.ts"), 7);
});
