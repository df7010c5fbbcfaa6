import t from "tap";
import { judgeBackground, resolveBackground } from "../../src/config/background.ts";

function mistakesIn(schedule: Record<string, { cron: string; timezone?: string }>): string[] {
  const mistakes: string[] = [];
  const jobs = Object.entries(schedule).map(([name, job]) => [name, { run: "a.ts", ...job }]);
  const config = resolveBackground({ schedule: Object.fromEntries(jobs) });
  judgeBackground(config, ["main"], mistakes);
  return mistakes;
}

t.test("defaults", (t) => {
  t.same(resolveBackground(undefined), { pool: "main", modules: [], schedule: {} });
  t.same(resolveBackground({ pool: "jobs" }).pool, "jobs");
  t.end();
});

t.test("times that are none", (t) => {
  t.same(mistakesIn({ a: { cron: "*/5 * * * *" }, b: { cron: "0 0 3 * * MON" } }), []);
  t.same(mistakesIn({ a: { cron: "0 3 * * *", timezone: "Europe/Vienna" } }), []);
  t.match(mistakesIn({ a: { cron: "never" } }), [/^background\.schedule\.a: /]);
  t.match(mistakesIn({ a: { cron: "0 61 * * * *" } }), [/^background\.schedule\.a: /]);
  t.match(mistakesIn({ a: { cron: "0 0 30 2 *" } }), [/a: "0 0 30 2 \*" never comes/]);
  t.match(mistakesIn({ a: { cron: "0 3 * * *", timezone: "Mars/Olympus" } }), [/schedule\.a: /]);
  t.end();
});

t.test("a pool that is none", (t) => {
  const mistakes: string[] = [];
  judgeBackground(resolveBackground({ pool: "jbs" }), ["main", "jobs"], mistakes);
  t.same(mistakes, ["background.pool: no pool jbs; expected one of main, jobs"]);
  t.end();
});
