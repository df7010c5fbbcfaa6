import t from "tap";
import { reloadChannel, type ReloadRecord } from "../../src/channels.ts";
import { answering, makeProject } from "../fixtures/loader/project.ts";

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
    { level: "notice", message: /a\.ts reloaded, generation 2, [\d.]+ ms, changed: .*h\.ts$/ },
    {
      level: "error",
      code: "MODTS_BUILD_FAILED",
      message: /h\.ts:1:18\); generation 2 goes on serving$/,
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
