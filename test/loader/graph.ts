import { AsyncLocalStorage } from "node:async_hooks";
import t from "tap";
import { answering, makeProject, type Project } from "../fixtures/loader/project.ts";
import { until } from "../fixtures/until.ts";

const importing = (helper: string): string =>
  `import { x } from "${helper}"; export const handler = () => x;`;

/** Counts the runs of a module in a global that the test reads. */
const counting = (name: string, rest = ""): string =>
  `globalThis.runs ??= {}; globalThis.runs.${name} = (globalThis.runs.${name} ?? 0) + 1; ${rest}\nexport {};`;

const runs = (): Record<string, number> => Reflect.get(globalThis, "runs") as never;

t.beforeEach(() => void Reflect.deleteProperty(globalThis, "runs"));

t.test("a helper's edit reloads its importers and only them", async (t) => {
  const project = await makeProject(t);
  await project.save("h.ts", "export const x = 1;");
  await project.save("middle.ts", `export * from "./h.ts"; ${counting("middle")}`);
  await project.save("a.ts", `${importing("./middle.ts")} ${counting("a")}`);
  await project.save("b.ts", `${answering("b")} ${counting("b")}`);
  t.same([await project.request("a.ts"), await project.request("b.ts")], [1, "b"]);
  await project.save("h.ts", "export const x = 2;");
  t.same([await project.request("a.ts"), await project.request("b.ts")], [2, "b"]);
  t.same(runs(), { middle: 2, a: 2, b: 1 });
});

t.test("an import of types is none", async (t) => {
  const project = await makeProject(t);
  await project.save("types.ts", "export interface A { x: number }");
  await project.save(
    "a.ts",
    `import type { A } from "./types.ts"; import { A as B } from "./types.ts";
     export const handler = (a?: A, b?: B) => typeof a + typeof b; ${counting("a")}`,
  );
  await project.request("a.ts");
  await project.save("types.ts", "export interface A { y: number }");
  await project.request("a.ts");
  t.same(runs(), { a: 1 });
  t.match(project.loader.modules(), [{ file: project.path("a.ts") }]);
  t.equal(project.loader.modules().length, 1);
});

t.test("JSON is a module, with and without attribute", async (t) => {
  const project = await makeProject(t);
  await project.save("data.json", '{ "x": 1 }');
  await project.save(
    "a.ts",
    `import a from "./data.json" with { type: "json" }; import b from "./data"; export const handler = () => [a.x, a === b];`,
  );
  t.same(await project.request("a.ts"), [1, true]);
  await project.save("data.json", '{ "x": 2 }');
  t.same(await project.request("a.ts"), [2, true]);
  await project.save("data.json", '{\n  "x": }');
  const { failure } = await project.load("a.ts");
  t.match(failure?.cause, { file: project.path("data.json"), line: 2, column: 8 });
});

t.test("cycles, with live bindings and hoisting", async (t) => {
  const project = await makeProject(t);
  await project.save(
    "a.ts",
    `import { even } from "./b.ts"; export function odd(n: number): boolean { return n > 0 && even(n - 1); }
     export let count = 0; export function count1() { count++; } export const handler = () => [odd(7), count];`,
  );
  await project.save(
    "b.ts",
    `import { odd, count1 } from "./a.ts"; export function even(n: number): boolean { count1(); return n === 0 || odd(n - 1); }`,
  );
  t.same(await project.request("a.ts"), [true, 4]);
  await project.save(
    "b.ts",
    `import { odd } from "./a.ts"; export function even(n: number): boolean { return odd(n); }`,
  );
  t.same(await project.request("a.ts"), [false, 0]);
});

t.test(
  "import() is an edge, answers the same within a version, and tries again when it failed",
  async (t) => {
    const project = await makeProject(t);
    await project.save(
      "a.ts",
      `export const handler = async () => { const one = await import("./lazy.ts"), two = await import("./lazy.ts");
     return [one.x, one === two]; }; ${counting("a")}`,
    );
    await t.rejects(project.request("a.ts"), /cannot resolve "\.\/lazy\.ts"/);
    await project.save("lazy.ts", 'import { y } from "./deep.ts"; export const x = y;');
    await project.save("deep.ts", "export const y = 1;");
    t.same(await project.request("a.ts"), [1, true]);
    t.same(runs(), { a: 1 });
    t.equal(project.loader.modules().length, 3);
    await project.save("deep.ts", "export const y = 2;");
    t.same(await project.request("a.ts"), [2, true]);
    t.same(runs(), { a: 2 });
  },
);

t.test("import() at the top level: an optional module that appears later", async (t) => {
  const project = await makeProject(t);
  await project.save(
    "a.ts",
    `const { x } = await import("./optional.ts").catch(() => ({ x: "none" })); export const handler = () => x;`,
  );
  t.equal(await project.request("a.ts"), "none");
  await project.save("optional.ts", "export const x = ;");
  t.equal(await project.request("a.ts"), "none");
  await project.save("optional.ts", "export const x = 'there';");
  t.equal(await project.request("a.ts"), "there");
});

