/** A thread within its memory. */
import { Worker } from "node:worker_threads";
import t from "tap";
import { watchMemory } from "../../src/cgi/memory-watch.ts";

t.test("buffers count", async (t) => {
  const code = "const a = []; setInterval(() => a.push(Buffer.alloc(5_000_000, 1)), 1);";
  const worker = new Worker(code, { eval: true, execArgv: [] });
  await new Promise<void>((resolve) => watchMemory(worker, 50, resolve));
  t.equal(await worker.terminate(), 1);
});

t.test("a thread that is content, and one that has gone", async (t) => {
  const worker = new Worker("setInterval(() => {}, 1000);", { eval: true, execArgv: [] });
  const stop = watchMemory(worker, 500, () => t.fail("it holds little"));
  await new Promise((resolve) => setTimeout(resolve, 250));
  await worker.terminate();
  await new Promise((resolve) => setTimeout(resolve, 250));
  stop();
});
