import { renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { TicketWatch } from "../../src/authorizer/ticket-watch.ts";

function watching(t: Test): { watch: TicketWatch; changed: Promise<string>; folder: string } {
  const folder = t.testdir({ users: "ann", other: "x" });
  const { promise, resolve } = Promise.withResolvers<string>();
  const watch = new TicketWatch(resolve);
  // Watching alone keeps no process alive.
  const timer = setInterval(() => {}, 1000);
  t.teardown(() => {
    clearInterval(timer);
    watch.clear();
  });
  return { watch, changed: promise, folder };
}

const later = (): number => Date.now() + 60_000;

const changes: Record<string, (file: string) => void> = {
  "a save": (file) => writeFileSync(file, "ann\nbob"),
  "a save of the same size and time": (file) => {
    writeFileSync(file, "bob");
    utimesSync(file, 1, 1);
  },
  "a file put in its place": (file) => {
    writeFileSync(`${file}.new`, "ann");
    renameSync(`${file}.new`, file);
  },
  "a deletion": (file) => rmSync(file),
};

for (const [name, change] of Object.entries(changes)) {
  t.test(`${name} is reported`, async (t) => {
    const { watch, changed, folder } = watching(t);
    const file = join(folder, "users");
    t.ok(watch.add([file], later()));
    change(file);
    t.equal(await changed, file);
  });
}

t.test("a file that comes into being is a change", async (t) => {
  const { watch, changed, folder } = watching(t);
  const file = join(folder, "users.db-wal");
  t.ok(watch.add([file], later()));
  writeFileSync(file, "");
  t.equal(await changed, file);
});

t.test("a file that changed while the decision was made gives no ticket", async (t) => {
  const { watch, folder } = watching(t);
  t.notOk(watch.add([join(folder, "users")], Date.now() - 60_000));
});

t.test("a change that nobody has reported yet gives no ticket", async (t) => {
  const { watch, folder } = watching(t);
  const file = join(folder, "users");
  t.ok(watch.add([file], later()));
  writeFileSync(file, "somebody else");
  t.notOk(watch.add([file], later()));
});
