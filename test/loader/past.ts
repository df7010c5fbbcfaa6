/** Several loaders as workers of one sidecar: a broken save leads all of them to the same version. */
import { rename, rm, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { prepareVersions, VersionStore } from "../../src/base/version-store.ts";
import { createLoader, type Loader, type LoaderOptions } from "../../src/loader/loader.ts";
import { Pasts } from "../../src/loader/past.ts";
import { answering, makeProject, type Project } from "../fixtures/loader/project.ts";
import { shortFolder } from "../fixtures/short-folder.ts";

interface Workers extends Project {
  /** A worker that starts now. */
  start(options?: LoaderOptions): Loader;
  ask(worker: Loader, name: string, exportName?: string): Promise<unknown>;
}

async function makeWorkers(t: Test, fingerprint = () => "1"): Promise<Workers> {
  const run = shortFolder(t);
  prepareVersions(run);
  const project = await makeProject(t);
  return {
    ...project,
    start(options = {}) {
      const pasts = new Pasts(new VersionStore(run, "main"), fingerprint);
      const worker = createLoader({ watch: false, ...options, pasts });
      t.teardown(() => worker.close());
      return worker;
    },
    async ask(worker, name, exportName = "handler") {
      const module = await worker.load(project.path(name), exportName);
      try {
        const call = module.exports[exportName] as (() => unknown) | undefined;
        return await call?.();
      } finally {
        module.release();
      }
    },
  };
}

const broken = "export const handler = () => ;";

t.test("a worker that missed a save falls back to it, and a new worker too", async (t) => {
  const { save, start, ask } = await makeWorkers(t);
  const [a, b] = [start(), start()];
  await save("x.ts", answering("v1"));
  t.same([await ask(a, "x.ts"), await ask(b, "x.ts")], ["v1", "v1"]);
  await save("x.ts", answering("v2"));
  t.equal(await ask(a, "x.ts"), "v2");
  await save("x.ts", broken);
  t.equal(await ask(b, "x.ts"), "v2", "it never loaded v2 while it was on the disk");
  t.equal(await ask(a, "x.ts"), "v2");
  const c = start();
  t.equal(await ask(c, "x.ts"), "v2");
  await save("x.ts", `${broken}// still`);
  t.same([await ask(a, "x.ts"), await ask(b, "x.ts"), await ask(c, "x.ts")], ["v2", "v2", "v2"]);
  await save("x.ts", answering("v3"));
  t.same([await ask(c, "x.ts"), await ask(b, "x.ts"), await ask(a, "x.ts")], ["v3", "v3", "v3"]);
});

t.test("a build is one: with its helpers, data and caught imports of then", async (t) => {
  const { save, path, start, ask } = await makeWorkers(t);
  const a = start();
  await save("h.ts", "export const text = 'helper 1';");
  await save("d.json", `{ "n": 1 }`);
  const main = (n: number): string => `
    import { text } from "./h.ts";
    import d from "./d.json" with { type: "json" };
    const more = await import("./more.ts").catch(() => ({ more: "none" }));
    export const handler = () => ["main ${n}", text, d.n, more.more].join();`;
  await save("x.ts", main(1));
  t.equal(await ask(a, "x.ts"), "main 1,helper 1,1,none");
  await rm(path("h.ts"));
  await save("d.json", `{ "n": 2 }`);
  await save("more.ts", "export const more = 'more';");
  await save("x.ts", main(2));
  await sleep(120);
  const b = start();
  t.equal(await ask(b, "x.ts"), "main 1,helper 1,1,none", "nothing of the new files");
  t.equal(await ask(a, "x.ts"), "main 1,helper 1,1,none");
  await save("h.ts", "export const text = 'helper 2';");
  t.equal(await ask(b, "x.ts"), "main 2,helper 2,2,more");
});

t.test("what a handler imports later belongs to its version", async (t) => {
  const { save, start, ask } = await makeWorkers(t);
  const a = start();
  await save("late.ts", "export const text = 'late 1';");
  await save(
    "x.ts",
    `export const handler = async () => "main 1 " + (await import("./late.ts")).text;`,
  );
  t.equal(await ask(a, "x.ts"), "main 1 late 1");
  await save("x.ts", broken);
  await save("late.ts", "export const text = 'late 2';");
  const b = start();
  t.equal(await ask(b, "x.ts"), "main 1 late 1");
  t.equal(await ask(a, "x.ts"), "main 1 late 1");
});

t.test("an undone save counts: the version that was there last", async (t) => {
  const { save, start, ask } = await makeWorkers(t);
  const [a, b] = [start(), start()];
  await save("x.ts", answering("v1"));
  t.same([await ask(a, "x.ts"), await ask(b, "x.ts")], ["v1", "v1"]);
  await save("x.ts", answering("v2"));
  t.equal(await ask(a, "x.ts"), "v2");
  await save("x.ts", answering("v1"));
  t.equal(await ask(b, "x.ts"), "v1", "its own text all the time");
  await save("x.ts", broken);
  t.same([await ask(a, "x.ts"), await ask(b, "x.ts")], ["v1", "v1"]);
});

t.test("a worker that fell back hears of a good version that was committed late", async (t) => {
  const { save, start, ask } = await makeWorkers(t);
  const [a, b] = [start(), start()];
  await save("x.ts", answering("v1"));
  t.same([await ask(a, "x.ts"), await ask(b, "x.ts")], ["v1", "v1"]);
  const gate = Promise.withResolvers<void>();
  const began = Promise.withResolvers<void>();
  Object.assign(globalThis, { pastGate: gate.promise, pastBegan: began.resolve });
  t.teardown(() =>
    ["pastGate", "pastBegan"].map((name) => Reflect.deleteProperty(globalThis, name)),
  );
  await save("x.ts", `globalThis.pastBegan(); await globalThis.pastGate; ${answering("v2")}`);
  const slow = ask(a, "x.ts");
  await began.promise;
  await save("x.ts", broken);
  t.equal(await ask(b, "x.ts"), "v1");
  gate.resolve();
  t.equal(await slow, "v2", "this request began with v2");
  t.equal(await ask(b, "x.ts"), "v2", "nothing has changed on the disk");
  t.equal(await ask(a, "x.ts"), "v2");
});

t.test("half a file is refused by a new worker, too", async (t) => {
  const { save, start, ask } = await makeWorkers(t);
  const a = start();
  await save("x.ts", answering("v1"));
  t.equal(await ask(a, "x.ts"), "v1");
  for (const half of ["", "const handler = 1;"]) {
    await save("x.ts", half);
    const b = start();
    t.equal(await ask(b, "x.ts"), "v1", JSON.stringify(half));
  }
});

t.test("a deleted handler is gone in all workers, and does not come back", async (t) => {
  const { save, path, start, ask } = await makeWorkers(t);
  const [a, b] = [start(), start()];
  await save("x.ts", answering("v1"));
  await save("other.ts", `export { handler } from "./x.ts";`);
  for (const worker of [a, b]) {
    t.same([await ask(worker, "x.ts"), await ask(worker, "other.ts")], ["v1", "v1"]);
  }
  await rename(path("x.ts"), path("aside.ts"));
  await sleep(150);
  await t.rejects(ask(a, "x.ts"), { code: "MODTS_HANDLER_DELETED", status: 404 });
  await t.rejects(ask(b, "x.ts"), { code: "MODTS_HANDLER_DELETED" }, "at its first look");
  t.equal(await ask(a, "other.ts"), "v1", "who imports it is broken, and serves what it had");
  t.equal(await ask(start(), "other.ts"), "v1");
  await t.rejects(ask(start(), "x.ts"), { code: "MODTS_HANDLER_DELETED" });
  await save("x.ts", broken);
  for (const worker of [a, b, start()]) {
    await t.rejects(ask(worker, "x.ts"), { code: "MODTS_BUILD_FAILED" }, "v1 was deleted");
  }
  await save("x.ts", answering("v2"));
  t.same([await ask(a, "x.ts"), await ask(b, "x.ts")], ["v2", "v2"]);
});

t.test("a worker that missed the deletion does not serve what was deleted", async (t) => {
  const { save, path, start, ask } = await makeWorkers(t);
  const [a, b] = [start(), start()];
  await save("x.ts", answering("v1"));
  t.same([await ask(a, "x.ts"), await ask(b, "x.ts")], ["v1", "v1"]);
  await rm(path("x.ts"));
  await sleep(120);
  await t.rejects(ask(a, "x.ts"), { code: "MODTS_HANDLER_DELETED" });
  await save("x.ts", broken);
  await t.rejects(ask(b, "x.ts"), { code: "MODTS_BUILD_FAILED" });
  await t.rejects(ask(a, "x.ts"), { code: "MODTS_BUILD_FAILED" });
});

t.test("two handlers of the past share a helper", async (t) => {
  const { save, start, ask } = await makeWorkers(t);
  const a = start();
  await save("h.ts", "let n = 0; export const next = () => ++n;");
  const using = `import { next } from "./h.ts"; export const handler = () => next();`;
  await save("x.ts", using);
  await save("y.ts", using);
  t.same([await ask(a, "x.ts"), await ask(a, "y.ts")], [1, 2]);
  await save("h.ts", "export const next = ;");
  const b = start();
  t.same([await ask(b, "x.ts"), await ask(b, "y.ts")], [1, 2]);
});

t.test("code of another version of mod_ts is compiled again", async (t) => {
  let version = "1";
  const { save, start, ask, path } = await makeWorkers(t, () => version);
  await save("x.ts", `export const handler = (): string => "v1";`);
  t.equal(await ask(start(), "x.ts"), "v1");
  await save("x.ts", broken);
  await writeFile(path("tsconfig.json"), "{ broken");
  t.equal(await ask(start(), "x.ts"), "v1", "its own compiled code, whatever tsconfig.json says");
  await rm(path("tsconfig.json"));
  version = "2";
  t.equal(await ask(start(), "x.ts"), "v1");
});

t.test("a version that cannot run any more is logged, and changes nothing", async (t) => {
  const { save, start, ask, log } = await makeWorkers(t);
  const [a, b] = [start(), start()];
  await save("x.ts", answering("v1"));
  t.same([await ask(a, "x.ts"), await ask(b, "x.ts")], ["v1", "v1"]);
  await save("x.ts", `if (globalThis.pastDown) throw new Error("down"); ${answering("v2")}`);
  t.equal(await ask(a, "x.ts"), "v2");
  Object.assign(globalThis, { pastDown: true });
  t.teardown(() => Reflect.deleteProperty(globalThis, "pastDown"));
  await save("x.ts", broken);
  t.equal(await ask(b, "x.ts"), "v1");
  await t.rejects(ask(start(), "x.ts"), { code: "MODTS_BUILD_FAILED" });
  t.match(
    log.find(({ message }) => message.includes("cannot be loaded")),
    { level: "warn" },
  );
});

t.test("a reload is told what other workers use and cannot be loaded any more", async (t) => {
  const { save, start, ask, path } = await makeWorkers(t);
  const old = start();
  for (const name of ["good.ts", "broken.ts", "deleted.ts"]) {
    await save(name, answering("v1"));
    t.equal(await ask(old, name), "v1");
  }
  await save("broken.ts", broken);
  await rm(path("deleted.ts"));
  const said = await start().verify(60_000);
  t.match(said, [{ code: "MODTS_BUILD_FAILED", message: /broken\.ts/, isServed: true }]);
  t.equal(said.length, 1, "a deleted handler is no mistake");
  t.same(await start().verify(-1), [], "not longer than it may take");
});