t.test(
  "import() of a module in use, awaited by a build: neither waits for the other",
  async (t) => {
    const project = await makeProject(t, { evaluateTimeout: 60_000 });
    await project.save("h.ts", `export const lazy = () => import("./lazy.ts");`);
    await project.save("lazy.ts", "export const x = 5;");
    await project.save("b.ts", `import "./h.ts"; ${answering("b")}`);
    await project.request("b.ts");
    await project.save(
      "a.ts",
      `import { lazy } from "./h.ts"; const { x } = await lazy(); export const handler = () => x;`,
    );
    t.equal(await project.request("a.ts"), 5);
    await project.save("lazy.ts", "export const x = 6;");
    t.equal(await project.request("a.ts"), 6);
    t.equal(await project.request("b.ts"), "b");
  },
);

t.test("a dependency that was removed from the code triggers nothing", async (t) => {
  const project = await makeProject(t);
  await project.save("h.ts", "export const x = 1;");
  await project.save("a.ts", importing("./h.ts"));
  await project.request("a.ts");
  await project.save("a.ts", `${answering("alone")} ${counting("a")}`);
  await project.request("a.ts");
  await project.save("h.ts", "export const x = ;");
  t.equal(await project.request("a.ts"), "alone");
  t.same(runs(), { a: 1 });
});

t.test("two handlers share one instance, also after an edit", async (t) => {
  const project = await makeProject(t);
  await project.save("h.ts", counter(0));
  for (const name of ["a.ts", "b.ts"]) {
    await project.save(name, `import { next } from "./h.ts"; export const handler = next;`);
  }
  t.same([await project.request("a.ts"), await project.request("b.ts")], [0, 1]);
  await project.save("h.ts", counter(100));
  t.same([await project.request("a.ts"), await project.request("b.ts")], [100, 101]);
  t.same(runs(), { h: 2 });
});

t.test("three requests at once to stale handlers that share a stale helper", async (t) => {
  const project = await makeProject(t);
  await project.save("h.ts", "export const x = 1;");
  const names = ["a.ts", "b.ts", "c.ts"];
  for (const name of names) await project.save(name, importing("./h.ts"));
  await Promise.all(names.map((name) => project.request(name)));
  await project.save("h.ts", `export const x = 2; await 0; ${counting("h")}`);
  t.same(
    await Promise.all([...names, ...names].map((name) => project.request(name))),
    Array(6).fill(2),
  );
  t.same(runs(), { h: 1 });
});

t.test("a broken handler does not block another that shares the edit", async (t) => {
  const project = await makeProject(t);
  await project.save("h.ts", "export const x = 1, y = 1;");
  await project.save("a.ts", importing("./h.ts"));
  await project.save("b.ts", `import { y } from "./h.ts"; export const handler = () => y;`);
  await Promise.all([project.request("a.ts"), project.request("b.ts")]);
  await project.save("h.ts", "export const x = 2;");
  t.equal(await project.request("b.ts"), 1, "the last good closure");
  t.equal(await project.request("a.ts"), 2);
});

t.test(
  "packages are Node's: loaded once, by the import condition, with named exports of CommonJS",
  async (t) => {
    const project = await makeProject(t);
    await makePackages(project);
    await project.save("local.cjs", "module.exports = { native: __filename };");
    for (let version = 0; version < 40; version++) {
      await project.save("a.ts", usingPackages(version));
      t.same(await project.request("a.ts"), ["import", 1, "cjs", true, "a/b", "import", version]);
    }
  },
);

t.test("the host answers its own specifiers, whatever is installed", async (t) => {
  const host = { OK: 0, marker: {} };
  const project = await makeProject(t, { builtins: { "mod-ts": host } });
  await project.save("node_modules/mod-ts/package.json", '{ "main": "x.js" }');
  await project.save("node_modules/mod-ts/x.js", "exports.marker = 'wrong';");
  await project.save(
    "a.ts",
    `import { marker } from "mod-ts"; export const handler = async () => [marker, (await import("mod-ts")).marker];`,
  );
  const [fixed, dynamic] = (await project.request("a.ts")) as unknown[];
  t.equal(fixed, host.marker);
  t.equal(dynamic, host.marker);
});

t.test("a package that is installed after the import failed", async (t) => {
  const project = await makeProject(t);
  await project.save("a.ts", `import { kind } from "dual"; export const handler = () => kind;`);
  await t.rejects(project.request("a.ts"), /cannot find package "dual", imported by .*a\.ts/);
  await makePackages(project);
  t.equal(await project.request("a.ts"), "import");
});

t.test("a top level does not see the store of the request that loads it", async (t) => {
  const store = new AsyncLocalStorage<string>();
  const project = await makeProject(t, {
    builtins: { store: { get: () => String(store.getStore()) } },
  });
  await project.save(
    "a.ts",
    `import { get } from "store"; const sync = get(); await 0; const later = get();
     const timer = await new Promise((resolve) => setTimeout(() => resolve(get()), 1));
     export const handler = async () => [sync, later, timer, get(), (await import("./lazy.ts")).sync];`,
  );
  await project.save("lazy.ts", `import { get } from "store"; export const sync = get();`);
  t.same(await store.run("mine", () => project.request("a.ts")), [
    "undefined",
    "undefined",
    "undefined",
    "mine",
    "undefined",
  ]);
});

