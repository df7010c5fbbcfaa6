import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import t, { type Test } from "tap";
import { lackDescriptors } from "../fixtures/few-descriptors.ts";
import { WorkerProcess, type WorkerProcessOptions } from "../../src/supervisor/worker-process.ts";

function spawned(
  test: Test,
  worker: string,
  more: Partial<WorkerProcessOptions> = {},
): WorkerProcess {
  const child = new WorkerProcess({
    program: new URL(`../fixtures/workers/${worker}.ts`, import.meta.url),
    config: { level: "info" },
    pool: "main",
    slot: 1,
    generation: 3,
    readyTimeout: 10_000,
    onFree() {},
    onReturned() {},
    ...more,
  });
  test.teardown(() => child.kill("end of test"));
  return child;
}

/** The server's end of a new connection, and the client's. */
async function connection(test: Test): Promise<{ accepted: Socket; client: Socket }> {
  const server = createServer({ pauseOnConnect: true }).listen(0);
  await once(server, "listening");
  const client = connect((server.address() as { port: number }).port);
  const [accepted] = (await once(server, "connection")) as [Socket];
  server.close();
  test.teardown(() => client.destroy());
  return { accepted, client };
}

t.test("init, ready, a connection, drain", async (t) => {
  const free = Promise.withResolvers<void>();
  const worker = spawned(t, "good", { onFree: free.resolve });
  t.notOk(worker.free, "not before ready");
  await worker.ready;
  await free.promise;
  t.ok(worker.free);
  const { now } = Date;
  for (const hours of [-5, 5]) {
    Date.now = () => now() + hours * 3_600_000;
    t.ok(worker.age >= 0 && worker.age < 60_000, "whatever happens to the clock");
  }
  Date.now = now;
  const { accepted, client } = await connection(t);
  worker.offer("gateway", accepted);
  t.notOk(worker.free, "one at a time");
  t.equal(worker.connections, 1);
  client.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  let text = "";
  for await (const part of client) text += String(part);
  t.match(text, /"pool":"main","slot":1,"generation":3/);
  while (worker.connections > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  t.ok(worker.free);
  await worker.drain(0, 5000);
  t.equal(await worker.exited, "exit code 0");
});

t.test("ready rejects with the reason", async (t) => {
  await t.rejects(spawned(t, "crash-at-start").ready, { message: "exit code 3" });
  await t.rejects(spawned(t, "fail").ready, { message: "no luck" });
  await t.rejects(spawned(t, "never-ready", { readyTimeout: 200 }).ready, {
    message: "not ready within 200 ms",
  });
  await t.rejects(spawned(t, "no-such-program").ready, { message: "exit code 1" });
});

t.test("a worker that does not get a connection is replaced", async (t) => {
  const returned = Promise.withResolvers<string>();
  const worker = spawned(t, "deaf", { acceptTimeout: 20, onReturned: returned.resolve });
  await worker.ready;
  const { accepted } = await connection(t);
  worker.offer("gateway", accepted);
  t.equal(await returned.promise, "gateway");
  t.match(await worker.exited, /^no connection accepted for 20 ms/);
  accepted.destroy();
});

t.test("a process that cannot be started has ended", async (t) => {
  const restore = await lackDescriptors();
  const worker = spawned(t, "good");
  const reason = await worker.exited;
  await restore();
  t.match(reason, /EMFILE/);
  t.notOk(worker.free);
  await spawned(t, "good").ready;
});

t.test("a connection that was never accepted is returned, whole", async (t) => {
  process.env["DIED_FLAG"] = `/tmp/mod-ts-never-${process.pid}`;
  const returned = Promise.withResolvers<[string, Socket]>();
  const worker = spawned(t, "die-before-accept", {
    onReturned: (transport, socket) => returned.resolve([transport, socket]),
  });
  t.teardown(() => import("node:fs").then(({ rmSync }) => rmSync(process.env["DIED_FLAG"]!)));
  await worker.ready;
  const { accepted, client } = await connection(t);
  client.write("hello");
  worker.offer("gateway", accepted);
  const [transport, socket] = await returned.promise;
  t.equal(transport, "gateway");
  t.equal(await worker.exited, "signal SIGKILL");
  socket.resume();
  const [part] = (await once(socket, "data")) as [Buffer];
  t.equal(String(part), "hello", "nothing was read from it");
  socket.destroy();
});

t.test("drain kills at the deadline, or at once what is starting", async (t) => {
  const hanging = spawned(t, "hang-in-drain");
  await hanging.ready;
  await hanging.drain(0, 50);
  t.equal(await hanging.exited, "not drained within 50 ms");
  await hanging.drain(0, 50);
  const starting = spawned(t, "never-ready");
  await starting.drain(0, 5000);
  t.equal(await starting.exited, "stopped while starting");
});
