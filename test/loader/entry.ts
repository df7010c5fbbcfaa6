import { execFile } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import t from "tap";
import { reloadChannel, type ReloadRecord } from "../../src/base/channels.ts";
import { answering, makeProject } from "../fixtures/loader/project.ts";
import { until } from "../fixtures/until.ts";
import type { LoadedModule } from "../../src/loader/loader.ts";

t.test("each rebuild, good or bad, is published and logged in one line", async (t) => {
  const records: ReloadRecord[] = [];
  const listen = (record: unknown): void => void records.push(record as ReloadRecord);
  reloadChannel.subscribe(listen);
  t.teardown(() => reloadChannel.unsubscribe(listen));
  const project = await makeProject(t);
  const entry = project.path("a.ts");
  await project.save("h.ts", "export {};");
  await project.save("a.ts", `import "./h.ts"; ${answering("a")}`);
  await project.request("a.ts");
  t.same(records, [], "a first load is no reload");
  await project.save("h.ts", "export const x = 1;");
  await project.request("a.ts");
  await project.save("h.ts", "export const x = ;");
  await project.request("a.ts");
  await project.request("a.ts");
  t.match(records, [
    { entry, generation: 2, changed: [project.path("h.ts")], duration: Number },
    {
      entry,
      generation: 2,
      changed: [project.path("h.ts")],
      error: { code: "MODTS_BUILD_FAILED" },
    },
  ]);
  t.equal(records.length, 2);
  t.match(project.log, [
    { level: "notice", message: /a\.ts reloaded, version 2, [\d.]+ ms, changed: .*h\.ts$/ },
    {
      level: "error",
      code: "MODTS_BUILD_FAILED",
      message: /h\.ts:1:18\); version 2 keeps serving$/,
      error: { name: "BuildError" },
    },
  ]);
});

t.test("a touch rebuilds nothing", async (t) => {
  const project = await makeProject(t);
  await project.save("a.ts", answering("a"));
  await project.request("a.ts");
  await project.save("a.ts", answering("a"));
  const module = await project.load("a.ts");
  t.equal(module.generation, 1);
  module.release();
  t.same(project.log, []);
});

t.test("two paths to one file are two entries of one instance", async (t) => {
  const { symlink } = await import("node:fs/promises");
  const project = await makeProject(t);
  await project.save("a.ts", "let n = 0; export const handler = () => n++;");
  await symlink("a.ts", project.path("b.ts"));
  t.same([await project.request("a.ts"), await project.request("b.ts")], [0, 1]);
  await project.save("a.ts", "let n = 10; export const handler = () => n++;");
  t.same([await project.request("b.ts"), await project.request("a.ts")], [10, 11]);
});

t.test(
  "an export that was never there cannot be lost, however often it is asked for",
  async (t) => {
    const project = await makeProject(t);
    const load = async (name: string): Promise<number> => {
      const module = await project.load("a.ts", name);
      module.release();
      return module.generation;
    };
    await project.save("a.ts", "export const a = 1;");
    t.equal(await load("a"), 1);
    t.equal(await load("b"), 1);
    await project.save("a.ts", "export const a = 1, b = 2;");
    t.equal(await load("a"), 2);
    await project.save("a.ts", "export const a = 1;");
    t.equal(await load("a"), 3, "nobody has asked for b since it was there");
  },
);

const call = (module: LoadedModule): unknown => (module.exports["handler"] as () => unknown)();

/** A handler that writes in a global when it is disposed of. */
const disposable = (name: string, rest = ""): string =>
  `${answering(name)} export async function dispose(state) { (globalThis.gone ??= []).push("${name}"); ${rest} }`;

const gone = (): string[] => (Reflect.get(globalThis, "gone") as string[] | undefined) ?? [];

/** Waits until exactly these were disposed of, in this order. */
const areGone = (...names: string[]): Promise<string> =>
  until(() => gone().join(" "), new RegExp(`^${names.join(" ")}$`));

t.beforeEach(() => void Reflect.deleteProperty(globalThis, "gone"));

