import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import t, { type Test } from "tap";
import { logChannel } from "../../src/base/channels.ts";
import { formatLogRecord, type LogRecord } from "../../src/base/log.ts";
import {
  createSupervisor,
  type Supervisor,
  type SupervisorOptions,
  type WorkerLimits,
} from "../../src/supervisor/supervisor.ts";
import type { WatchdogSettings } from "../../src/supervisor/watchdog.ts";
import { vitals } from "../../src/base/vitals.ts";
import { shortFolder } from "../fixtures/short-folder.ts";
import { until } from "../fixtures/until.ts";

const records: LogRecord[] = [];
logChannel.subscribe((record) => records.push(record as LogRecord));
t.beforeEach(() => void records.splice(0));
const logText = (): string => records.map((record) => formatLogRecord(record)).join("");

const program = new URL("../fixtures/workers/watched.ts", import.meta.url);
const forever = 3_600_000;

/** Between two requests of a client that goes on asking: processors are for the workers. */
const pauseMs = 5;

interface Answer {
  pid: number;
  slot: number;
}

function get(socketPath: string, path = "/"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const req = request({ socketPath, path, agent: false }, (res) => {
      let text = "";
      res.setEncoding("utf8").on("data", (part: string) => (text += part));
      res.on("error", reject).on("end", () => resolve(JSON.parse(text) as Answer));
    });
    req.on("error", reject).end();
  });
}

function optionsFor(run: string, config: object, workers: number): SupervisorOptions {
  return {
    run,
    directory: run,
    pools: { main: { workers } },
    listeners: [{ pool: "main", transport: "gateway", address: { path: join(run, "main.sock") } }],
    config,
    linger: 0,
    drainTimeout: 5000,
    backoff: { first: 5, most: 20, reset: 60_000 },
    program,
  };
}

async function started(
  test: Test,
  config: object,
  { workers = 2, ...limits }: WorkerLimits & { workers?: number } = {},
): Promise<{ supervisor: Supervisor; socketPath: string }> {
  const run = shortFolder(test);
  const options = optionsFor(run, config, workers);
  const supervisor = createSupervisor({ ...options, pools: { main: { workers, ...limits } } });
  await supervisor.start();
  test.teardown(async () => {
    const stopping = supervisor.stop();
    await supervisor.stop();
    await stopping;
  });
  await supervisor.ready;
  return { supervisor, socketPath: join(run, "main.sock") };
}

