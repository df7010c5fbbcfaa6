/** Guards of `TsModule` that no save may lose: in other pools, and after a restart. */
import { symlinkSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import t, { type Test } from "tap";
import { prepareVersions, VersionStore } from "../../src/base/version-store.ts";
import { GuardMarks } from "../../src/loader/guard-marks.ts";
import { createLoader, type Loader } from "../../src/loader/loader.ts";
import { Pasts } from "../../src/loader/past.ts";
import { makeProject, type Project } from "../fixtures/loader/project.ts";
import { shortFolder } from "../fixtures/short-folder.ts";
import { until } from "../fixtures/until.ts";

const asModule = "accessHandler|handler";
const guarded = "export const accessHandler = 1, handler = 1;";
const open = "export const handler = 2;";

interface Sidecar extends Project {
  readonly state: string;
  /** A worker that starts now. */
  start(pool: string): Loader;
  restart(): void;
  /** Exports of the module, or the code of its failure. */
  ask(worker: Loader, exportName: string): Promise<string>;
}

async function makeSidecar(t: Test): Promise<Sidecar> {
  const run = shortFolder(t);
  const state = shortFolder(t);
  prepareVersions(run);
  const project = await makeProject(t);
  return {
    ...project,
    state,
    start(pool) {
      const worker = createLoader({
        watch: false,
        pasts: new Pasts(new VersionStore(run, pool), () => "1"),
        guards: ["accessHandler"],
        guardMarks: new GuardMarks(join(state, "guards")),
      });
      t.teardown(() => worker.close());
      return worker;
    },
    restart: () => prepareVersions(run),
    async ask(worker, exportName) {
      try {
        const module = await worker.load(project.path("a.ts"), exportName);
        module.release();
        return Object.keys(module.exports).join();
      } catch (error) {
        return (error as { code: string }).code;
      }
    },
  };
}

t.test("another pool records no version without the guard", async (t) => {
  const { save, start, ask } = await makeSidecar(t);
  const [main, other] = [start("main"), start("other")];
  await save("a.ts", guarded);
  t.equal(await ask(other, "handler"), "accessHandler,handler");
  t.equal(await ask(main, asModule), "accessHandler,handler");
  await save("a.ts", open);
  t.equal(await ask(other, "handler"), "accessHandler,handler", "the version before");
  t.equal(await ask(start("main"), asModule), "accessHandler,handler", "in a new worker");
  await save("a.ts", `${guarded} // repaired`);
  t.equal(await ask(other, "handler"), "accessHandler,handler");
});

t.test("a guard that is requested later than the module", async (t) => {
  const { save, start, ask } = await makeSidecar(t);
  const [main, other] = [start("main"), start("other")];
  await save("a.ts", guarded);
  t.equal(await ask(main, "handler"), "accessHandler,handler");
  t.equal(await ask(main, asModule), "accessHandler,handler");
  await save("a.ts", open);
  t.equal(await ask(other, "handler"), "accessHandler,handler");
});

t.test("after a restart, a module that lost its guard does not serve", async (t) => {
  const { save, start, restart, ask, path, state } = await makeSidecar(t);
  await save("a.ts", guarded);
  t.equal(await ask(start("main"), asModule), "accessHandler,handler");
  await save("a.ts", open);
  restart();
  const main = start("main");
  t.equal(await ask(main, asModule), "MODTS_BUILD_FAILED");
  t.equal(await ask(start("other"), "handler"), "MODTS_BUILD_FAILED");
  await save("a.ts", guarded);
  t.equal(await ask(main, asModule), "accessHandler,handler");
  await rm(path("a.ts"));
  // Some editors delete and create.
  await until(() => ask(main, asModule), "MODTS_HANDLER_DELETED");
  await save("a.ts", open);
  t.equal(await ask(main, asModule), "MODTS_BUILD_FAILED", "deleted and half copied");
  await rm(new GuardMarks(join(state, "guards")).path(path("a.ts"), "accessHandler"));
  restart();
  t.equal(await ask(start("main"), asModule), "handler", "opened on purpose");
});

t.test("a guard that its section requires leaves no mark", async (t) => {
  const { save, start, restart, ask } = await makeSidecar(t);
  await save("a.ts", guarded);
  t.equal(await ask(start("guards"), "accessHandler"), "accessHandler,handler");
  await save("a.ts", open);
  restart();
  t.equal(await ask(start("main"), "handler"), "handler");
});

t.test("marks that cannot be read are taken for set", async (t) => {
  const { save, start, ask, state } = await makeSidecar(t);
  // As root may read everything, no permission stands in the way, but a loop.
  symlinkSync("guards", join(state, "guards"));
  await save("a.ts", open);
  t.equal(await ask(start("main"), asModule), "MODTS_BUILD_FAILED");
});

t.test("a directory that cannot be used is logged, and the module serves", async (t) => {
  const { save, start, ask, state, log } = await makeSidecar(t);
  writeFileSync(join(state, "guards"), "");
  await save("a.ts", guarded);
  t.equal(await ask(start("main"), asModule), "accessHandler,handler");
  t.match(
    log.find(({ message }) => message.includes("may lose its guard accessHandler")),
    { level: "warn" },
  );
});
