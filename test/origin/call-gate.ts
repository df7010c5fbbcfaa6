import t from "tap";
import { CallGate } from "../../src/origin/call-gate.ts";

const never = new AbortController().signal;
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

t.test("as many as the limit, as many wait, the rest goes away at once", async (t) => {
  const gate = new CallGate(2);
  const leave = [await gate.enter(never, true), await gate.enter(never, true)];
  const order: number[] = [];
  const waiting = [1, 2].map((number) =>
    gate.enter(never, true).then((done) => {
      order.push(number);
      return done;
    }),
  );
  await t.rejects(gate.enter(never, true), { code: "MODTS_ORIGIN_BUSY", status: 503 });
  await t.rejects(gate.enter(never, false), { code: "MODTS_ORIGIN_BUSY" }, "no patience");
  t.same(order, []);
  leave[0]?.();
  leave[0]?.();
  await settled();
  t.same(order, [1], "leaving twice makes one place");
  leave[1]?.();
  for (const done of await Promise.all(waiting)) done();
  t.equal(gate.active, 0);
});

t.test("who has gone waits no longer", async (t) => {
  const gate = new CallGate(1);
  const leave = await gate.enter(never, true);
  const client = new AbortController();
  const waiting = gate.enter(client.signal, true);
  client.abort();
  await t.rejects(waiting, { code: "MODTS_CLIENT_GONE" });
  await t.rejects(gate.enter(client.signal, true), { code: "MODTS_CLIENT_GONE" });
  leave();
  t.equal(gate.active, 0);
});
