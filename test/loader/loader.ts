import { appendFile, mkdir, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { reloadChannel, type ReloadRecord } from "../../src/base/channels.ts";
import { ModTsError } from "../../src/base/errors.ts";
import type { CompiledCode } from "../../src/loader/compile.ts";
import { createLoader } from "../../src/loader/loader.ts";
import { answering, makeProject, type Project } from "../fixtures/loader/project.ts";

t.test("the next request after a save is fresh, however it is saved", async (t) => {
  const kinds: Record<string, (project: Project, text: string) => Promise<void>> = {
    "in place": ({ path }, text) => writeFile(path("a.ts"), text),
    "temporary file and rename": async ({ path }, text) => {
      await writeFile(path("a.tmp"), text);
      await rename(path("a.tmp"), path("a.ts"));
    },
    "backup copy, as vim does": async ({ path }, text) => {
      await rename(path("a.ts"), path("a.ts~"));
      await writeFile(path("a.ts"), text);
      await rm(path("a.ts~"));
    },
    "unlink and create": async ({ path }, text) => {
      await rm(path("a.ts"));
      await writeFile(path("a.ts"), text);
    },
  };
  for (const watch of [false, true, { poll: 20 }]) {
    for (const [kind, write] of Object.entries(kinds)) {
      t.test(`${kind}, watch ${JSON.stringify(watch)}`, async (t) => {
        const project = await makeProject(t, { watch });
        await project.save("a.ts", answering("v0"));
        t.equal(await project.request("a.ts"), "v0");
        for (let version = 1; version <= 10; version++) {
          // Same size, same inode for the first kind: only the time tells.
          await write(project, answering(`v${version % 10}`));
          await setImmediate();
          t.equal(await project.request("a.ts"), `v${version % 10}`);
        }
      });
    }
  }
});

t.test("of two saves in quick succession the second is the one that is served", async (t) => {
  const project = await makeProject(t, { watch: true });
  await project.save("a.ts", answering("none"));
  await project.request("a.ts");
  for (const gap of [3, 10, 25, 45]) {
    await project.save("a.ts", answering(`first ${gap}`));
    t.equal(await project.request("a.ts"), `first ${gap}`);
    await sleep(gap);
    await project.save("a.ts", answering(`second ${gap}`));
    t.equal(await project.request("a.ts"), `second ${gap}`);
  }
});

t.test("a writer that truncates and pauses is never served half done", async (t) => {
  const project = await makeProject(t, { watch: true });
  const file = project.path("a.ts");
  // A file may be unfinished for 100 ms: an attempt that a busy machine held up for longer says nothing.
  for (let attempt = 1; ; attempt += 1) {
    await project.save("a.ts", `export const padding = 1;\n${answering(`old ${attempt}`)}`);
    t.equal(await project.request("a.ts"), `old ${attempt}`);
    const seen = new Set<unknown>();
    const ask = async (): Promise<void> => void seen.add(await project.request("a.ts"));
    const begin = performance.now();
    await truncate(file, 0);
    for (let turn = 0; turn < 10; turn += 1) await sleep(1).then(ask);
    await appendFile(file, "export const padding = 2;\n");
    for (let turn = 0; turn < 10; turn += 1) await sleep(1).then(ask);
    const isQuick = performance.now() - begin < 100;
    await appendFile(file, answering(`new ${attempt}`));
    t.equal(await project.request("a.ts"), `new ${attempt}`);
    if (isQuick) return t.same([...seen], [`old ${attempt}`], "the old version until the end");
  }
});

t.test("an answer that needs no build comes at once", async (t) => {
  const project = await makeProject(t);
  await project.save("a.ts", answering("a"));
  const first = project.loader.load(project.path("a.ts"));
  t.ok(first instanceof Promise);
  (await first).release();
  for (let turn = 0; turn < 3; turn++) {
    await sleep(15);
    const next = project.loader.load(project.path("a.ts"));
    t.notOk(next instanceof Promise);
    (await next).release();
  }
});

t.test("a folder behind a swapped symlink is served anew", async (t) => {
  const project = await makeProject(t);
  await project.save(
    "releases/1/a.ts",
    `import { x } from "./h.ts"; export const handler = () => x;`,
  );
  await project.save("releases/1/h.ts", "export const x = 1;");
  await mkdir(project.path("releases/2"));
  const { linkSync } = await import("node:fs");
  // rsync --link-dest: unchanged files of two releases are one inode, so no stat tells them apart.
  linkSync(project.path("releases/1/a.ts"), project.path("releases/2/a.ts"));
  await project.save("releases/2/h.ts", "export const x = 2;");
  await symlink("releases/1", project.path("current"));
  t.equal(await project.request("current/a.ts"), 1);
  await symlink("releases/2", project.path("next"));
  await rename(project.path("next"), project.path("current"));
  await setImmediate();
  t.equal(await project.request("current/a.ts"), 2);
});

t.test("new, deleted and renamed handlers", async (t) => {
  const project = await makeProject(t);
  await t.rejects(project.request("a.ts"), { code: "MODTS_BUILD_FAILED", message: /a\.ts/ });
  t.throws(() => project.loader.load(project.path("a.ts")), { code: "MODTS_BUILD_FAILED" });
  await project.save("a.ts", answering("a"));
  t.equal(await project.request("a.ts"), "a");
  await rename(project.path("a.ts"), project.path("b.ts"));
  await setImmediate();
  t.equal(await project.request("b.ts"), "a");
  t.equal(await project.request("a.ts"), "a", "for a moment: some editors delete and create");
  await sleep(120);
  await t.rejects(project.request("a.ts"), { code: "MODTS_HANDLER_DELETED" });
  t.throws(() => project.loader.load(project.path("a.ts")), { code: "MODTS_HANDLER_DELETED" });
  await project.save("a.ts", answering("again"));
  t.equal(await project.request("a.ts"), "again");
});

t.test("a helper that appears after the import of it failed", async (t) => {
  const project = await makeProject(t);
  await project.save("a.ts", `import { x } from "./h"; export const handler = () => x;`);
  await t.rejects(project.request("a.ts"), /cannot resolve "\.\/h" .*a\.ts:1/);
  await project.save("h/index.ts", "export const x = 'here';");
  t.equal(await project.request("a.ts"), "here");
  await project.save("h.ts", "export const x = 'nearer';");
  t.equal(await project.request("a.ts"), "nearer");
});

t.test("a save that lost an export in use", async (t) => {
  const project = await makeProject(t);
  await project.save("a.ts", answering("a"));
  t.equal(await project.request("a.ts"), "a");
  await project.save("a.ts", "export const other = 1;");
  const kept = await project.load("a.ts", "handler");
  t.match(kept.failure, { message: /lost its export "handler"/ });
  t.ok("handler" in kept.exports);
  kept.release();
  const never = await project.load("b.ts").catch((error: unknown) => error);
  t.match(never, { code: "MODTS_BUILD_FAILED" });
  await project.save("b.ts", "export const other = 1;");
  const without = await project.load("b.ts", "handler");
  t.notOk("handler" in without.exports, "no version had it: the caller says so");
  t.equal(without.failure, undefined);
  without.release();
});

t.test("one of several exports in use will do", async (t) => {
  const project = await makeProject(t);
  const names = async (text: string): Promise<unknown> => {
    await project.save("a.ts", text);
    const module = await project.load("a.ts", "handler|default");
    module.release();
    return module.failure?.message.replace(/.*it has/, "") ?? Object.keys(module.exports).join();
  };
  t.equal(await names("export const other = 1;"), "other");
  t.equal(await names("export const handler = 1;"), "handler");
  t.equal(await names("export default 1;"), "default");
  t.match(await names("const text = 1;"), / lost its export "default", which is in use/);
  t.equal(await names("export const handler = 2;"), "handler");
});

t.test("a guard that was requested is never lost", async (t) => {
  const project = await makeProject(t, { guards: ["accessHandler"] });
  const failureOf = async (names: string): Promise<unknown> => {
    const module = await project.load("a.ts", names);
    module.release();
    t.ok("accessHandler" in module.exports);
    return module.failure?.message;
  };
  const guarded = "export const accessHandler = 1, fixupHandler = 1;";
  await project.save("a.ts", guarded);
  t.equal(await failureOf("accessHandler|fixupHandler"), undefined);
  await project.save("a.ts", "export const fixupHandler = 1;");
  t.match(await failureOf("accessHandler|fixupHandler"), /lost its export "accessHandler"/);
  await project.save("a.ts", "export const accessHandler = 2;");
  t.equal(await failureOf("accessHandler|fixupHandler"), undefined);
});

t.test("a guard that nobody requests may go", async (t) => {
  const project = await makeProject(t, { guards: ["accessHandler"] });
  await project.save("a.ts", "export const accessHandler = 1, handler = 1;");
  (await project.load("a.ts", "handler")).release();
  await project.save("a.ts", "export const handler = 1;");
  const module = await project.load("a.ts", "handler");
  t.equal(module.failure, undefined);
  t.strictSame(Object.keys(module.exports), ["handler"]);
  module.release();
});

t.test("a version that is retained outlives its request", async (t) => {
  const project = await makeProject(t);
  const disposing = (name: string): string =>
    `${answering(name)} export const dispose = () => (globalThis.disposed ??= []).push("${name}");`;
  const disposed = (): unknown => Reflect.get(globalThis, "disposed");
  await project.save("a.ts", disposing("one"));
  const first = await project.load("a.ts");
  const letGo = first.retain();
  first.release();
  await project.save("a.ts", disposing("two"));
  t.equal(await project.request("a.ts"), "two");
  await setImmediate();
  t.equal(disposed(), undefined);
  letGo();
  letGo();
  await setImmediate();
  t.strictSame(disposed(), ["one"]);
});

const mistakes: Record<string, { text: string; line: number; reason: RegExp; code?: string }> = {
  "bad syntax": { text: "export const x = 1;\nlet = ;", line: 2, reason: /SyntaxError/ },
  "syntax that only V8 minds": { text: "\nexport const x = /(/;", line: 2, reason: /regular/ },
  "export of nothing": { text: "\nexport { x };", line: 2, reason: /x/ },
  "missing file": { text: 'export const x = 1;\nimport "./no.ts";', line: 2, reason: /no\.ts/ },
  "missing package": {
    text: 'export const x = 1;\nimport "no-such-pkg";',
    line: 2,
    reason: /"no-such-pkg", imported by .*h\.ts/,
  },
  "throw at top level": {
    text: "interface A {}\nexport const x = 1;\nthrow new RangeError('oh');",
    line: 3,
    reason: /RangeError: oh/,
  },
  "rejected await": {
    text: "type A = 1;\nexport const x = 1;\nawait Promise.reject(new Error('oh'));",
    line: 3,
    reason: /oh/,
  },
  "await without end": {
    text: "export const x = 1;\nawait new Promise(() => {});",
    line: 2,
    reason: /2000 ms/,
    code: "MODTS_BUILD_TIMEOUT",
  },
  "loop without end": {
    text: "export const x = 1;\nwhile (true) {}",
    line: 2,
    reason: /2000 ms/,
    code: "MODTS_BUILD_TIMEOUT",
  },
};

for (const [name, { text, line, reason, code }] of Object.entries(mistakes)) {
  t.test(`${name}: the last good version serves, and the error names file and line`, async (t) => {
    // Time enough for what does load.
    const project = await makeProject(t, { evaluateTimeout: code ? 2000 : 60_000 });
    await project.save("a.ts", `import { x } from "./h.ts"; export const handler = () => x;`);
    await project.save("h.ts", "export const x = 0;");
    await project.save("b.ts", answering("b"));
    t.equal(await project.request("a.ts"), 0);
    await project.save("h.ts", text);
    const held = await project.load("a.ts", "handler");
    t.equal((held.exports["handler"] as () => unknown)(), 0);
    t.match(held.failure, { code: code ?? "MODTS_BUILD_FAILED", message: reason });
    t.match(held.failure?.cause, { name: "BuildError", file: project.path("h.ts"), line });
    held.release();
    t.notOk(
      project.loader.load(project.path("a.ts")) instanceof Promise,
      "not built at each request",
    );
    t.equal(await project.request("b.ts"), "b", "another handler is not blocked");
    t.equal(project.log.filter(({ level }) => level === "error").length, 1);
    await project.save("h.ts", "export const x = 2;");
    t.equal(await project.request("a.ts"), 2);
    t.equal((await project.load("a.ts")).failure, undefined);
  });
}

t.test("a name that is not exported: the importer is at fault", async (t) => {
  const project = await makeProject(t);
  await project.save("h.ts", "export const y = 1;");
  await project.save("a.ts", `import { y } from "./h.ts";\nimport { x } from "./h.ts";\nx;y;`);
  const error: unknown = await project.load("a.ts").catch((reason: unknown) => reason);
  t.ok(error instanceof ModTsError);
  t.match((error as ModTsError).cause, { file: project.path("a.ts"), line: 2, column: 10 });
});

t.test("a mistake that is taken back needs no build", async (t) => {
  const project = await makeProject(t);
  await project.save("a.ts", answering("a"));
  t.match(await project.load("a.ts"), { generation: 1, failure: undefined });
  await project.save("a.ts", "export const = ;");
  t.match(await project.load("a.ts"), { generation: 1, failure: Error });
  await project.save("a.ts", answering("a"));
  t.match(await project.load("a.ts"), { generation: 1, failure: undefined });
});

t.test("a request that comes during a build sees what was saved before it came", async (t) => {
  const project = await makeProject(t);
  await project.save("a.ts", slow("first"));
  const first = project.request("a.ts");
  await sleep(10);
  await project.save("a.ts", slow("second"));
  t.equal(await project.request("a.ts"), "second");
  t.equal(await first, "first");
});

t.test("with manual freshness, a process stays at the version that it began with", async (t) => {
  const project = await makeProject(t, { freshness: "manual" });
  await project.save("a.ts", answering("1"));
  await project.request("a.ts");
  await project.save("a.ts", answering("2"));
  t.equal(await project.request("a.ts"), "1");
});

t.test("the watcher warms up, and tells of errors, without a request", async (t) => {
  const project = await makeProject(t, { watch: true });
  await project.save("a.ts", `import { x } from "./h.ts"; export const handler = () => x;`);
  await project.save("h.ts", "export const x = 1;");
  await project.request("a.ts");
  const changes: ReloadRecord[] = [];
  const listen = (change: unknown): void => void changes.push(change as ReloadRecord);
  reloadChannel.subscribe(listen);
  t.teardown(() => reloadChannel.unsubscribe(listen));
  const saveUntilHeard = async (text: string, heard: number): Promise<void> => {
    // The watcher may still be starting: a save more does not change what is tested.
    for (let turn = 0; changes.length < heard && turn < 100; turn++) {
      await project.save("h.ts", `${text}// ${turn}`);
      await sleep(100);
    }
  };
  await saveUntilHeard("export const x = ;", 1);
  t.match(changes[0], { generation: 1, error: { code: "MODTS_BUILD_FAILED" } });
  changes.length = 0;
  await saveUntilHeard("export const x = 2;", 1);
  t.match(changes[0], { generation: 2, error: undefined });
  t.equal(await project.request("a.ts"), 2);
});

t.test("what the test page shows", async (t) => {
  const project = await makeProject(t);
  await project.save("a.ts", `import { x } from "./h.ts"; export const handler = () => x;`);
  await project.save("h.ts", "export const x = 1;");
  const { loader, path } = project;
  t.same(loader.modules(), []);
  await project.request("a.ts");
  await project.save("h.ts", "export const x = 2;");
  await project.request("a.ts");
  t.match(loader.modules(), [{ file: path("a.ts") }, { file: path("h.ts") }]);
  await project.save("a.ts", "export const = 2;");
  await project.request("a.ts");
  t.match(loader.modules(), [
    { file: path("a.ts"), generation: 2, loadedAt: Number, failure: Error },
    { file: path("h.ts"), generation: 2, loadedAt: Number },
  ]);
});

t.test("a loader without handlers closes", async () => {
  await createLoader().close();
});

function slow(text: string): string {
  return `await new Promise((resolve) => setTimeout(resolve, 30));\n${answering(text)}`;
}

t.test("a module tells which of its exports are its own", async (t) => {
  const project = await makeProject(t);
  await project.save("h.ts", "export const helper = 1;");
  await project.save("data.json", "{}");
  await project.save("a.ts", 'export { helper } from "./h.ts"; export const own = 1;');
  const module = await project.load("a.ts");
  t.strictSame([...module.declared], ["own"]);
  t.ok("helper" in module.exports);
  module.release();
  const json = await project.load("data.json");
  t.equal(json.declared.size, 0);
  json.release();
});

t.test(
  "a module of another language is asked about wherever it is imported, and compiled once for all processes",
  async (t) => {
    const kept = new Map<string, CompiledCode>();
    const asked: string[] = [];
    const project = await makeProject(t, {
      watch: false,
      languages: { ".shout": (_file, source) => ({ code: source.toLowerCase(), columns: [] }) },
      approve: (file) => {
        asked.push(basename(file));
        if (file.endsWith("bad.shout")) throw new Error("not here");
      },
      cache: {
        get: (file, source) => kept.get(file + source),
        set: (file, source, compiled) => void kept.set(file + source, compiled),
      },
    });
    await project.save("good.shout", "EXPORT CONST TEXT = 'GOOD';");
    await project.save("bad.shout", "EXPORT CONST TEXT = 'BAD';");
    await project.save(
      "a.ts",
      `import { text } from "./good.shout";\n${answering("${text}").replaceAll('"', "`")}`,
    );
    t.equal(await project.request("a.ts"), "good");
    t.same(asked, ["a.ts", "good.shout"]);
    t.equal(kept.size, 1, "TypeScript itself is not kept");
    await project.save("b.ts", 'import "./bad.shout";');
    await t.rejects(project.request("b.ts"), /cannot load \S+b\.ts: not here \(\S+b\.ts:1:9\)/);
    await project.save(
      "c.ts",
      'export const handler = () => import("./bad.shout").then(String, String);',
    );
    t.match(await project.request("c.ts"), /not here/);
  },
);

t.test(
  "the digest of a module follows its imports, and is the same for the same texts",
  async (t) => {
    const project = await makeProject(t);
    await project.save("deep.ts", "export const a = 1;");
    await project.save("shared.ts", 'export * from "./deep.ts";');
    await project.save("a.ts", 'import { a } from "./shared.ts";\nexport const handler = () => a;');
    const digest = async (): Promise<string> => {
      const module = await project.load("a.ts");
      module.release();
      return module.digest;
    };
    const first = await digest();
    await project.save("deep.ts", "export const a = 2;");
    t.not(await digest(), first);
    await project.save("deep.ts", "export const a = 1;");
    t.equal(await digest(), first);
  },
);
