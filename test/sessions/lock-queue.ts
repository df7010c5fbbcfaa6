import t from "tap";
import { LockQueue } from "../../src/sessions/lock-queue.ts";

const never = new AbortController().signal;
const wait = (limit = 60_000, signal = never) => ({ limit, signal: () => signal });

/** Notes when it is let in. */
function enter(queue: LockQueue, order: string[], name: string, shared = false): Promise<void> {
  return Promise.resolve(queue.enter("k", shared, wait())).then(() => {
    order.push(name);
  });
}
const settle = () => new Promise((resolve) => setImmediate(resolve));

t.test("first come, first served", async (t) => {
  const queue = new LockQueue();
  const order: string[] = [];
  for (const name of ["a", "b", "c"]) void enter(queue, order, name);
  await settle();
  t.strictSame(order, ["a"]);
  queue.leave("k");
  await settle();
  t.strictSame(order, ["a", "b"]);
  queue.leave("k");
  queue.leave("k");
  await settle();
  t.strictSame(order, ["a", "b", "c"]);
  t.equal(queue.enter("k", false, wait()), undefined, "free at once, without a turn");
});

t.test("those who share come in together, but pass nobody", async (t) => {
  const queue = new LockQueue();
  const order: string[] = [];
  void enter(queue, order, "r1", true);
  void enter(queue, order, "r2", true);
  void enter(queue, order, "w", false);
  void enter(queue, order, "r3", true);
  void enter(queue, order, "r4", true);
  await settle();
  t.strictSame(order, ["r1", "r2"]);
  queue.leave("k");
  queue.leave("k");
  await settle();
  t.strictSame(order, ["r1", "r2", "w"]);
  queue.leave("k");
  await settle();
  t.strictSame(order, ["r1", "r2", "w", "r3", "r4"]);
});

t.test("who gives up leaves the line", async (t) => {
  const queue = new LockQueue();
  const order: string[] = [];
  const controller = new AbortController();
  void enter(queue, order, "r1", true);
  const writer = queue.enter("k", false, wait(60_000, controller.signal));
  void enter(queue, order, "r2", true);
  controller.abort();
  await t.rejects(Promise.resolve(writer), { code: "MODTS_CLIENT_GONE" });
  await settle();
  t.strictSame(order, ["r1", "r2"], "and those behind it have no reason to wait any more");
  await t.rejects(Promise.resolve(queue.enter("k", false, wait(60_000, controller.signal))), {
    code: "MODTS_CLIENT_GONE",
  });
  await t.rejects(Promise.resolve(queue.enter("k", false, wait(5))), {
    code: "MODTS_SESSION_LOCKED",
    status: 503,
    message: /held by another request for \d+\.\d s, gave up after 0\.005 s/,
  });
  queue.leave("k");
  queue.leave("k");
  t.equal(queue.enter("k", false, wait()), undefined);
});

t.test("keys have nothing to do with each other", async (t) => {
  const queue = new LockQueue();
  t.equal(queue.enter("a", false, wait()), undefined);
  t.equal(queue.enter("b", false, wait()), undefined);
  queue.leave("c");
});
