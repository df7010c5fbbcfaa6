import { once } from "node:events";
import { createServer, connect, type Socket } from "node:net";
import t, { type Test } from "tap";
import { logChannel } from "../src/channels.ts";
import type { LogRecord } from "../src/log.ts";
import { Pool, type PoolOptions } from "../src/pool.ts";

const codes: string[] = [];
logChannel.subscribe((record) => {
  const { code } = record as LogRecord;
  if (code) codes.push(code);
});
t.beforeEach(() => void codes.splice(0));

function created(test: Test, worker: string, more: Partial<PoolOptions> = {}): Pool {
  const pool = new Pool({
    name: "main",
    program: new URL(`fixtures/workers/${worker}.ts`, import.meta.url),
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
  t.ok(await pool.replace({ ...generation, generation: 2, workers: 3 }, drain));
  t.equal(pool.pids.length, 3);
  t.ok(await pool.replace({ ...generation, generation: 3, workers: 1 }, drain));
  t.equal(pool.pids.length, 1);
});

t.test("a reload heals a pool whose workers cannot start", async (t) => {
  const pool = created(t, "by-config");
  pool.start({ ...generation, config: "crash" });
  const { accepted, client } = await connection(t);
  pool.accept("gateway", accepted);
  while (codes.length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
  t.ok(await pool.replace({ ...generation, generation: 2 }, drain));
  client.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  let text = "";
  for await (const part of client) text += String(part);
  t.match(text, /"generation":2/, "the connection that waited is served");
  const deaths = codes.length;
  await new Promise((resolve) => setTimeout(resolve, 100));
  t.equal(codes.length, deaths, "the broken generation is not tried any more");
});

t.test("stop during a reload ends both generations", async (t) => {
  const pool = created(t, "good");
  pool.start(generation);
  await pool.ready;
  const old = pool.pids;
  const replacing = pool.replace({ ...generation, generation: 2 }, drain);
  await pool.stop(5000);
  t.equal(await replacing, false);
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
  await pool.stop(5000);
  await closed;
  t.pass("closed");
});
