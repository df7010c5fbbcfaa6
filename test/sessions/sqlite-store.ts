import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import t from "tap";
import { openSqliteStore } from "../../src/sessions/sqlite-store.ts";
import { checkStore, recordOf } from "../fixtures/session-store.ts";

t.test("does what stores do", async (t) => {
  const path = join(t.testdir(), "new", "sessions.db");
  const [store, other] = await Promise.all([openSqliteStore(path), openSqliteStore(path)]);
  t.teardown(() => Promise.all([store.close(), other.close()]));
  await checkStore(t, store, other);
  const files = readdirSync(join(path, ".."));
  t.strictSame(files.toSorted(), ["sessions.db", "sessions.db-shm", "sessions.db-wal"]);
  for (const name of files) {
    t.equal(statSync(join(path, "..", name)).mode & 0o777, 0o600, `${name} is ours alone`);
  }
});

t.test("survives the process", async (t) => {
  const path = join(t.testdir(), "sessions.db");
  const store = await openSqliteStore(path);
  await store.insert("a", recordOf({ n: 1 }), "");
  await store.close();
  const again = await openSqliteStore(path);
  t.teardown(() => again.close());
  t.strictSame((await again.load("a"))?.record, recordOf({ n: 1 }));
});

t.test("waits for another process that writes, and holds nobody up meanwhile", async (t) => {
  const path = join(t.testdir(), "sessions.db");
  const store = await openSqliteStore(path);
  t.teardown(() => store.close());
  await store.insert("a", recordOf({ n: 1 }), "");
  const child = spawn(process.execPath, [
    "--input-type=module",
    "--disable-warning=ExperimentalWarning",
    "-e",
    `import { DatabaseSync } from "node:sqlite";
     const database = new DatabaseSync(process.argv[1]);
     database.exec("BEGIN IMMEDIATE");
     console.log("begun");
     process.stdin.once("data", () => { database.exec("COMMIT"); process.exit(); });`,
    path,
  ]);
  await once(child.stdout, "data");
  const order: string[] = [];
  const taken = Promise.resolve(store.take("a", "me")).then((found) => {
    order.push("taken");
    return found;
  });
  setImmediate(() => {
    order.push("others");
    child.stdin.write("go");
  });
  t.equal((await taken)?.lock, "me");
  t.strictSame(order, ["others", "taken"]);
});

t.test("a writer that never ends is an error after a while", async (t) => {
  const path = join(t.testdir(), "sessions.db");
  const store = await openSqliteStore(path);
  const writer = new DatabaseSync(path);
  t.teardown(() => [writer.close(), store.close()]);
  writer.exec("BEGIN IMMEDIATE");
  await t.rejects(Promise.resolve(store.insert("a", recordOf({}), "")), /locked/);
  t.equal(await store.load("a"), undefined, "readers need not wait");
});

t.test("a file that is none, or not ours", async (t) => {
  const folder = t.testdir({ "other.db": "this is not a database, but it is long enough" });
  await t.rejects(openSqliteStore(join(folder, "other.db")), /not a database/);
  await t.rejects(openSqliteStore(folder), /EISDIR/);
  writeFileSync(join(folder, "file"), "");
  chmodSync(join(folder, "file"), 0o600);
  await t.rejects(openSqliteStore(join(folder, "file", "x.db")), /ENOTDIR|EEXIST/);
});
