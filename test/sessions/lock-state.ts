import t from "tap";
import { ownIdentity } from "../../src/base/process-identity.ts";
import { type Holder, join, leave, leaseMs, lockOf, renew } from "../../src/sessions/lock-state.ts";

/** A process on another machine: whether it runs cannot be seen. */
const elsewhere = "000000000000.1.1";

const holder = (id: string, since = 1000, process = elsewhere): Holder => ({
  id,
  process,
  since,
  until: since + leaseMs,
});
const textOf = (...parameters: Parameters<typeof join>): string => {
  const { granted, text } = join(...parameters);
  if (!granted || text === undefined) throw new Error("not granted");
  return text;
};

t.test("one at a time", async (t) => {
  const a = lockOf(holder("a"), false);
  t.match(join(a, holder("b", 2000), false), { granted: false, since: 1000 });
  t.match(join(a, holder("b", 2000), true), { granted: false, since: 1000 });
  t.equal(leave(a, "a", 2000), "");
  t.equal(leave(a, "b", 2000), undefined, "who is not in it cannot leave it");
  t.equal(textOf("", holder("b"), false), lockOf(holder("b"), false));
});

t.test("many who share, then one who does not", async (t) => {
  const both = textOf(lockOf(holder("a"), true), holder("b", 1500), true);
  t.match(join(both, holder("c", 2000), false), { granted: false, since: 1000 });
  const b = leave(both, "a", 2000) ?? "";
  t.notOk(join(b, holder("c", 2000), false).granted);
  t.ok(join(leave(b, "b", 2000) ?? "", holder("c", 2000), false).granted);
});

t.test("a lease that is not renewed ends", async (t) => {
  const a = lockOf(holder("a"), false);
  t.notOk(join(a, holder("b", 1000 + leaseMs - 1), false).granted);
  const taken = textOf(a, holder("b", 1000 + leaseMs), false);
  t.equal(leave(taken, "a", 9000), undefined, "and its holder learns it");
  t.equal(renew(taken, "a", 20_000), undefined);
  const renewed = renew(a, "a", 20_000) ?? "";
  t.notOk(join(renewed, holder("b", 19_999), false).granted);
  t.ok(join(renewed, holder("b", 20_000), false).granted);
});

t.test("a process of this machine that has ended holds nothing", async (t) => {
  const [machine] = ownIdentity().split(".");
  const dead = `${machine}.${2 ** 30}.1`;
  t.ok(join(lockOf(holder("a", 1000, dead), false), holder("b", 1001), false).granted);
  t.notOk(join(lockOf(holder("a", 1000, ownIdentity()), false), holder("b", 1001), false).granted);
});

t.test("whoever has to wait is next: a busy process does not keep the lock for ever", async (t) => {
  const busy = ownIdentity();
  const waiting = join(lockOf(holder("a", 1000, busy), false), holder("b", 1010), false);
  t.notOk(waiting.granted);
  const free = leave(waiting.text ?? "", "a", 1020) ?? "";
  t.not(free, "", "the reservation stays");
  t.match(join(free, holder("c", 1021, busy), false), { granted: false, text: undefined });
  t.match(join(waiting.text ?? "", holder("d", 1022, busy), true), { granted: false });
  const taken = textOf(free, holder("b", 1030), false);
  t.equal(taken, lockOf(holder("b", 1030), false), "and is used up");
  t.ok(join(free, holder("c", 1300, busy), false).granted, "who does not come back is passed over");
});

t.test("a reservation is written again only when it gets old", async (t) => {
  const { text = "" } = join(lockOf(holder("a"), false), holder("b", 1010), false);
  t.equal(join(text, holder("b", 1050), false).text, undefined);
  t.type(join(text, holder("b", 1190), false).text, "string");
});

t.test("text that is none of ours locks nobody out", async (t) => {
  for (const text of ["x", "{", "null", "[]", '{"holders":1}']) {
    t.ok(join(text, holder("a"), false).granted, text);
    t.equal(leave(text, "a", 0), undefined, text);
  }
});
