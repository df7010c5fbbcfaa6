import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Test } from "tap";
import t from "tap";
import type { ConfigAnswer } from "../../src/config/config-file.ts";
import { shortFolder } from "../fixtures/short-folder.ts";

function start() {
  return fork(join(import.meta.dirname, "../../src/config/config-child.ts"), [], {
    execArgv: ["--experimental-vm-modules", "--disable-warning=ExperimentalWarning"],
    serialization: "advanced",
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
}

async function evaluate(t: Test, text: string): Promise<ConfigAnswer> {
  const folder = shortFolder(t, { "mod-ts.config.ts": text });
  const child = start();
  const ended = once(child, "exit");
  const answer = once(child, "message") as Promise<[ConfigAnswer]>;
  child.send(join(folder, "mod-ts.config.ts"));
  const [[message]] = await Promise.all([answer, ended]);
  t.equal(child.exitCode, 0, "ends once it has answered");
  return message;
}

t.test("the default export comes back as data, in spite of an open timer", async (t) => {
  const text = "setInterval(() => {}, 1000); export default { keepAlive: 7 };";
  t.same(await evaluate(t, text), { input: { keepAlive: 7 } });
});

t.test("mistakes come back instead of what is not data", async (t) => {
  const answer = await evaluate(t, "export default { keepAlive: () => 7 };");
  t.match(answer, { mistakes: [/keepAlive/] });
});

t.test("times of jobs that are none come back as mistakes, all at once", async (t) => {
  const schedule = {
    good: { cron: "*/5 * * * *" },
    seconds: { cron: "0 0 3 * * MON" },
    zoned: { cron: "0 3 * * *", timezone: "Europe/Vienna" },
    words: { cron: "never" },
    minute: { cron: "0 61 * * * *" },
    date: { cron: "0 0 30 2 *" },
    zone: { cron: "0 3 * * *", timezone: "Mars/Olympus" },
  };
  const jobs = Object.entries(schedule).map(([name, job]) => [name, { run: "a.ts", ...job }]);
  const background = { schedule: Object.fromEntries(jobs) as unknown };
  const answer = await evaluate(t, `export default ${JSON.stringify({ background })};`);
  const { mistakes } = answer as { mistakes: string[] };
  t.equal(mistakes.length, 4, "those that are times have no mistake");
  t.match(mistakes[0], /^background\.schedule\.words: /);
  t.match(mistakes[1], /^background\.schedule\.minute: /);
  t.match(mistakes[2], /date: "0 0 30 2 \*" never matches a date/);
  t.match(mistakes[3], /schedule\.zone: /);
});

t.test("a failure names what was thrown", async (t) => {
  const answer = await evaluate(t, 'throw new Error("on purpose");');
  t.match(answer, { failure: /on purpose/ });
});

t.test("the process ends with its parent, even before a question", async (t) => {
  const child = start();
  await once(child, "spawn");
  child.disconnect();
  const [code] = (await once(child, "exit")) as [number | null];
  t.not(code, null, "it exits by itself");
});
