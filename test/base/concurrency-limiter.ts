/** A bounded number runs, a bounded number waits in order, the others are rejected. */
import t from "tap";
import { ConcurrencyLimiter } from "../../src/base/concurrency-limiter.ts";

const busy = "MODTS_ORIGIN_BUSY";
const never = new AbortController().signal;
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

t.test("turns are taken in the order of arrival; leaving twice frees one place", async (t) => {
  const limiter = new ConcurrencyLimiter({ limit: 2, queue: 2, busy });
  const leave = [await limiter.enter(never), await limiter.enter(never)];
  const order: number[] = [];
  const waiting = [1, 2].map((number) =>
    limiter.enter(never).then((done) => {
      order.push(number);
      return done;
    }),
  );
  await t.rejects(limiter.enter(never), { code: busy, status: 503 }, "the queue is full");
  t.same(order, []);
  leave[0]?.();
  leave[0]?.();
  await settled();
  t.same(order, [1]);
  await t.rejects(limiter.enter(never, false), { code: busy }, "a caller that cannot wait");
  t.equal(limiter.active, 2);
  leave[1]?.();
  for (const done of await Promise.all(waiting)) done();
  t.same(order, [1, 2]);
  t.equal(limiter.active, 0);
});

t.test("a caller that has gone no longer waits", async (t) => {
  const limiter = new ConcurrencyLimiter({ limit: 1, queue: 1, busy });
  const leave = await limiter.enter(never);
  const client = new AbortController();
  const waiting = limiter.enter(client.signal);
  client.abort();
  await t.rejects(waiting, { code: "MODTS_CLIENT_GONE" });
  await t.rejects(limiter.enter(AbortSignal.abort()), { code: "MODTS_CLIENT_GONE" });
  leave();
  (await limiter.enter(never))();
  t.equal(limiter.active, 0);
});

t.test("patience ends", async (t) => {
  const limiter = new ConcurrencyLimiter({ limit: 1, queue: 1, busy, patienceMs: 5 });
  const leave = await limiter.enter();
  await t.rejects(limiter.enter(), { code: busy });
  leave();
  t.equal(limiter.active, 0);
});

t.test("work that fails leaves", async (t) => {
  const limiter = new ConcurrencyLimiter({ limit: 1, queue: 0, busy });
  await t.rejects(
    limiter.run(() => Promise.reject(new Error("boom"))),
    /boom/,
  );
  t.equal(await limiter.run(async () => 7), 7);
  t.equal(limiter.active, 0);
});
