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
  report();
  t.same(Object.keys(sent[2] ?? {}), ["gauges"]);
});
