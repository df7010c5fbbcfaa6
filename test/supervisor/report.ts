import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { reloadChannel } from "../../src/base/channels.ts";
import { addCall, Counter } from "../../src/base/counts.ts";
import { log } from "../../src/base/log.ts";
import { startReports, type WorkerReport } from "../../src/supervisor/report.ts";

t.test("a report has what was counted, logged and built since the last one", async (t) => {
  const counter = new Counter();
  const sent: WorkerReport[] = [];
  const report = startReports({
    counter,
    locate: () => ({ place: "/srv/a.ts:1:2", source: "throw" }),
    send: (each) => sent.push(each),
    takeLateness: () => 7,
    intervalMs: 3_600_000,
  });
  addCall(counter.callsOf("handler", "a.ts"), 3, false);
  log("error", "broken password=hunter2", { code: "MODTS_HANDLER_FAILED", uniqueId: "id" });
  log("warn", "not an error");
  const build = { entry: "/srv/a.ts", generation: 2, changed: [], duration: 4 };
  reloadChannel.publish(build);
  reloadChannel.publish({ ...build, error: new Error("syntax") });
  report();
  t.match(sent[0], {
    counts: { calls: { handler: { "a.ts": { calls: 1 } } }, events: { errors: 1 } },
    gauges: { active: 0, rss: Number, heap: Number, lag: Number, utilization: Number },
    errors: [{ message: "broken password=***", place: "/srv/a.ts:1:2", uniqueId: "id" }],
    builds: [{ file: "/srv/a.ts", version: 2 }, { error: "syntax" }],
  });
  for (let index = 0; index < 100; index += 1) log("error", "flood");
  report();
  t.equal(sent[1]?.errors?.length, 20, "a flood of errors is no flood of notes");
  t.same(sent[1]?.counts?.events, { errors: 100 });
  // The share of the time in which the process was busy.
  const utilization = { idle: 1, active: 0, utilization: 0 };
  const calls = t.intercept(performance, "eventLoopUtilization", { value: () => utilization });
  report();
  t.same(Object.keys(sent[2] ?? {}), ["gauges"]);
  for (let turn = 2; turn < 5; turn += 1) report();
  t.equal(sent.length, 3, "nothing happened");
  report();
  t.equal(sent.length, 4, "but it is there");
  counter.active += 1;
  report();
  t.equal(sent[4]?.gauges.active, 1, "a request began");
  utilization.utilization = 0.5;
  for (let turn = 5; turn < 8; turn += 1) report();
  t.equal(sent.length, 8, "a busy process reports each time");
  calls.restore();
});

t.test("the delay of an idle process is that of its heartbeat", async (t) => {
  const sent: WorkerReport[] = [];
  const report = startReports({
    counter: new Counter(),
    locate: () => undefined,
    send: (each) => sent.push(each),
    takeLateness: () => 7,
    intervalMs: 3_600_000,
  });
  const lagAfter = async (blockedMs: number): Promise<number> => {
    await sleep(200);
    const end = performance.now() + blockedMs;
    while (performance.now() < end);
    await sleep(200);
    report();
    return sent.at(-1)?.gauges.lag ?? NaN;
  };
  t.equal(await lagAfter(400), 7, "it was idle before");
  const busy = await lagAfter(400);
  t.ok(busy >= 340, `measured in a busy process: ${busy} ms`);
});
