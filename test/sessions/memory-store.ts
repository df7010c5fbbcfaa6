import t from "tap";
import { MemoryStore } from "../../src/sessions/memory-store.ts";
import { checkStore, recordOf } from "../fixtures/session-store.ts";

t.test("does what stores do", async (t) => {
  const store = new MemoryStore();
  await checkStore(t, store, store);
  store.close();
  t.equal(store.load("live".padEnd(43, "_")), undefined);
});

t.test("holds so many and no more: those that were unused for longest go", async (t) => {
  const store = new MemoryStore();
  const record = recordOf({});
  for (let at = 0; at < 100_000; at += 1) store.insert(`k${at}`, record, "");
  store.update("k0", { accessed: 1 }, undefined);
  store.insert("one more", record, "");
  t.ok(store.load("k0"), "it was used");
  t.notOk(store.load("k1"));
  t.ok(store.load("k2"));
});
