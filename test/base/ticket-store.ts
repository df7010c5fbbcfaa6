import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { attempt } from "../../src/base/attempt.ts";
import { logChannel } from "../../src/base/channels.ts";
import type { LogRecord } from "../../src/base/log.ts";
import {
  prepareTickets,
  removeTickets,
  revokeTickets,
  TicketStore,
} from "../../src/base/ticket-store.ts";
import { withoutRoom } from "../fixtures/without-room.ts";

function open(t: Test): { run: string; store: TicketStore; directory: string } {
  const run = t.testdir({});
  prepareTickets(run, process.getgid?.());
  return { run, store: new TicketStore(run), directory: join(run, "tickets") };
}

const end = "9999999990";
const digest = "0123456789abcdef0123456789abcdef01234567";
const past = (): number => Date.now() - 10_000;
const future = (): number => Date.now() + 10_000;

t.test("a ticket is a file that httpd can test and that no umask closes", async (t) => {
  const { store, directory } = open(t);
  const owner = store.ownerOf({ user: "ann" });
  const mask = process.umask(0o077);
  t.ok(store.write({ end, owner, digest }, "text", future(), 32));
  process.umask(mask);
  const file = join(directory, end, owner, digest);
  t.equal(statSync(file).mode & 0o777, 0o640);
  for (const path of [directory, join(directory, end), join(directory, end, owner)]) {
    t.equal(statSync(path).mode & 0o777, 0o710, path);
  }
  t.equal(statSync(join(directory, "key")).mode & 0o777, 0o600);
  t.equal(store.read(file), "text");
  t.equal(store.count(), 1);
  t.ok(store.has({ end, owner }));
});

t.test("a supervisor outlives tickets that it cannot revoke", async (t) => {
  const { run, store, directory } = open(t);
  rmSync(join(directory, "revoked"), { recursive: true });
  writeFileSync(join(directory, "revoked"), "");
  t.throws(() => store.revokeAll(), { code: "ENOTDIR" });
  const lines: LogRecord[] = [];
  const listener = (record: unknown): void => void lines.push(record as LogRecord);
  logChannel.subscribe(listener);
  t.doesNotThrow(() => revokeTickets(run));
  logChannel.unsubscribe(listener);
  t.match(lines, [{ level: "crit", message: /cannot be revoked/ }]);
});

t.test("only the path of a ticket is read", async (t) => {
  const { store, directory } = open(t);
  for (const path of ["key", "../x", `${end}/../../etc/passwd`, `${end}/0123456789abcdef/x`, ""]) {
    t.equal(store.read(join(directory, path)), undefined, path);
    t.equal(store.read(path), undefined, path);
  }
});

t.test("owners differ by user, by address and by run", async (t) => {
  const { run, store } = open(t);
  mkdirSync(join(run, "other"));
  prepareTickets(join(run, "other"), undefined);
  const other = new TicketStore(join(run, "other"));
  const owner = store.ownerOf({ user: "ann" });
  t.match(owner, /^[0-9a-f]{16}$/);
  t.not(owner, store.ownerOf({ user: "bob" }));
  t.not(owner, store.ownerOf({ address: "ann" }));
  t.not(owner, other.ownerOf({ user: "ann" }));
});

t.test("a revocation ends what is there, and what was being decided", async (t) => {
  const { store, directory } = open(t);
  const [ann, bob] = ["ann", "bob"].map((user) => store.ownerOf({ user })) as [string, string];
  for (const owner of [ann, bob]) store.write({ end, owner, digest }, "text", future(), 32);
  store.revoke(ann);
  t.notOk(existsSync(join(directory, end, ann)));
  t.ok(existsSync(join(directory, end, bob)));
  t.notOk(store.write({ end, owner: ann, digest }, "text", past(), 32), "decided before");
  t.notOk(existsSync(join(directory, end, ann, digest)));
  t.ok(store.write({ end, owner: ann, digest }, "text", future(), 32), "decided afterwards");
  store.revokeAll();
  t.equal(store.count(), 0);
  t.notOk(store.write({ end, owner: bob, digest }, "text", past(), 32));
});

