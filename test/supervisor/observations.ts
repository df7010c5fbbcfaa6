import t from "tap";
import { addCall, Counter } from "../../src/base/counts.ts";
import { Observations } from "../../src/supervisor/observations.ts";
import type { WorkerReport } from "../../src/supervisor/report.ts";

const gauges = { active: 1, rss: 100, heap: 50, lag: 7, utilization: 0.5 };

t.test("counts outlive their worker; its gauges do not", async (t) => {
  const observed = new Observations();
  for (const pid of [1, 2]) {
    const counter = new Counter();
    addCall(counter.callsOf("handler", "a.ts"), 3, pid === 2);
    observed.add("main", pid, { gauges, counts: counter.take()! });
    observed.forget(pid);
  }
  t.match(observed.counts("main").calls["handler"]?.["a.ts"], { calls: 2, errors: 1 });
  t.equal(observed.gauges(1), undefined);
  observed.sample(5);
  t.match(observed.history, [{ at: 5, calls: 2, errors: 1, rss: 0, lag: 7 }]);
  observed.sample(10);
  t.match(observed.history[1], { calls: 0, p99: 0, lag: 0 }, "an interval begins at zero");
});

t.test("whatever a worker sends, the supervisor lives, and its memory is bounded", async (t) => {
  const observed = new Observations();
  for (const report of [null, 7, {}, { counts: 7 }, { errors: 7 }, { counts: { calls: null } }]) {
    observed.add("main", 1, report as unknown as WorkerReport);
  }
  for (let index = 0; index < 200; index += 1) {
    const at = index;
    observed.add("main", 1, {
      gauges,
      errors: [{ at, level: "error", message: String(index) }],
      builds: [{ at, file: "a.ts", version: index, duration: 1 }],
    });
    observed.sample(index);
  }
  t.equal(observed.errors.length, 50);
  t.equal(observed.errors[0]?.message, "199", "newest first");
  t.equal(observed.builds.length, 50);
  t.equal(observed.history.length, 120);
});
