import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import t, { type Test } from "tap";
import { ExternalModules } from "../../src/loader/external.ts";
import { NodeFiles } from "../../src/loader/node-files.ts";

interface Project {
  /** Writes a file below the directory of the project. */
  write(path: string, text: string): void;
  /** Imports as a handler of the project does, and returns the error. */
  load(specifier: string): Promise<unknown>;
  /** A changed path, relative to the directory. */
  changed(): string | undefined;
  directory: string;
}

function open(t: Test, files: Record<string, string>): Project {
  const directory = t.testdir();
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  };
  for (const [path, text] of Object.entries(files)) write(path, text);
  const nodeFiles = new NodeFiles();
  t.teardown(() => nodeFiles.close());
  const externals = new ExternalModules({});
  return {
    directory,
    write,
    load: (specifier) =>
      externals.namespace({ specifier, importer: join(directory, "a.ts"), attributes: {} }).then(
        () => undefined,
        (error: unknown) => error,
      ),
    changed: () => nodeFiles.changed()?.slice(directory.length + 1),
  };
}

t.test("without a change there is none", async (t) => {
  const { load, changed } = open(t, {
    "node_modules/p/package.json": '{ "main": "lib.js" }',
    "node_modules/p/lib.js": 'try { require("optional"); } catch {}\nrequire("./more");',
    "node_modules/p/more.js": "",
  });
  t.equal(await load("p"), undefined);
  t.equal(await load("node:fs"), undefined);
  t.equal(changed(), undefined);
});

t.test("a file of a package, however deep", async (t) => {
  const { load, write, changed } = open(t, {
    "node_modules/p/package.json": '{ "type": "module", "exports": "./p.js" }',
    "node_modules/p/p.js": 'import "q";',
    "node_modules/q/index.js": 'require("./more");',
    "node_modules/q/package.json": "{}",
    "node_modules/q/more.js": "",
  });
  t.equal(await load("p"), undefined);
  write("node_modules/q/more.js", "// changed");
  t.equal(changed(), "node_modules/q/more.js");
});

for (const [before, message] of [
  ['{ "imports": { "#lib/*": "./one/*" } }', undefined],
  ["{}", /#lib\/x\.cjs.* is not defined in package/],
] as const) {
  t.test(`imports of package.json: ${before}`, async (t) => {
    const files = { "package.json": before, "one/x.cjs": "", "two/x.cjs": "" };
    const { load, write, changed } = open(t, files);
    t.match(await load("#lib/x.cjs"), message && { message });
    t.equal(changed(), undefined);
    write("package.json", '{ "imports": { "#lib/*": "./two/*" } }');
    t.equal(changed(), "package.json");
  });
}

t.test("a package that appears, nearer than the one in use as well", async (t) => {
  const { load, write, changed, directory } = open(t, {
    "node_modules/p/package.json": "{}",
    "node_modules/p/index.js": "",
  });
  const inner = join(directory, "inner/deep.js");
  write("inner/deep.js", "");
  createRequire(inner)("p");
  t.equal(changed(), undefined);
  write("inner/node_modules/p/package.json", "{}");
  t.equal(changed(), "inner/node_modules/p/package.json");
  t.match(await load("missing"), { message: /cannot find package/ });
});

t.test("a package that is installed slowly: each step counts", async (t) => {
  const steps: [string, string, string][] = [
    [
      "node_modules/slow/package.json",
      '{ "main": "./dist/main.js" }',
      "node_modules/slow/package.json",
    ],
    ["node_modules/slow/dist/main.js", 'require("./part")', "node_modules/slow"],
    ["node_modules/slow/dist/part.js", 'require("other")', "node_modules/slow/dist"],
    ["node_modules/other/package.json", "{}", "node_modules/other/package.json"],
    ["node_modules/other/index.js", "", "node_modules/other"],
  ];
  const files: Record<string, string> = {};
  for (const [path, text, expected] of steps) {
    await t.test(path, async (t) => {
      const { load, write, changed } = open(t, files);
      t.ok(await load("slow"), "not yet");
      t.equal(changed(), undefined);
      write(path, text);
      t.equal(changed(), expected);
    });
    files[path] = text;
  }
});

t.test("a link that leads elsewhere", async (t) => {
  const { load, write, changed, directory } = open(t, {
    "one/package.json": "{}",
    "one/index.js": "",
  });
  mkdirSync(join(directory, "node_modules"));
  symlinkSync("../one", join(directory, "node_modules/p"));
  t.equal(await load("p"), undefined);
  write("two/package.json", "{}");
  rmSync(join(directory, "node_modules/p"));
  symlinkSync("../two", join(directory, "node_modules/p"));
  t.equal(changed(), "node_modules/p/package.json");
});

t.test("a CommonJS file that was missing, with the extension that Node adds", async (t) => {
  const { load, write, changed, directory } = open(t, { "a.cjs": 'require("./b")' });
  t.ok(await load(join(directory, "a.cjs")), "not yet");
  write("b.js", "");
  t.equal(changed(), "", "its directory");
});
