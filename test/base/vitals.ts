import { Worker } from "node:worker_threads";
import { once } from "node:events";
import t from "tap";
import { addToVital, during, readFrom, setVital, vitals } from "../../src/base/vitals.ts";

t.test("counters are added to and set by name", async (t) => {
  const before = readFrom(vitals, "beats");
  addToVital("beats");
  addToVital("beats", 2);
  t.equal(readFrom(vitals, "beats"), before + 3, "additions sum up");
  setVital("heap", 12.9);
  t.equal(readFrom(vitals, "heap"), 12, "a value is a whole number");
  t.equal(readFrom([], "heap"), 0, "a copy that lacks a counter has 0");
});

t.test("work is counted while it runs, also when it fails", async (t) => {
  const before = readFrom(vitals, "builds");
  const work = Promise.withResolvers<string>();
  const running = during("builds", () => work.promise);
  t.equal(readFrom(vitals, "builds"), before + 1, "one build runs");
  work.resolve("built");
  t.equal(await running, "built", "its result is returned");
  await t.rejects(
    during("builds", () => Promise.reject(new Error("broken"))),
    { message: "broken" },
    "its failure is passed on",
  );
  t.equal(readFrom(vitals, "builds"), before, "none runs any more");
});

t.test("another thread reads the counters while the event loop is blocked", async (t) => {
  setVital("overdue", 7);
  const code = `const { parentPort, workerData } = require("node:worker_threads");
    parentPort.postMessage([...workerData]);`;
  const thread = new Worker(code, { eval: true, workerData: vitals, execArgv: [] });
  const [seen] = (await once(thread, "message")) as [number[]];
  t.equal(readFrom(seen, "overdue"), 7, "it sees what the main thread wrote");
  setVital("overdue", 0);
});
