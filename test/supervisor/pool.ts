import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { createServer, connect, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { logChannel } from "../../src/base/channels.ts";
import type { LogRecord } from "../../src/base/log.ts";
import { lackDescriptors } from "../fixtures/few-descriptors.ts";
import { Pool, type PoolOptions } from "../../src/supervisor/pool.ts";

const codes: string[] = [];
const messages: string[] = [];
logChannel.subscribe((record) => {
  const { code, message } = record as LogRecord;
  if (!code) return;
  codes.push(code);
  messages.push(message);
});
t.beforeEach(() => {
  codes.splice(0);
  messages.splice(0);
});

function created(test: Test, worker: string, more: Partial<PoolOptions> = {}): Pool {
  const pool = new Pool({
    name: "main",
    program: new URL(`../fixtures/workers/${worker}.ts`, import.meta.url),
    backlog: 10,
    readyTimeout: 10_000,
    backoff: { first: 5, most: 20, reset: 60_000 },
    ...more,
  });
  test.teardown(() => pool.kill());
  return pool;
}

const generation = { generation: 1, workers: 1, config: "good" };
const drain = { linger: 0, deadline: 5000 };

async function connection(test: Test): Promise<{ accepted: Socket; client: Socket }> {
  const server = createServer({ pauseOnConnect: true }).listen(0);
  await once(server, "listening");
  const client = connect((server.address() as { port: number }).port);
  const [accepted] = (await once(server, "connection")) as [Socket];
  server.close();
  test.teardown(() => client.destroy());
  return { accepted, client };
}

t.test("a reload changes the number of workers", async (t) => {
  const pool = created(t, "good");
  pool.start(generation);
  await pool.ready;
  t.equal(pool.pids.length, 1);
  t.equal(await pool.replace({ ...generation, generation: 2, workers: 2 }, drain), undefined);
  t.equal(pool.pids.length, 2);
  t.equal(await pool.replace({ ...generation, generation: 3, workers: 1 }, drain), undefined);
  t.equal(pool.pids.length, 1);
});

t.test("a reload heals a pool whose workers cannot start", async (t) => {
  const pool = created(t, "by-config");
  pool.start({ ...generation, config: "crash" });
  const { accepted, client } = await connection(t);
  pool.accept("gateway", accepted);
  while (codes.length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
  t.equal(await pool.replace({ ...generation, generation: 2 }, drain), undefined);
  client.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  let text = "";
  for await (const part of client) text += String(part);
  t.match(text, /"generation":2/, "the connection that waited is served");
  const deaths = codes.length;
  await new Promise((resolve) => setTimeout(resolve, 100));
  t.equal(codes.length, deaths, "the broken generation is not tried any more");
});

t.test("without file descriptors nobody waits for a worker", async (t) => {
  const pool = created(t, "good");
  pool.start(generation);
  await pool.ready;
  const { accepted, client } = await connection(t);
  const [pid = 0] = pool.pids;
  const restore = await lackDescriptors();
  process.kill(pid, "SIGKILL");
  while (pool.pids.includes(pid)) await sleep(5);
  pool.accept("gateway", accepted);
  await once(client.resume(), "close");
  await restore();
  while (!(pool.pids[0]! > 0)) await sleep(10);
  t.match(messages.join("\n"), /EMFILE/);
});

t.test("stop during a reload ends both generations", async (t) => {
  const pool = created(t, "good");
  pool.start(generation);
  await pool.ready;
  const old = pool.pids;
  const replacing = pool.replace({ ...generation, generation: 2 }, drain);
  await pool.stop({ linger: 0, deadline: 5000 });
  t.match(await replacing, { code: "MODTS_WORKER_NOT_READY" });
  t.same(codes, [], "nobody is blamed");
  for (const pid of old) t.throws(() => process.kill(pid, 0));
  t.same(pool.pids, []);
});

t.test("stop closes connections that nobody can serve", async (t) => {
  const pool = created(t, "never-ready");
  pool.start(generation);
  const { accepted, client } = await connection(t);
  pool.accept("gateway", accepted);
  const closed = once(client.resume(), "close");
  await pool.stop({ linger: 0, deadline: 5000 });
  await closed;
  t.pass("closed");
});

t.test("workers that need longer get longer, one after the other", async (t) => {
  const pool = created(t, "slow", { readyTimeout: 300 });
  pool.start({ ...generation, workers: 2 });
  while (codes.length < 2) await sleep(10);
  let most = 0;
  const watching = setInterval(() => (most = Math.max(most, pool.pids.length)), 5);
  await pool.ready;
  clearInterval(watching);
  t.equal(most, 1, "the second one waits for the first");
  const deaths = codes.length;
  while (pool.pids.length < 2) await sleep(10);
  await sleep(1000);
  t.equal(codes.length, deaths, "the second has the longer time at once");
  t.equal(pool.pids.length, 2);
});

t.test("late workers are hopeless only after twice and four times the time", async (t) => {
  const given: number[] = [];
  const onStart = (ms: number): void => void given.push(ms);
  const pool = created(t, "never-ready", { readyTimeout: 100, onStart });
  pool.start({ ...generation, workers: 4 });
  t.equal(await pool.hopeless, "not ready within 400 ms", "four at once are one failure");
  t.same(given.slice(0, 6), [100, 100, 100, 100, 200, 400]);
});

t.test(
  "starts that fail: growing pauses, one line, and the worker that serves is spared",
  async (t) => {
    const flag = join(t.testdir(), "broken");
    process.env["BROKEN_FLAG"] = flag;
    t.teardown(() => delete process.env["BROKEN_FLAG"]);
    const starts: number[] = [];
    const pool = created(t, "by-flag", {
      backoff: { first: 4, most: 60_000, reset: 60_000 },
      onStart: () => void starts.push(performance.now()),
    });
    pool.start({ ...generation, workers: 2 });
    const ready = (): number[] =>
      pool.status.workers.filter(({ state }) => state === "ready").map(({ pid }) => pid);
    while (ready().length < 2) await sleep(10);
    const [first = 0, second = 0] = ready();
    writeFileSync(flag, "");
    starts.splice(0);
    process.kill(first, "SIGKILL");
    while (starts.length < 6) {
      t.equal(await answerOf(t, pool), second, "the other one serves all the time");
      await sleep(10);
    }
    // A pause lasts at least as long as it is meant to: 4, 8, 16 … ms.
    const [begin = 0] = starts;
    for (const [index, at] of starts.entries()) {
      const least = 4 * 2 ** (index + 1) - 8;
      t.ok(at - begin > least - index - 1, `start ${index + 1} comes after ${least} ms`);
    }
    t.same(codes, ["MODTS_WORKER_DIED", "MODTS_WORKER_DIED", "MODTS_CRASH_LOOP"], "said once");
    t.match(messages.at(-1), /pool main keep exiting: 3 in a row \(exit code 5\)/);
    rmSync(flag);
    while (ready().length < 2) await sleep(10);
    t.ok(ready().includes(second), "the pool has two again, and the one that served is the same");
  },
);

t.test("questions wait while no worker can start, and are answered afterwards", async (t) => {
  const flag = join(t.testdir(), "broken");
  process.env["BROKEN_FLAG"] = flag;
  t.teardown(() => delete process.env["BROKEN_FLAG"]);
  writeFileSync(flag, "");
  const pool = created(t, "by-flag");
  pool.start(generation);
  const answer = answerOf(t, pool);
  while (codes.at(-1) !== "MODTS_CRASH_LOOP") await sleep(10);
  t.equal(pool.status.queued, 1);
  rmSync(flag);
  t.type(await answer, "number");
});

async function answerOf(test: Test, pool: Pool): Promise<number> {
  const { accepted, client } = await connection(test);
  pool.accept("gateway", accepted);
  client.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  let text = "";
  for await (const part of client) text += String(part);
  return Number(/"pid":(\d+)/.exec(text)?.[1]);
}

t.test("an outdated worker passes its connection on to its successor", async (t) => {
  const file = join(t.testdir({ state: "1" }), "state");
  const pool = created(t, "outdated");
  pool.start({ ...generation, config: file, workers: 2 });
  while (pool.status.workers.filter(({ state }) => state === "ready").length < 2) await sleep(10);
  const old = new Set(pool.pids);
  t.ok(old.has(await answerOf(t, pool)), "a worker serves while nothing has changed");
  writeFileSync(file, "2");
  for (let count = 0; count < 4; count += 1) {
    t.notOk(old.has(await answerOf(t, pool)), "no outdated worker serves any more");
  }
  while (pool.pids.some((pid) => old.has(pid))) await sleep(10);
  t.equal(pool.pids.length, 2, "the pool has as many workers as before");
  t.same(codes, [], "nobody has died");
});

t.test("an outdated worker serves if no successor can start", async (t) => {
  const file = join(t.testdir({ state: "1" }), "state");
  const pool = created(t, "outdated");
  pool.start({ ...generation, config: file });
  await pool.ready;
  const [old] = pool.pids;
  writeFileSync(file, "broken");
  t.equal(await answerOf(t, pool), old, "the connection is served");
  t.same(codes, ["MODTS_WORKER_NOT_READY"], "and the log has the reason");
  t.equal(await answerOf(t, pool), old, "later ones without another attempt");
  t.equal(codes.length, 1);
});
