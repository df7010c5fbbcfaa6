/** Reports of the watchdog, and what becomes of the workers; the processes are real. */
import t, { type Test } from "tap";
import { logChannel } from "../../src/base/channels.ts";
import { formatLogRecord, type LogRecord } from "../../src/base/log.ts";
import { Successors } from "../../src/supervisor/successors.ts";
import type { WatchdogReport } from "../../src/supervisor/watchdog.ts";
import type { WorkerLimits } from "../../src/supervisor/worker-limits.ts";
import { WorkerProcess } from "../../src/supervisor/worker-process.ts";

const records: LogRecord[] = [];
const listen = (record: unknown): void => void records.push(record as LogRecord);
logChannel.subscribe(listen);
t.teardown(() => logChannel.unsubscribe(listen));
t.beforeEach(() => void records.splice(0));
const logText = (): string => records.map((record) => formatLogRecord(record)).join("");

function started(t: Test, slot: number): WorkerProcess {
  const worker = new WorkerProcess({
    program: new URL("../fixtures/workers/good.ts", import.meta.url),
    config: "good",
    pool: "main",
    slot,
    generation: 1,
    readyTimeout: 60_000,
    onFree() {},
    onReturned() {},
  });
  t.teardown(() => worker.kill("end of test"));
  return worker;
}

interface Setup {
  worker: WorkerProcess;
  successors: Successors;
  spawned: WorkerProcess[];
  retired: AbortController;
}

async function setUp(t: Test, limits: WorkerLimits = {}): Promise<Setup> {
  const spawned: WorkerProcess[] = [];
  const retired = new AbortController();
  const drain = { linger: 0, deadline: 60_000 };
  const options = { pool: "main", pause: 0, limits, drain, retired: retired.signal };
  const successors = new Successors(options, (slot) => {
    const spare = started(t, slot);
    spawned.push(spare);
    return spare;
  });
  const worker = started(t, 3);
  await worker.ready;
  return { worker, successors, spawned, retired };
}

const beat = (requests: number, rss = 100): WatchdogReport => ({
  type: "beat",
  rss,
  vitals: [0, 0, requests, 0, 0],
});

t.test("a blocked worker has a successor before it is killed", async (t) => {
  const { worker, successors, spawned } = await setUp(t);
  successors.hear(worker, { type: "blocked", ms: 900, stack: "    at a.ts:1" });
  t.match(logText(), /MODTS_WORKER_BLOCKED.* 900 ms/, "its stack is logged");
  t.equal(spawned.length, 0, "nothing is started for a short block");
  successors.hear(worker, { type: "expiring" });
  successors.hear(worker, { type: "expiring" });
  t.same(
    spawned.map(({ slot }) => slot),
    [3],
    "one successor, with the number of the old worker",
  );
  successors.hear(worker, { type: "expired", ms: 2000 });
  t.equal(await worker.exited, "event loop blocked for 2000 ms");
  t.equal(successors.take(worker), spawned[0], "it takes the place");
  t.equal(successors.take(worker), undefined, "once");
});

t.test("a worker that recovers needs no successor", async (t) => {
  const { worker, successors, spawned } = await setUp(t);
  successors.hear(worker, { type: "recovered" });
  successors.hear(worker, { type: "expiring" });
  successors.hear(worker, { type: "recovered" });
  t.equal(await spawned[0]?.exited, "no longer needed", "one that still starts is given up");
  t.notOk(worker.isDraining, "the old worker stays");
  successors.hear(worker, { type: "expiring" });
  await spawned[1]?.ready;
  successors.hear(worker, { type: "recovered" });
  t.equal(await worker.exited, "exit code 0", "one that is ready takes over");
});

t.test("a worker at its limit is drained when its successor is ready", async (t) => {
  const { worker, successors, spawned } = await setUp(t, { requests: 10, memoryBytes: 1000 });
  successors.hear(worker, beat(9));
  t.equal(spawned.length, 0, "below the limit nothing happens");
  successors.hear(worker, beat(10));
  successors.hear(worker, beat(11));
  t.equal(spawned.length, 1, "one successor");
  t.equal(await worker.exited, "exit code 0", "the old worker ends by itself");
  t.match(logText(), /MODTS_WORKER_RECYCLED.* 10 requests, limit 10/);
  const successor = spawned[0] as WorkerProcess;
  successors.hear(successor, beat(0, 2001));
  t.match(await successor.exited, /growing fast/, "twice the memory: there is no time to drain");
});

t.test("a generation that is replaced has no successors", async (t) => {
  const { worker, successors, spawned, retired } = await setUp(t, { requests: 1 });
  retired.abort();
  const reports: WatchdogReport[] = [beat(5), { type: "expiring" }, { type: "expired", ms: 1 }];
  for (const report of reports) successors.hear(worker, report);
  t.equal(spawned.length, 0, "reports of its workers mean nothing");
  t.ok(worker.free, "they finish what they have");
});
