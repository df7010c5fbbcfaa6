import t from "tap";
import { compile } from "../../src/loader/compile.ts";
import { isJson, ModuleRecord } from "../../src/loader/module-record.ts";

const record = (file: string, text: string): ModuleRecord =>
  new ModuleRecord({
    file,
    text,
    compiled: isJson(file) ? undefined : compile(file, text),
    state: {},
    fillMeta: (meta, self) => Object.assign(meta, { file: self.file }),
    importDynamic: (self, specifier) => Promise.reject(new Error(`${self.file} ${specifier}`)),
  });

t.test("a module links, runs once, and tells what it imports", async (t) => {
  const helper = record("/h.ts", "export const x: number = 1;");
  const main = record(
    "/a.ts",
    `import { x } from "./h"; export const y = x, m = import.meta.file;`,
  );
  t.match(main.requests, [{ specifier: "./h" }]);
  t.throws(() => main.link(), /not ready to link: \.\/h/);
  main.edges.set("./h", { file: "/h.ts", target: helper });
  helper.link();
  main.link();
  t.notOk(main.isEvaluated);
  await main.evaluate(1000);
  await main.evaluate(1000);
  t.ok(helper.isEvaluated);
  t.notOk(await main.isWaiting());
  t.match(main.module.namespace, { y: 1, m: "/a.ts" });
});

t.test("import() finds the record again", async (t) => {
  const main = record("/a.ts", `export const lazy = () => import("./lazy");`);
  main.link();
  await main.evaluate(1000);
  const { lazy } = main.module.namespace as { lazy: () => Promise<unknown> };
  await t.rejects(lazy(), /\/a\.ts \.\/lazy/);
});

t.test("what only V8 minds has a place where the source tells one", (t) => {
  t.throws(() => record("/a.ts", "let a;\nlet x = /[/;"), {
    name: "BuildError",
    message: /:2:9\)$/,
  });
  t.throws(() => record("/a.ts", "let a;\nexport { nope };"), {
    name: "BuildError",
    message: /:2:10\)$/,
  });
  t.end();
});

t.test("JSON, good and bad", async (t) => {
  const data = record("/a.json", '\uFEFF{ "a": [1] }');
  t.same(data.requests, []);
  data.link();
  await data.evaluate(1000);
  t.same((data.module.namespace as { default: unknown }).default, { a: [1] });
  t.throws(() => record("/a.json", '{\n "a": nope }'), { name: "BuildError" });
  t.throws(() => record("/a.json", '{ "a": 1,, "long enough to have a position": 2 }'), {
    name: "BuildError",
    message: /:1:10\)$/,
  });
  t.throws(() => record("/a.json", ""), { name: "BuildError", file: "/a.json" });
  t.end();
});

t.test("a top level that waits, and one that never yields", async (t) => {
  // V8 may crash when the limit ends a top level that would have waited: not so short as to do that.
  const waiting = record("/a.ts", "await new Promise(() => {});");
  waiting.link();
  await t.rejects(waiting.evaluate(200), { name: "DeadlineError" });
  t.ok(await waiting.isWaiting());
  const loop = record("/b.ts", "while (true) {}");
  loop.link();
  await t.rejects(loop.evaluate(200), { name: "DeadlineError" });
});