async function gone(pid: number): Promise<void> {
  while (existsSync(`/proc/${pid}`)) {
    if (readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ")) return;
    await sleep(10);
  }
}

t.test("a blocked worker is named with its stack, killed and replaced", async (t) => {
  const { supervisor, socketPath } = await started(t, { limitMs: 1000, buildMs: 0 });
  const pids = supervisor.pids("main");
  const cut = t.rejects(get(socketPath, "/spin?3600000"), "its request ends without a response");
  await until(logText, "MODTS_WORKER_BLOCKED");
  let answered = 0;
  while (!logText().includes("MODTS_WORKER_DIED")) {
    await get(socketPath);
    answered += 1;
    await sleep(pauseMs);
  }
  await cut;
  t.ok(answered > 0, `${answered} requests meanwhile had their response`);
  const text = logText();
  t.match(text, /event loop of worker \d+ of pool main has been blocked for \d+ ms/);
  t.match(text, /at Server\.<anonymous> \(.*serve\.ts:\d+:\d+\)/, "the stack has the line");
  t.match(text, /exited \(event loop blocked for [1-9]\d{3,} ms\)/);
  while (supervisor.pids("main").length < 2) await sleep(10);
  const now = supervisor.pids("main");
  t.equal(pids.filter((pid) => now.includes(pid)).length, 1, "the other worker is the same");
  const slots = new Set<number>();
  while (slots.size < 2) slots.add((await get(socketPath)).slot);
  t.same([...slots].toSorted(), [1, 2], "the new one has the number of the old one");
});

t.test("a stopped worker, the only one of its pool, is killed and replaced", async (t) => {
  const { supervisor, socketPath } = await started(
    t,
    { limitMs: 0, buildMs: 0, slowMs: 300 },
    { workers: 1 },
  );
  // A worker whose watchdog was never heard is left alone.
  const { pid } = await get(socketPath, "/burn?900");
  await until(logText, "MODTS_WORKER_BLOCKED");
  process.kill(pid, "SIGSTOP");
  const stuck = get(socketPath);
  await until(logText, "MODTS_WORKER_DIED");
  t.match(logText(), new RegExp(`worker ${pid} of pool main exited \\(stopped and silent for 5 s`));
  t.not((await stuck).pid, pid, "a connection that it had not accepted is served");
  t.not((await get(socketPath)).pid, pid);
  t.equal(supervisor.pids("main").length, 1);
});

t.test("a block below the limit is logged only", async (t) => {
  const { supervisor, socketPath } = await started(
    t,
    { limitMs: 0, buildMs: 0, slowMs: 300 },
    { workers: 1, age: 0 },
  );
  const pids = supervisor.pids("main");
  const { pid } = await get(socketPath, "/burn?900");
  t.equal(pid, pids[0], "the request gets its response");
  await until(logText, "MODTS_WORKER_BLOCKED");
  t.same(supervisor.pids("main"), pids);
  t.notMatch(logText(), "MODTS_WORKER_DIED");
});

/** Adds a beat three times a second, as a main thread does that has left its native code. */
const beats = `
  const { vitals } = require("node:worker_threads").workerData;
  setInterval(() => Atomics.add(vitals, 0, 1), 300);
`;

t.test("a block that ends while its stack is read is reported before its end", async (t) => {
  const file = join(t.testdir(), "reports");
  const descriptor = openSync(file, "a");
  const settings = {
    descriptor,
    vitals: new Int32Array(new SharedArrayBuffer(vitals.byteLength)),
    supervisor: process.ppid,
    intervalMs: 20,
    noticeMs: 60,
    leadMs: 60,
    limitMs: 0,
    buildMs: 0,
  } satisfies WatchdogSettings;
  const watchdog = new URL("../../src/supervisor/watchdog-thread.cjs", import.meta.url);
  const threads = [
    new Worker(watchdog, { workerData: settings }),
    new Worker(beats, { workerData: settings, eval: true }),
  ];
  await Promise.all(threads.map((thread) => once(thread, "online")));
  let text = "";
  while (!text.includes("recovered")) {
    // Native code: this thread cannot show its stack meanwhile.
    execFileSync("sleep", ["1"]);
    await sleep(50);
    text = readFileSync(file, "utf8");
  }
  await Promise.all(threads.map((thread) => thread.terminate()));
  closeSync(descriptor);
  const types = text.match(/blocked|recovered/g) ?? [];
  t.same(types.slice(0, 2), ["blocked", "recovered"]);
});

t.test("modules that are built have longer", async (t) => {
  const config = { limitMs: 400, buildMs: forever, building: true };
  const { supervisor, socketPath } = await started(t, config, { workers: 1 });
  const pids = supervisor.pids("main");
  await get(socketPath, "/burn?800");
  t.same(supervisor.pids("main"), pids);
  t.equal(logText().match(/MODTS_/g), null, "nothing is logged");
});

const noSchedstat = !existsSync("/proc/self/schedstat") && "the kernel does not count waiting time";

t.test("a worker that waits for a processor is not blocked", { skip: noSchedstat }, async (t) => {
  const limitMs = 600;
  const { supervisor, socketPath } = await started(t, { limitMs, buildMs: 0 }, { workers: 1 });
  const [pid] = supervisor.pids("main");
  const hog = spawn("taskset", ["-c", "0", process.execPath, "-e", "for (;;);"]);
  t.teardown(() => hog.kill("SIGKILL"));
  execFileSync("taskset", ["-p", "-c", "0", String(pid)]);
  // Only its main thread, which gets a thirtieth of what the other process gets.
  execFileSync("renice", ["-n", "15", "-p", String(pid)]);
  let longest = 0;
  while (longest < 1.5 * limitMs) {
    const begin = performance.now();
    await get(socketPath, "/burn?40");
    longest = Math.max(longest, performance.now() - begin);
  }
  hog.kill("SIGKILL");
  t.same(
    supervisor.pids("main"),
    [pid],
    `its event loop stood still for ${Math.round(longest)} ms`,
  );
  t.equal(logText().match(/MODTS_/g), null, "nothing is logged");
});

t.test("no worker outlives the supervisor, not even a blocked one", async (t) => {
  const run = shortFolder(t);
  const file = new URL("../fixtures/workers/supervisor.ts", import.meta.url).pathname;
  const { program: _, ...options } = optionsFor(
    run,
    { limitMs: forever, buildMs: 0, slowMs: 300 },
    2,
  );
  const argument = JSON.stringify({ ...options, worker: "./watched.ts" });
  const supervisor = spawn(process.execPath, [file, argument], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.teardown(() => supervisor.kill("SIGKILL"));
  let text = "";
  supervisor.stdout.setEncoding("utf8").on("data", (part: string) => (text += part));
  await until(() => text, "ready");
  const socketPath = join(run, "main.sock");
  const pids = new Set<number>();
  while (pids.size < 2) pids.add((await get(socketPath)).pid);
  const cut = t.rejects(get(socketPath, `/spin?${forever}`));
  await until(() => text, "MODTS_WORKER_BLOCKED");
  supervisor.kill("SIGKILL");
  await once(supervisor, "exit");
  for (const pid of pids) await gone(pid);
  await cut;
  t.pass("all have ended");
});

t.test("a worker at its limit is replaced, without a failed request", async (t) => {
  const config = { limitMs: 0, buildMs: 0, requests: 1000 };
  const { supervisor, socketPath } = await started(t, config, { requests: 1000 });
  const before = supervisor.pids("main");
  let answered = 0;
  let least = Infinity;
  while (supervisor.pids("main").some((pid) => before.includes(pid))) {
    await get(socketPath);
    answered += 1;
    least = Math.min(least, supervisor.pids("main").length);
    await sleep(pauseMs);
  }
  t.equal(least, 2, "never less than two workers");
  t.ok(answered > 0, `${answered} requests, none failed`);
  t.match(logText(), /worker \d+ of pool main is replaced: 1000 requests, limit 1000/);
  t.notMatch(logText(), "MODTS_WORKER_DIED");
});

t.test("memory that grows too fast ends the worker at once", async (t) => {
  const mebibyte = 1024 ** 2;
  const config = { limitMs: 0, buildMs: 0, hold: 100 * mebibyte };
  await started(t, config, { workers: 1, memoryBytes: 50 * mebibyte });
  await until(logText, "MODTS_WORKER_DIED");
  t.match(logText(), /exited \(memory of \d+ MiB, limit 50 MiB, growing fast\)/);
});
