import { spawn } from "node:child_process";
import t, { type Test } from "tap";
import { activityOf, Silence } from "../../src/supervisor/silence.ts";
import { until } from "../fixtures/until.ts";

function started(test: Test, script: string): number {
  const child = spawn(process.execPath, ["-e", script]);
  test.teardown(() => child.kill("SIGKILL"));
  return child.pid ?? 0;
}

/** A process that is stopped. */
async function stopped(test: Test): Promise<number> {
  const pid = started(test, "setInterval(() => {}, 3600000)");
  process.kill(pid, "SIGSTOP");
  await until(() => activityOf(pid), "stopped");
  return pid;
}

function silenceOf(pid: number): { silence: Silence; told: string[]; tick: (ms: number) => void } {
  const told: string[] = [];
  const silence = new Silence({
    pid,
    onExpiring: () => told.push("expiring"),
    onRecovered: () => told.push("recovered"),
    onExpired: (reason) => told.push(reason),
  });
  let now = 0;
  return { silence, told, tick: (ms) => silence.tick((now += ms)) };
}

t.test("a process that is stopped, idle or busy", async (t) => {
  await stopped(t);
  const idle = started(t, "setInterval(() => {}, 3600000)");
  await until(() => activityOf(idle), "idle");
  const busy = started(t, "for (;;);");
  await until(() => activityOf(busy), "running");
  t.equal(activityOf(0), "running", "unknown is not silent");
});

t.test("a stopped worker is given up, with time for a successor", async (t) => {
  const { told, tick } = silenceOf(await stopped(t));
  for (let second = 1; second <= 2; second += 1) tick(1000);
  t.same(told, []);
  tick(1000);
  tick(1000);
  t.same(told, ["expiring"], "once");
  tick(1000);
  t.same(told, ["expiring", "stopped and silent for 5 s"]);
});

t.test("a worker that is heard again stays", async (t) => {
  const { silence, told, tick } = silenceOf(await stopped(t));
  for (let second = 1; second <= 4; second += 1) tick(1000);
  silence.hear();
  silence.hear();
  t.teardown(() => silence.stop());
  t.same(told, ["expiring", "recovered"]);
});

t.test("a second in which a worker was heard does not count", async (t) => {
  const { silence, told, tick } = silenceOf(await stopped(t));
  silence.hear();
  t.teardown(() => silence.stop());
  for (let second = 1; second <= 5; second += 1) tick(100);
  t.same(told, ["expiring"]);
  tick(100);
  t.same(told, ["expiring", "stopped and silent for 5 s"]);
});

t.test("no time counts in which this process or the worker waits for a processor", async (t) => {
  const late = silenceOf(await stopped(t));
  for (let turn = 1; turn <= 100; turn += 1) late.tick(1600);
  t.same(late.told, [], "this process has its turn too late");
  const busy = started(t, "for (;;);");
  await until(() => activityOf(busy), "running");
  const loaded = silenceOf(busy);
  for (let second = 1; second <= 29; second += 1) loaded.tick(1000);
  t.same(loaded.told, [], "the worker is ready to run");
});

t.test("an idle worker has more time: it may wait for a disk", async (t) => {
  const pid = started(t, "setInterval(() => {}, 3600000)");
  await until(() => activityOf(pid), "idle");
  const { told, tick } = silenceOf(pid);
  for (let second = 1; second <= 14; second += 1) tick(1000);
  t.same(told, []);
});
