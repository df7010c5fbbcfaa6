import t from "tap";
import { makeProject, type Project } from "../fixtures/loader/project.ts";
import { until } from "../fixtures/until.ts";

const left = ({ log }: Project): string[] =>
  log.filter(({ code }) => code === "MODTS_TIMER_LEFT").map(({ message }) => message);

/** A version is disposed of after the request that replaced it. */
const leaves = async (project: Project, pattern: RegExp): Promise<string[]> => {
  await until(() => left(project).join("\n"), pattern);
  return left(project);
};

/** A module whose interval is kept, so that the test can end it. */
const ticking = (more: string): string => `
import "./helper.ts";
const timers = ((globalThis as any).leftTimers ??= []);
timers.push(setInterval(() => {}, 60_000));
${more}
export const handler = () => {};`;

function clearAll(): void {
  const timers = (Reflect.get(globalThis, "leftTimers") ?? []) as NodeJS.Timeout[];
  for (const timer of timers.splice(0)) clearInterval(timer);
}

t.afterEach(clearAll);

t.test("an interval that a replaced version leaves behind is said, with its line", async (t) => {
  const project = await makeProject(t);
  await project.save("helper.ts", "");
  await project.save("a.ts", ticking("// v1"));
  await project.request("a.ts");
  t.same(left(project), [], "while the version serves");
  await project.save("a.ts", "export const handler = () => {};");
  await project.request("a.ts");
  t.match(await leaves(project, /a\.ts:4:13/), { length: 1 });
});

t.test("one of an import, and of a library that it calls", async (t) => {
  const project = await makeProject(t);
  await project.save(
    "node_modules/ticker/index.js",
    "exports.tick = () => setInterval(() => {}, 60_000);",
  );
  await project.save(
    "helper.ts",
    '\nimport { tick } from "ticker";\nawait null;\n((globalThis as any).leftTimers ??= []).push(tick());',
  );
  await project.save("a.ts", 'import "./helper.ts";\nexport const handler = () => {};');
  await project.request("a.ts");
  await project.save("helper.ts", "// nothing");
  await project.request("a.ts");
  t.match(await leaves(project, /helper\.ts was replaced.*helper\.ts:4:/), { length: 1 });
});

t.test("none that is cleared, is of a request, or ends with the process", async (t) => {
  const project = await makeProject(t);
  await project.save("helper.ts", "");
  await project.save("a.ts", ticking("export const dispose = () => clearInterval(timers.pop());"));
  await project.request("a.ts");
  await project.save(
    "a.ts",
    "export const handler = () => void ((globalThis as any).leftTimers ??= []).push(setInterval(() => {}, 60_000));",
  );
  await project.request("a.ts");
  await project.save("a.ts", "setTimeout(() => {}, 1); export const handler = () => {};");
  await project.request("a.ts");
  await project.save("a.ts", ticking("// v4"));
  await project.request("a.ts");
  await project.save("a.ts", ticking("// v5"));
  await project.request("a.ts");
  t.match(await leaves(project, /a\.ts/), { length: 1 }, "that of v4");
  await project.loader.close();
  t.match(left(project), { length: 1 });
});

t.test("one of a save that failed after it", async (t) => {
  const project = await makeProject(t);
  await project.save("helper.ts", "");
  await project.save("a.ts", ticking("throw new Error('late');"));
  await t.rejects(project.request("a.ts"));
  t.match(await leaves(project, /a\.ts:4:13/), { length: 1 });
});

t.test("a timer starts also where a library has broken the stacks", async (t) => {
  const project = await makeProject(t);
  await project.save(
    "a.ts",
    `const { prepareStackTrace } = Error;
Error.prepareStackTrace = () => { throw new Error("broken library"); };
try { setTimeout(() => {}, 1); } finally { Error.prepareStackTrace = prepareStackTrace; }
export const handler = () => 0;`,
  );
  t.equal(await project.request("a.ts"), 0);
});

/** Starts at its top level what the test stops by a flag; nothing else in the process has it. */
const renewing = (loop: string): string => `
import { setTimeout as sleep } from "node:timers/promises";
const run = ((globalThis as any).renewals ??= { stopped: false, count: 0 });
${loop}
export const handler = () => {};`;

const renewals = (): { stopped: boolean; count: number } => Reflect.get(globalThis, "renewals");

t.afterEach(() => {
  if (renewals()) renewals().stopped = true;
  Reflect.deleteProperty(globalThis, "renewals");
});

const loops: Record<string, string> = {
  "a timer that sets the next one":
    "const tick = () => { run.count += 1; if (!run.stopped) setTimeout(tick, 1); };\ntick();",
  "one that sets it after asynchronous work":
    "const tick = () => { run.count += 1; Promise.resolve().then(() => run.stopped || setTimeout(tick, 1)); };\nsetTimeout(tick, 1);",
  "a loop that sleeps":
    "const loop = async () => {\nwhile (!run.stopped) { await sleep(1); run.count += 1; } };\nvoid loop();",
};

for (const [name, loop] of Object.entries(loops)) {
  t.test(`${name}, of a replaced version, is said once`, async (t) => {
    const project = await makeProject(t);
    await project.save("a.ts", renewing(loop));
    await project.request("a.ts");
    await until(() => String(renewals().count), /^\d\d/);
    t.same(left(project), [], "while the version serves");
    await project.save("a.ts", "export const handler = () => {};");
    await project.request("a.ts");
    const [line] = await leaves(project, /a timer that renews itself .*a\.ts:[45]:\d+/);
    t.match(line, "a.ts was replaced");
    const { count } = renewals();
    await until(() => String(renewals().count > count + 10), "true");
    t.equal(left(project).length, 1);
  });
}

t.test("one that a package renews, started by two files", async (t) => {
  const project = await makeProject(t);
  await project.save(
    "node_modules/cron/index.js",
    "exports.start = (run) => { const tick = () => { run.count += 1; if (!run.stopped) setTimeout(tick, 1); }; tick(); };",
  );
  const starting = renewing('import { start } from "cron";\nstart(run);');
  await project.save("helper.ts", starting);
  await project.save("a.ts", `${starting}\nimport "./helper.ts";`);
  await project.request("a.ts");
  await project.save("helper.ts", "// nothing");
  await project.save("a.ts", 'import "./helper.ts";\nexport const handler = () => {};');
  await project.request("a.ts");
  t.match(await leaves(project, /a timer that renews itself .*(?:a|helper)\.ts:5:/), { length: 1 });
});

t.test(
  "none that ends by itself, is cleared, or belongs to a file that was not replaced",
  async (t) => {
    const project = await makeProject(t);
    await project.save(
      "helper.ts",
      renewing(
        "const tick = () => { run.count += 1; if (!run.stopped) setTimeout(tick, 1); };\ntick();",
      ),
    );
    const steps = (more: string): string => `
import "./helper.ts";
const later = (globalThis as any).later = setTimeout(() => setTimeout(() => (run.ended = true), 1), 1);
const run = (globalThis as any).renewals;
${more}`;
    await project.save("a.ts", steps("export const handler = () => {};"));
    await project.request("a.ts");
    await project.save("a.ts", 'import "./helper.ts";\nexport const handler = () => {};');
    await project.request("a.ts");
    await until(() => String(Reflect.get(renewals(), "ended")), "true");
    const { count } = renewals();
    await until(() => String(renewals().count > count + 20), "true");
    t.same(left(project), []);
  },
);
