import { execFile } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import t from "tap";
import type { LoadedModule } from "../../src/loader/loader.ts";
import { answering, makeProject } from "../fixtures/loader/project.ts";

const call = (module: LoadedModule): unknown => (module.exports["handler"] as () => unknown)();

/** A handler that writes in a global when it is disposed of. */
const disposable = (name: string, rest = ""): string =>
  `${answering(name)} export async function dispose(state) { (globalThis.gone ??= []).push("${name}"); ${rest} }`;

const gone = (): unknown => Reflect.get(globalThis, "gone") ?? [];

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
    await sleep(5);
    t.same(gone(), ["one"]);
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
    await sleep(5);
    t.same(gone(), ["a1"], "the other handler is still on the old one");
    await project.request("b.ts");
    await sleep(5);
    t.same(gone(), ["a1", "b1", "h1"]);
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
  await sleep(5);
  t.same(gone(), ["h2"]);
});

t.test("state goes from version to version, before dispose of the old one", async (t) => {
  const project = await makeProject(t);
  for (const version of [1, 2, 3]) {
    await project.save("a.ts", remembering(version));
    await project.request("a.ts");
    await sleep(5);
  }
  t.same(await project.request("a.ts"), ["load 1", "load 2", "dispose 1", "load 3", "dispose 2"]);
});

t.test("many reloads leave nothing behind in a heap of 64 MB", { timeout: 110_000 }, async (t) => {
  const count = process.env["MOD_TS_RELOADS"] ?? "2000";
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
  t.ok((growth ?? Infinity) < 3_000_000, `${growth} bytes`);
  t.equal(alive, 2);
  t.ok((disposed ?? 0) >= Number(count), `${disposed} versions were disposed of`);
});

function remembering(version: number): string {
  return `
    import.meta.state.seen = [...(import.meta.state.seen ?? []), "load ${version}"];
    export const handler = () => import.meta.state.seen;
    export const dispose = (state) => state.seen.push("dispose ${version}");`;
}
