import t from "tap";
import { findTimeMistakes } from "../../src/config/job-times.ts";

function mistakesIn(schedule: Record<string, { cron: string; timezone?: string }>): string[] {
  const jobs = Object.entries(schedule).map(([name, job]) => [name, { run: "a.ts", ...job }]);
  return findTimeMistakes(Object.fromEntries(jobs) as Parameters<typeof findTimeMistakes>[0]);
}

t.test("times that are none", (t) => {
  t.same(mistakesIn({ a: { cron: "*/5 * * * *" }, b: { cron: "0 0 3 * * MON" } }), []);
  t.same(mistakesIn({ a: { cron: "0 3 * * *", timezone: "Europe/Vienna" } }), []);
  t.match(mistakesIn({ a: { cron: "never" } }), [/^background\.schedule\.a: /]);
  t.match(mistakesIn({ a: { cron: "0 61 * * * *" } }), [/^background\.schedule\.a: /]);
  t.match(mistakesIn({ a: { cron: "0 0 30 2 *" } }), [/a: "0 0 30 2 \*" never matches a date/]);
  t.match(mistakesIn({ a: { cron: "0 3 * * *", timezone: "Mars/Olympus" } }), [/schedule\.a: /]);
  t.end();
});
