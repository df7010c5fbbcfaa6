import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import t, { type Test } from "tap";
import { Background, preload } from "../../src/background/background.ts";
import type { Jobs } from "../../src/background/schedule.ts";
import { LockedRow } from "../../src/base/locked-row.ts";
import { ModTsError } from "../../src/base/errors.ts";
import { makeProject, type Project } from "../fixtures/loader/project.ts";
import { until } from "../fixtures/until.ts";

/** Says what happens to it. */
const worker = (version: string): string => `
  const events = (globalThis as any).backgroundEvents as string[];
  events.push("${version} began");
  export const dispose = () => void events.push("${version} ended");`;

const events: string[] = [];
Reflect.set(globalThis, "backgroundEvents", events);
t.beforeEach(() => void events.splice(0));

function start(project: Project, modules = ["worker.ts"], schedule: Jobs = {}): Background {
  return new Background({
    modules,
    schedule,
    dutyFile: project.path("state/background.db"),
    resolve: async (name) => {
      if (name.startsWith("un")) throw new Error("EACCES: permission denied");
      if (name.startsWith("no"))
        throw new ModTsError("MODTS_HANDLER_NOT_FOUND", { file: name, roots: "" });
      return project.load(name);
    },
    unload: (file) => project.loader.unload(file),
  });
}

const takeDuty = (file: string) => LockedRow.open(file, "duty", ["until"]);

const seen = (pattern: string) => until(() => events.join(", "), pattern);

t.test("one worker at a time: the next one begins when the last has ended", async (t: Test) => {
  const projects = [await makeProject(t), await makeProject(t)] as const;
  for (const [index, project] of projects.entries())
    await project.save("worker.ts", worker(`${index}`));
  const [first, second] = projects;
  const one = start(first);
  await seen("0 began");
  const two = start({ ...second, path: first.path });
  await one.stop();
  await seen("1 began");
  t.same(events, ["0 began", "0 ended", "1 began"]);
  await two.stop();
  t.same(events.at(-1), "1 ended");
});

t.test("a save replaces the version that runs", async (t) => {
  const project = await makeProject(t);
  await project.save("worker.ts", worker("v1"));
  const background = start(project);
  t.teardown(() => background.stop());
  await seen("v1 began");
  await project.save("worker.ts", worker("v2"));
  await seen("v1 ended");
  t.same(events, ["v1 began", "v2 began", "v1 ended"]);
});

t.test("a missing module is logged once, and keeps nothing from running", async (t) => {
  const project = await makeProject(t);
  await project.save("worker.ts", worker("v1"));
  const background = start(project, ["none.ts", "unreadable.ts", "worker.ts"]);
  await seen("v1 began");
  await project.save("worker.ts", worker("v2"));
  await seen("v2 began");
  await background.stop();
  t.same(project.log.filter(({ code }) => code === "MODTS_HANDLER_NOT_FOUND").length, 1);
  const unreadable = project.log.filter(({ code }) => code === "MODTS_MODULE_UNAVAILABLE");
  t.match(unreadable, [{ message: /unreadable\.ts cannot be loaded: Error: EACCES/ }]);
});

t.test("a file for the duty that is no database", async (t) => {
  const project = await makeProject(t);
  await project.save("state/background.db", "x".repeat(5000));
  const background = start(project);
  await until(() => project.log.map(({ code }) => code).join(" "), "MODTS_BACKGROUND_FILE");
  await background.stop();
  t.same(events, []);
});

t.test("a full disk keeps no job from running, and the duty is handed over", async (t) => {
  const project = await makeProject(t);
  const dutyFile = project.path("state/background.db");
  (await takeDuty(dutyFile))?.close();
  const database = new DatabaseSync(dutyFile);
  database.exec(
    "CREATE TRIGGER full BEFORE INSERT ON duty BEGIN SELECT RAISE(FAIL, 'disk is full'); END",
  );
  database.close();
  await project.save("worker.ts", worker("v1"));
  await project.save("job.ts", "export const job = () => void backgroundEvents.push('job ran');");
  const everySecond = { cron: "* * * * * *", run: "job.ts" };
  const background = start(project, ["worker.ts"], { tick: everySecond });
  await seen("job ran");
  await background.stop();
  t.equal(events.at(-1), "v1 ended");
  const next = await takeDuty(dutyFile);
  t.ok(next, "another worker may have it");
  next?.close();
  const reports = project.log.filter(({ code }) => code === "MODTS_BACKGROUND_FILE");
  t.match(reports, [{ message: /disk is full/ }], "reported once");
});

t.test("a worker that is killed has noted until when it worked", async (t) => {
  const project = await makeProject(t);
  await project.save("worker.ts", worker("v1"));
  const background = start(project);
  t.teardown(() => background.stop());
  await seen("v1 began");
  // What a kill would leave: nobody else can open the file.
  copyFileSync(project.path("state/background.db"), project.path("state/copy.db"));
  const left = await takeDuty(project.path("state/copy.db"));
  t.type(left?.read()?.until, "number");
  left?.close();
});

t.test("preload loads what it can, and returns what is broken", async (t) => {
  const project = await makeProject(t);
  writeFileSync(join(project.folder, "good.ts"), worker("good"));
  writeFileSync(join(project.folder, "bad.ts"), "syntax error");
  const broken = await preload(["bad.ts", "unreadable.ts", "good.ts"], async (name) => {
    if (name === "unreadable.ts") throw new Error("EACCES: permission denied");
    return project.load(name);
  });
  t.same(events, ["good began"]);
  t.match(broken, [
    { code: "MODTS_BUILD_FAILED", message: /bad\.ts/, isServed: false },
    { code: "MODTS_MODULE_UNAVAILABLE", message: /unreadable\.ts/, isServed: false },
  ]);
});
