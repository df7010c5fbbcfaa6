import t from "tap";
import { leave, lockOf } from "../../src/sessions/lock-state.ts";
import { MemoryStore } from "../../src/sessions/memory-store.ts";
import { SessionLocks } from "../../src/sessions/session-locks.ts";
import type { SessionStore } from "../../src/sessions/session-store.ts";
import { recordOf } from "../fixtures/session-store.ts";

const never = new AbortController().signal;
const patient = { limit: 5000, signal: () => never };
const hasty = { limit: 30, signal: () => never };

function storeWith(data: object): MemoryStore {
  const store = new MemoryStore();
  store.insert("k", recordOf(data), "");
  return store;
}

/** A lock that a process on another machine has. */
const foreign = (until: number): string =>
  lockOf({ id: "f", process: "000000000000.1.1", since: Date.now() - 2000, until }, false);

t.test("two processes, one counter: nothing is lost", async (t) => {
  const store = storeWith({ n: 0 });
  const processes = [new SessionLocks(store), new SessionLocks(store)];
  const count = async (at: number): Promise<void> => {
    const found = await (processes[at % 2] as SessionLocks).acquire("k", false, patient);
    const { n } = JSON.parse(found?.record.data ?? "") as { n: number };
    await new Promise((resolve) => setImmediate(resolve));
    t.equal(await found?.lock.release({ data: JSON.stringify({ n: n + 1 }) }), "written");
  };
  await Promise.all(Array.from({ length: 60 }, (_, at) => count(at)));
  t.match(store.load("k"), { record: { data: '{"n":60}' } });
});

t.test("what there is not cannot be locked, and holds nobody up", async (t) => {
  const locks = new SessionLocks(new MemoryStore());
  t.equal(await locks.acquire("k", false, hasty), undefined);
  t.equal(await locks.acquire("k", false, hasty), undefined);
});

t.test("those who share have it together", async (t) => {
  const store = storeWith({});
  const locks = [new SessionLocks(store), new SessionLocks(store)] as const;
  const first = await locks[0].acquire("k", true, hasty);
  const second = await locks[1].acquire("k", true, hasty);
  const third = await locks[0].acquire("k", true, hasty);
  await t.rejects(locks[1].acquire("k", false, hasty), { code: "MODTS_SESSION_LOCKED" });
  for (const one of [first, second, third]) t.equal(await one?.lock.release({}), "written");
  const alone = await locks[1].acquire("k", false, hasty);
  await t.rejects(locks[0].acquire("k", true, hasty), { code: "MODTS_SESSION_LOCKED" });
  await alone?.lock.release({});
});

t.test("the message names how long it has been held", async (t) => {
  const store = storeWith({});
  store.update("k", { lock: foreign(Date.now() + 5000) }, "");
  await t.rejects(new SessionLocks(store).acquire("k", false, hasty), {
    code: "MODTS_SESSION_LOCKED",
    status: 503,
    message: /by another request for 2\.\d s, gave up after 0\.03 s/,
  });
});

t.test("a client that goes away waits no longer", async (t) => {
  const store = storeWith({});
  store.update("k", { lock: foreign(Date.now() + 5000) }, "");
  const controller = new AbortController();
  const locks = new SessionLocks(store);
  const waiting = locks.acquire("k", false, { limit: 5000, signal: () => controller.signal });
  setTimeout(() => controller.abort(), 5);
  await t.rejects(waiting, { code: "MODTS_CLIENT_GONE" });
  store.update("k", { lock: "" }, undefined);
  t.ok(await locks.acquire("k", false, hasty), "and its place in the line is free");
});

t.test("a lease that has run out is taken over, and its holder writes no more", async (t) => {
  const store = storeWith({ n: 1 });
  const slow = await new SessionLocks(store).acquire("k", false, hasty);
  // As if its process had stood still for so long.
  store.update("k", { lock: foreign(Date.now() - 1) }, undefined);
  const next = await new SessionLocks(store).acquire("k", false, hasty);
  t.equal(await next?.lock.write({ data: '{"n":2}' }), "written");
  t.equal(await slow?.lock.write({ data: '{"n":9}' }), "lost");
  t.equal(await slow?.lock.release({ data: '{"n":9}' }), "lost");
  t.equal(await next?.lock.release({ accessed: 7 }), "written");
  t.match(store.load("k"), { record: { data: '{"n":2}', accessed: 7 }, lock: "" });
});

t.test("a lease is renewed for as long as a request takes", async (t) => {
  const store = storeWith({});
  const found = await new SessionLocks(store, 400).acquire("k", false, hasty);
  const others = new SessionLocks(store, 400);
  const wait = { limit: 1000, signal: () => never };
  await t.rejects(others.acquire("k", false, wait), { code: "MODTS_SESSION_LOCKED" });
  t.equal(await found?.lock.release({}), "written");
  store.update("k", { lock: foreign(Date.now() + 400) }, "");
  t.ok(await others.acquire("k", false, wait), "one that is not ends");
});

t.test("a record that is removed meanwhile stays removed", async (t) => {
  const store = storeWith({});
  const found = await new SessionLocks(store).acquire("k", false, hasty);
  store.delete("k");
  t.equal(await found?.lock.write({ data: "{}" }), "gone");
  t.equal(await found?.lock.release({ data: "{}" }), "gone");
  t.equal(store.load("k"), undefined);
});

t.test("under another key", async (t) => {
  const store = storeWith({ n: 1 });
  const locks = new SessionLocks(store);
  const found = await locks.acquire("k", false, hasty);
  const waiting = locks.acquire("k", false, patient);
  store.rename("k", "to");
  found?.lock.move("to");
  t.equal(await waiting, undefined, "the old one is no more");
  t.equal(await found?.lock.release({ data: '{"n":2}' }), "written");
  t.match(store.load("to"), { record: { data: '{"n":2}' }, lock: "" });
});

t.test("others come and go while it is held", async (t) => {
  const store = storeWith({});
  const first = await new SessionLocks(store).acquire("k", true, hasty);
  const second = await new SessionLocks(store).acquire("k", true, hasty);
  t.equal(await first?.lock.write({ accessed: 1 }), "written");
  t.equal(await second?.lock.release({ accessed: 2 }), "written");
  t.equal(await first?.lock.release({ accessed: 3 }), "written");
  t.match(store.load("k"), { lock: "", record: { accessed: 3 } });
});

t.test("a store that fails keeps nobody in the line", async (t) => {
  const store: SessionStore = storeWith({});
  let fails = true;
  const broken: SessionStore = new Proxy(store, {
    get: (target, name) =>
      name === "take" && fails
        ? () => Promise.reject(new Error("down"))
        : Reflect.get(target, name).bind?.(target),
  });
  const locks = new SessionLocks(broken);
  await t.rejects(locks.acquire("k", false, hasty), /down/);
  fails = false;
  const found = await locks.acquire("k", false, hasty);
  t.ok(found);
  const text = store.load("k") as { lock: string };
  t.equal(leave(text.lock, found?.lock.id ?? "", Date.now()), "");
});
