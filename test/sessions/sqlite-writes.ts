import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import t, { type Test } from "tap";
import { SqliteWrites } from "../../src/sessions/sqlite-writes.ts";

function open(t: Test): { database: DatabaseSync; writes: SqliteWrites; path: string } {
  const path = join(t.testdir(), "file.db");
  const database = new DatabaseSync(path, { timeout: 1 });
  database.exec("PRAGMA journal_mode = WAL; CREATE TABLE word (text TEXT PRIMARY KEY)");
  t.teardown(() => database.isOpen && database.close());
  return { database, writes: new SqliteWrites(database), path };
}

const words = (database: DatabaseSync): unknown[] =>
  database
    .prepare("SELECT text FROM word ORDER BY text")
    .all()
    .map(({ text }) => text);

t.test("what one turn asks for is one transaction, and no result is known before it", async (t) => {
  const { database, writes, path } = open(t);
  const other = new DatabaseSync(path);
  t.teardown(() => other.close());
  const add = database.prepare("INSERT INTO word VALUES (?)");
  const seen: unknown[] = [];
  const all = ["a", "b", "c"].map(async (word) => {
    await writes.add(() => {
      seen.push(words(other));
      add.run(word);
    });
    seen.push(words(other));
  });
  t.strictSame(seen, [], "nothing yet");
  await Promise.all(all);
  const committed = ["a", "b", "c"];
  t.strictSame(seen, [[], [], [], committed, committed, committed]);
});

t.test("one that fails fails alone", async (t) => {
  const { database, writes } = open(t);
  const add = database.prepare("INSERT INTO word VALUES (?)");
  const results = await Promise.allSettled(
    ["a", "b", "a", "c"].map((word) => writes.add(() => add.run(word).changes)),
  );
  t.strictSame(
    results.map(({ status }) => status),
    ["fulfilled", "fulfilled", "rejected", "fulfilled"],
  );
  t.strictSame(words(database), ["a", "b", "c"]);
  t.notOk(database.isTransaction);
});

t.test("more than fit into one transaction", async (t) => {
  const { database, writes } = open(t);
  const add = database.prepare("INSERT INTO word VALUES (?)");
  await Promise.all(Array.from({ length: 250 }, (_, at) => writes.add(() => add.run(`w${at}`))));
  t.equal(words(database).length, 250);
});

t.test("while another one writes, they wait, and come in with those asked for later", async (t) => {
  const { database, writes, path } = open(t);
  const other = new DatabaseSync(path);
  t.teardown(() => other.close());
  other.exec("BEGIN IMMEDIATE");
  const add = database.prepare("INSERT INTO word VALUES (?)");
  const first = writes.add(() => add.run("a"));
  await new Promise((resolve) => setImmediate(resolve));
  const second = writes.add(() => add.run("b"));
  other.exec("COMMIT");
  await Promise.all([first, second]);
  t.strictSame(words(database), ["a", "b"]);
});

t.test("closed: what was asked for before is written, the rest is refused", async (t) => {
  const { database, writes, path } = open(t);
  const add = database.prepare("INSERT INTO word VALUES (?)");
  const before = writes.add(() => add.run("a"));
  writes.flush();
  database.close();
  await before;
  await t.rejects(
    writes.add(() => add.run("b")),
    /not open|finalized/,
  );
  const again = new DatabaseSync(path);
  t.teardown(() => again.close());
  t.strictSame(words(again), ["a"]);
});