t.test(
  "a deadline ends one build, and what was loaded for it is disposed of when it is done",
  async (t) => {
    const project = await makeProject(t, { evaluateTimeout: 200 });
    await project.save(
      "a.ts",
      `await new Promise((resolve) => setTimeout(resolve, 600)); export const dispose = () => { globalThis.runs = { late: 1 }; };`,
    );
    await t.rejects(project.request("a.ts"), { code: "MODTS_BUILD_TIMEOUT" });
    t.equal(runs(), undefined);
    const late = '{"late":1}';
    t.equal(await until(() => JSON.stringify(runs() ?? {}), late), late, "disposed of in the end");
  },
);

async function makePackages({ save }: Project): Promise<void> {
  await save(
    "node_modules/dual/package.json",
    '{ "exports": { "import": "./i.mjs", "require": "./r.cjs" } }',
  );
  await save(
    "node_modules/dual/i.mjs",
    "globalThis.loads = (globalThis.loads ?? 0) + 1; export const kind = 'import', count = globalThis.loads; delete globalThis.loads;",
  );
  await save("node_modules/dual/r.cjs", "exports.kind = 'require';");
  await save("node_modules/common/package.json", '{ "main": "c.js" }');
  await save("node_modules/common/c.js", "exports.named = 'cjs';");
}

function counter(version: number): string {
  return `let n = ${version}; export const next = () => n++; ${counting("h")}`;
}

/** Imports a package of each kind. */
function usingPackages(version: number): string {
  return `
    import { kind, count } from "dual"; import { named } from "common";
    import { native } from "./local.cjs"; import { join } from "node:path";
    export const handler = async () => [kind, count, named, native.endsWith("local.cjs"), join("a", "b"),
      (await import("dual")).kind, ${version}];`;
}

t.test("several import() of the same at once, awaited or not", async (t) => {
  const project = await makeProject(t);
  await project.save(
    "lazy.ts",
    `import { sep } from "node:path"; await 0; export const x = sep; ${counting("lazy")}`,
  );
  await project.save(
    "a.ts",
    `export const handler = async () => {
       void import("./deep.ts");
       const all = await Promise.all([1, 2, 3].map(() => import("./lazy.ts")));
       return new Set(all).size; };`,
  );
  await project.save("deep.ts", `export const deeper = () => import("./lazy.ts");`);
  t.equal(await project.request("a.ts"), 1);
  await project.save("b.ts", `void import("./deep.ts"); ${answering("b")}`);
  await project.request("b.ts");
  await project.save(
    "c.ts",
    `import { deeper } from "./deep.ts"; export const handler = async () => (await deeper()).x;`,
  );
  t.equal(await project.request("c.ts"), "/");
  t.same(runs(), { lazy: 1 });
});

const mistakes: Record<string, { hook: string; message: RegExp }> = {
  throws: { hook: "throw new RangeError('oh');", message: /oh/ },
  rejects: { hook: "return Promise.reject(new RangeError('oh'));", message: /oh/ },
  hangs: { hook: "return new Promise(() => {});", message: /20 ms/ },
};

for (const [name, { hook, message }] of Object.entries(mistakes)) {
  t.test(`a hook that ${name} is logged and stops nothing`, async (t) => {
    const project = await makeProject(t, { disposeTimeout: 20 });
    await project.save("h.ts", "export const dispose = (state) => { state.done = true; };");
    await project.save("a.ts", `import "./h.ts"; export function dispose() { ${hook} }`);
    await project.load("a.ts").then((module) => module.release());
    await project.save("a.ts", answering("next"));
    t.equal(await project.request("a.ts"), "next");
    const errorsOf = () => project.log.filter(({ level }) => level === "error");
    await until(() => String(errorsOf().length), "1");
    const errors = errorsOf();
    t.match(errors, [{ message: /dispose of .*a\.ts failed/, error: { message } }]);
    t.equal(project.loader.modules().length, 1);
  });
}

t.test("an export of that name that is no function means nothing", async (t) => {
  const project = await makeProject(t);
  await project.save("a.ts", "export const dispose = 1;");
  await project.load("a.ts").then((module) => module.release());
  await project.loader.close();
  t.same(project.log, []);
});

t.test("hooks run outside of the request that lets the version go", async (t) => {
  const store = new AsyncLocalStorage<string>();
  const seen: unknown[] = [];
  const project = await makeProject(t, {
    builtins: { probe: { see: () => seen.push(store.getStore()) } },
  });
  await project.save("a.ts", `import { see } from "probe"; export const dispose = () => see();`);
  const module = await project.load("a.ts");
  await project.save("a.ts", answering("next"));
  await project.request("a.ts");
  store.run("mine", () => module.release());
  await until(() => String(seen.length), "1");
  t.same(seen, [undefined]);
});
