import t from "tap";
import { MemoryStore } from "../../src/sessions/memory-store.ts";
import type { SessionStore } from "../../src/sessions/session-store.ts";
import { Sweeper } from "../../src/sessions/sweeper.ts";
import { lockOf } from "../../src/sessions/lock-state.ts";
import { recordOf } from "../fixtures/session-store.ts";

const now = Date.now();
const expired = recordOf({}, { expires: Math.floor(now / 1000) - 1 });

t.test("once in a while, by one process of all", async (t) => {
  const store = new MemoryStore();
  const [one, two] = [new Sweeper(store, "memory"), new Sweeper(store, "memory")];
  store.insert("old", expired, "");
  store.insert("live", recordOf({}), "");
  t.equal(await one.sweep(now), true);
  t.equal(store.load("old"), undefined);
  t.ok(store.load("live"));

  store.insert("old", expired, "");
  t.equal(await two.sweep(now + 200_000), false, "not again so soon");
  t.ok(store.load("old"));
  t.equal(await two.sweep(now + 300_000), true);
  t.equal(store.load("old"), undefined);
  t.equal(store.load("#sweep")?.lock, "");
});

t.test("not while another one is at it, but after one that died", async (t) => {
  const store = new MemoryStore();
  const sweeper = new Sweeper(store, "memory");
  await sweeper.sweep(now);
  const other = { id: "sweep", process: "000000000000.1.1", since: now, until: now + 400_000 };
  store.update("#sweep", { lock: lockOf(other, false) }, "");
  t.equal(await sweeper.sweep(now + 350_000), false);
  t.equal(await sweeper.sweep(now + 400_001), true);
});

t.test("stops after a while, and goes on the next time", async (t) => {
  const store: SessionStore = new MemoryStore();
  let steps = 0;
  store.sweep = () => {
    steps += 1;
    return true;
  };
  t.equal(await new Sweeper(store, "memory").sweep(now), true);
  t.ok(steps > 1 && steps < 200, `${steps} steps`);
});

t.test("a store that fails is no reason to end", async (t) => {
  const store: SessionStore = new MemoryStore();
  store.take = () => {
    throw new Error("down");
  };
  const sweeper = new Sweeper(store, "memory");
  await t.rejects(sweeper.sweep(now), /down/);
  sweeper.start();
  sweeper.stop();
});
