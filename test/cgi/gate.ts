/** So many at a time, the others in order. */
import t from "tap";
import { Gate } from "../../src/cgi/gate.ts";

const never = new AbortController().signal;

t.test("who comes first is let in first, when somebody leaves", async (t) => {
  const gate = new Gate(2, 10);
  const order: number[] = [];
  const leave = [await gate.enter(never), await gate.enter(never)];
  const waiting = [1, 2, 3].map(async (number) => {
    const done = await gate.enter(never);
    order.push(number);
    return done;
  });
  t.same(order, []);
  leave[0]?.();
  leave[0]?.();
  const first = await waiting[0];
  t.same(order, [1], "leaving twice makes room for one");
  first?.();
  leave[1]?.();
  await Promise.all(waiting);
  t.same(order, [1, 2, 3]);
});

t.test("too many who wait are refused", async (t) => {
  const gate = new Gate(1, 1);
  const leave = await gate.enter(never);
  const second = gate.enter(never);
  await t.rejects(gate.enter(never), { code: "MODTS_CGI_BUSY", status: 503 });
  leave();
  (await second)();
  (await gate.enter(never))();
});

t.test("who gives up is not waited for", async (t) => {
  const gate = new Gate(1, 1);
  const leave = await gate.enter(never);
  const client = new AbortController();
  const waiting = gate.enter(client.signal);
  client.abort();
  await t.rejects(waiting, { code: "MODTS_CLIENT_GONE" });
  await t.rejects(gate.enter(AbortSignal.abort()), { code: "MODTS_CLIENT_GONE" });
  leave();
  (await gate.enter(never))();
});