t.test(
  "a request finishes on the version it began with, and dispose waits for the last one",
  async (t) => {
    const project = await makeProject(t);
    await project.save("a.ts", disposable("one"));
    const first = await project.load("a.ts");
    const second = await project.load("a.ts");
    await project.save("a.ts", disposable("two"));
    const third = await project.load("a.ts");
    t.same([call(first), call(second), call(third)], ["one", "one", "two"]);
    t.same([first.generation, third.generation], [1, 2]);
    first.release();
    first.release();
    await sleep(5);
    t.same(gone(), [], "a second release of the same hold counts for nothing");
    t.equal(project.loader.modules().length, 2);
    second.release();
    t.ok(await areGone("one"), "the last release of the version");
    t.equal(project.loader.modules().length, 1);
    third.release();
    await project.loader.close();
    t.same(gone(), ["one", "two"]);
  },
);

t.test(
  "a shared helper is disposed of when the last handler has left it, after its importers",
  async (t) => {
    const project = await makeProject(t);
    await project.save("h.ts", disposable("h1"));
    await project.save("a.ts", `import "./h.ts"; ${disposable("a1")}`);
    await project.save("b.ts", `import "./h.ts"; ${disposable("b1")}`);
    await Promise.all([project.request("a.ts"), project.request("b.ts")]);
    await project.save("h.ts", disposable("h2"));
    await project.request("a.ts");
    t.ok(await areGone("a1"), "the other handler is still on the old one");
    await project.request("b.ts");
    t.ok(await areGone("a1", "b1", "h1"), "the helper after both of its importers");
  },
);

t.test("what a failed build loaded is disposed of", async (t) => {
  const project = await makeProject(t);
  await project.save("h.ts", disposable("h1"));
  await project.save("a.ts", `import "./h.ts"; ${answering("a")}`);
  await project.request("a.ts");
  await project.save("h.ts", disposable("h2"));
  await project.save("a.ts", `import "./h.ts"; throw new Error("oh");`);
  t.equal(await project.request("a.ts"), "a");
  t.ok(await areGone("h2"), "the helper of the build that failed");
});

t.test("state goes from version to version, before dispose of the old one", async (t) => {
  const project = await makeProject(t);
  for (const version of [1, 2, 3]) {
    await project.save("a.ts", remembering(version));
    const seen = async (): Promise<string> => String(await project.request("a.ts"));
    await until(seen, version === 1 ? "load 1" : `dispose ${version - 1}`);
  }
  t.same(await project.request("a.ts"), ["load 1", "load 2", "dispose 1", "load 3", "dispose 2"]);
});

t.test("many reloads leave nothing behind in a heap of 64 MB", { timeout: 280_000 }, async (t) => {
  const count = process.env["MOD_TS_RELOADS"] ?? "400";
  const { stdout } = await promisify(execFile)(process.execPath, [
    "--experimental-vm-modules",
    "--disable-warning=ExperimentalWarning",
    "--max-old-space-size=64",
    "--expose-gc",
    join(import.meta.dirname, "../fixtures/loader/reload-many.ts"),
    count,
  ]);
  t.comment(stdout);
  const { growth, disposed, alive } = JSON.parse(stdout) as Record<string, number>;
  const limit = 1500 * Number(count);
  t.ok((growth ?? Infinity) < limit, `the heap grew by ${growth} bytes, less than ${limit}`);
  t.equal(alive, 2, "the handler and its helper are all that is loaded");
  t.ok((disposed ?? 0) >= Number(count), `${disposed} versions were disposed of`);
});

t.test("after a hundred reloads the heap is collected", { timeout: 280_000 }, async (t) => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    "--experimental-vm-modules",
    "--disable-warning=ExperimentalWarning",
    join(import.meta.dirname, "../fixtures/loader/reload-and-collect.ts"),
  ]);
  const [global, inContext, left] = JSON.parse(stdout) as [boolean, string, number];
  t.same([global, inContext], [false, "undefined"], "and handlers cannot collect");
  t.ok(left <= 4 * 1024 ** 2, `${left} bytes are left for new objects`);
});

function remembering(version: number): string {
  return `
    import.meta.state.seen = [...(import.meta.state.seen ?? []), "load ${version}"];
    export const handler = () => import.meta.state.seen;
    export const dispose = (state) => state.seen.push("dispose ${version}");`;
}
