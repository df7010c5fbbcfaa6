/** Modules and jobs that no request asks for: in each worker, and in one at a time. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { handlerFiles } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { modTs } from "../fixtures/mod-ts.ts";
import { until } from "../fixtures/until.ts";

const apache = await startApache(t, {
  conf: "<Location /test-page>\nUse TsHandler mod_ts/test-page\n</Location>",
  handlers: handlerFiles("background"),
  files: { "events.txt": "" },
  config: {
    pools: { main: { workers: 2 }, jobs: { workers: 2 } },
    preload: ["preloaded.ts"],
    background: {
      pool: "jobs",
      modules: ["worker.ts"],
      schedule: { often: { cron: "* * * * * *", run: "worker.ts" } },
    },
  },
});

/** Lines `what pid`, in order. */
const events = (): string => readFileSync(join(apache.folder, "events.txt"), "utf8");
const linesOf = (what: string): string[] =>
  events()
    .split("\n")
    .filter((line) => line.startsWith(`${what} `));
const pidsOf = (what: string): Set<string> =>
  new Set(linesOf(what).map((line) => line.slice(what.length + 1)));

t.test("preloaded in every worker, before any request", async (t) => {
  await until(() => `${pidsOf("preloaded").size} workers`, "4 workers");
  t.equal(linesOf("preloaded").length, 4);
});

t.test("one worker does the work", async (t) => {
  await until(() => `${linesOf("job").length > 2}`, "true");
  t.equal(pidsOf("began").size, 1);
  t.same(pidsOf("job"), pidsOf("began"));
});

t.test("a reload hands it over", async (t) => {
  const [before = ""] = pidsOf("began");
  t.match(await modTs("reload", apache.folder), { code: 0 });
  await until(() => `${pidsOf("began").size} workers`, "2 workers");
  const after = [...pidsOf("began")].at(-1) ?? "";
  await until(events, `job ${after}\n`);
  const late = events().slice(events().indexOf(`began ${after}`));
  t.notMatch(late, ` ${before}\n`, "the last one has ended before");
  t.match(events(), `ended ${before}\nbegan ${after}\n`);
});

t.test("that of a killed worker goes to its successor", async () => {
  const before = [...pidsOf("began")].at(-1) ?? "";
  process.kill(Number(before), "SIGKILL");
  await until(() => `${pidsOf("began").size} workers`, "3 workers");
  await until(events, `job ${[...pidsOf("began")].at(-1)}\n`);
});

t.test("a broken preloaded module is said at a reload, and stops nothing", async (t) => {
  apache.write("handlers/preloaded.ts", "not a program");
  t.match(await modTs("reload", apache.folder), { stderr: /preloaded\.ts/ });
  t.equal((await apache.request("/test-page")).status, 200);
});
