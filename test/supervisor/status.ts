import t from "tap";
import { addCall, Counter } from "../../src/base/counts.ts";
import { Observations } from "../../src/supervisor/observations.ts";
import {
  composeStatus,
  judgeState,
  socketsOf,
  type WorkerStatus,
} from "../../src/supervisor/status.ts";

const worker = (state: WorkerStatus["state"]): WorkerStatus => ({
  pid: 1,
  generation: 1,
  state,
  connections: 0,
  age: 0,
});

t.test("ready, degraded and down, each with its reason", async (t) => {
  const counts = { calls: {}, events: {} };
  const pool = (name: string, ...states: WorkerStatus["state"][]) => ({
    name,
    wanted: 2,
    queued: 0,
    workers: states.map(worker),
    counts,
  });
  t.same(judgeState([pool("main", "ready", "ready", "draining")], null), {
    state: "ready",
    reasons: [],
  });
  t.match(judgeState([pool("main", "ready", "blocked")], null), {
    state: "degraded",
    reasons: ["pool main: 1 of 2 workers serve"],
  });
  t.match(judgeState([pool("a", "starting"), pool("b", "ready")], null), {
    state: "down",
    reasons: { length: 2 },
  });
  const failed = { at: 1, ok: false, message: "why" };
  t.match(judgeState([pool("main", "ready", "ready")], failed), {
    state: "degraded",
    reasons: [/failed: why/],
  });
});

t.test("a pool that is down is not called degraded because of the next one", async (t) => {
  const counts = { calls: {}, events: {} };
  const pools = [
    { name: "a", wanted: 1, queued: 0, workers: [], counts },
    { name: "b", wanted: 2, queued: 0, workers: [worker("ready")], counts },
  ];
  t.equal(judgeState(pools, { at: 1, ok: false }).state, "down", "the worst state counts");
});

t.test("workers and pools have what was observed of them", async (t) => {
  const observations = new Observations();
  const counter = new Counter();
  addCall(counter.callsOf("handler", "a.ts"), 3, false);
  const gauges = { active: 1, rss: 2, heap: 3, lag: 4, utilization: 0.5 };
  observations.add("main", 1, { gauges, counts: counter.take()! });
  const workers = [worker("ready"), { ...worker("starting"), pid: 2 }];
  const { pools } = composeStatus({
    pools: [{ name: "main", wanted: 2, queued: 0, workers }],
    observations,
    listeners: [],
    generation: 1,
    lastReload: null,
    startedAt: 1,
  });
  t.same(pools[0]?.workers[0]?.gauges, gauges, "the gauges of a worker that has reported");
  t.notOk("gauges" in (pools[0]?.workers[1] ?? {}), "none of one that has not");
  t.match(pools[0]?.counts.calls["handler"]?.["a.ts"], { calls: 1 }, "the counts of the pool");
});

t.test("a status is plain data", async (t) => {
  const status = composeStatus({
    pools: [{ name: "main", wanted: 1, queued: 0, workers: [worker("ready")] }],
    observations: new Observations(),
    listeners: [],
    generation: 1,
    lastReload: null,
    startedAt: 1,
  });
  t.same(JSON.parse(JSON.stringify(status)), status);
});

t.test("connections of sockets, by their names", async (t) => {
  const gauges = { active: 0, rss: 0, heap: 0, lag: 0, utilization: 0, sockets: { a_b: 2 } };
  const events = {
    connections_accepted_a_b: 5,
    connections_refused_a_b: 1,
    connections_accepted_c: 3,
  };
  const workers = [
    { ...worker("ready"), gauges },
    { ...worker("ready"), gauges },
  ];
  const pool = { name: "main", wanted: 2, queued: 0, workers, counts: { calls: {}, events } };
  t.same(socketsOf([pool]), [
    { pool: "main", socket: "a_b", open: 4, accepted: 5, refused: 1 },
    { pool: "main", socket: "c", open: 0, accepted: 3, refused: 0 },
  ]);
});
