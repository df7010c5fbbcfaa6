import t from "tap";
import {
  addCall,
  addCounts,
  Counter,
  durationBounds,
  emptyCounts,
  percentile,
} from "../../src/base/counts.ts";

t.test("calls are counted by phase and handler, and taken once", async (t) => {
  const counter = new Counter();
  t.equal(counter.take(), undefined);
  addCall(counter.callsOf("handler", "a.ts"), 3, false);
  addCall(counter.callsOf("handler", "a.ts"), 700, true);
  addCall(counter.callsOf("access", "a.ts"), 0.1, false);
  counter.addEvent("access_granted");
  const counts = counter.take();
  t.match(counts?.calls["handler"]?.["a.ts"], {
    calls: 2,
    errors: 1,
    seconds: 0.703,
    longest: 0.7,
  });
  t.equal(counts?.calls["access"]?.["a.ts"]?.buckets[0], 1);
  t.same(counts?.events, { access_granted: 1 });
  t.equal(counter.take(), undefined);
});

t.test("a handler's name is no more than 500 labels", async (t) => {
  const counter = new Counter();
  for (let index = 0; index < 600; index += 1)
    addCall(counter.callsOf("handler", `${index}.ts`), 1, false);
  const names = Object.keys(counter.take()?.calls["handler"] ?? {});
  t.equal(names.length, 501);
  t.ok(names.includes("other"));
});

t.test("sums of several workers, and names without a prototype", async (t) => {
  const sum = emptyCounts();
  for (const milliseconds of [1, 2]) {
    const counter = new Counter();
    addCall(counter.callsOf("handler", "__proto__"), milliseconds, false);
    counter.addEvent("errors", 2);
    addCounts(sum, counter.take()!);
  }
  t.equal(sum.events["errors"], 4);
  t.equal(Object.getOwnPropertyDescriptor(sum.calls["handler"], "__proto__")?.value.calls, 2);
});

t.test("percentiles lie within the bucket, and never beyond the longest call", async (t) => {
  const counter = new Counter();
  for (let index = 0; index < 98; index += 1) addCall(counter.callsOf("handler", "a.ts"), 3, false);
  for (let index = 0; index < 2; index += 1)
    addCall(counter.callsOf("handler", "a.ts"), 90_000, false);
  const calls = counter.take()!.calls["handler"]!["a.ts"]!;
  t.ok(percentile(calls, 0.5) > 0.0025 && percentile(calls, 0.5) <= 0.005);
  t.ok(percentile(calls, 0.99) > 60 && percentile(calls, 0.99) <= 90);
  t.equal(percentile({ ...calls, calls: 0, buckets: [], longest: 0 }, 0.5), 0);
  t.equal(calls.buckets.length, durationBounds.length + 1);
});