t.test("a revocation that cannot be noted is an error, and ends what is there", async (t) => {
  const { store, directory } = open(t);
  const owner = store.ownerOf({ user: "ann" });
  for (const revoke of [() => store.revoke(owner), () => store.revokeAll()]) {
    rmSync(join(directory, "revoked"), { recursive: true, force: true });
    t.ok(store.write({ end, owner, digest }, "text", future(), 32));
    // In the way, as a full disk would be.
    writeFileSync(join(directory, "revoked"), "");
    t.throws(revoke, { code: "ENOTDIR" });
    t.equal(store.count(), 0);
  }
});

t.test("on a full disk no half ticket is left, and a revocation needs no room", async (t) => {
  const { store, directory } = open(t);
  const owner = store.ownerOf({ user: "ann" });
  t.ok(store.write({ end, owner, digest }, "text", future(), 32));
  const other = { end, owner, digest: "f".repeat(40) };
  const [error, left] = withoutRoom(() => [
    attempt(() => store.write(other, "text", future(), 32), "refused"),
    readdirSync(join(directory, end, owner)),
    store.revoke(owner),
  ]);
  t.strictSame([error, left], ["refused", [digest]]);
  t.equal(store.count(), 0);
  t.notOk(store.write({ end, owner, digest }, "text", past(), 32), "decided before");
});

t.test("the number of tickets of an owner is bounded", async (t) => {
  const { store } = open(t);
  const owner = store.ownerOf({ user: "ann" });
  const names = ["a", "b", "c"].map((letter) => letter.repeat(40));
  const written = names.map((name) => store.write({ end, owner, digest: name }, "", future(), 2));
  t.same(written, [true, true, false]);
  t.ok(store.write({ end, owner, digest: names[0] as string }, "", future(), 2), "again");
});

t.test("what a dead worker has left is swept", async (t) => {
  const { store, directory } = open(t);
  mkdirSync(join(directory, "1577836800"));
  store.write({ end, owner: store.ownerOf({ user: "ann" }), digest }, "", future(), 32);
  const old = Date.now() / 1000 - 2 * 3600;
  utimesSync(join(directory, "1577836800"), old, old);
  store.sweep();
  t.same(
    readdirSync(directory).filter((name) => /^\d/.test(name)),
    [end],
  );
  store.expire(end);
  t.equal(store.count(), 0);
});

t.test("without a directory there are no tickets", async (t) => {
  const { run, store } = open(t);
  const owner = store.ownerOf({ user: "ann" });
  removeTickets(run);
  removeTickets(run);
  t.notOk(store.write({ end, owner, digest }, "", future(), 32));
  store.revoke(owner);
  store.revokeAll();
  t.equal(store.count(), 0);
  t.notOk(new TicketStore(run).isOpen);
  t.throws(() => new TicketStore(run).ownerOf({ user: "ann" }));
});

t.test(
  "a start forgets the tickets of a killed one, and an old worker the new directory",
  async (t) => {
    const { run, store, directory } = open(t);
    const owner = store.ownerOf({ user: "ann" });
    store.write({ end, owner, digest }, "", future(), 32);
    prepareTickets(run, undefined);
    t.equal(new TicketStore(run).count(), 0);
    store.close();
    t.ok(existsSync(directory), "another supervisor has made it");
    const current = new TicketStore(run);
    t.ok(current.isOpen);
    current.close();
    t.notOk(existsSync(directory));
  },
);

t.test(
  "a directory that cannot be read is an error",
  { skip: process.getuid?.() === 0 },
  async (t) => {
    const { run, directory } = open(t);
    chmodSync(directory, 0);
    t.throws(() => new TicketStore(run).count(), { code: "EACCES" });
    chmodSync(directory, 0o700);
  },
);
