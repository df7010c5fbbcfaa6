import { statSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { openLocked } from "../../src/base/locked-database.ts";

const schema = "CREATE TABLE IF NOT EXISTS seen (id INTEGER) STRICT";

t.test("one process at a time", async (t) => {
  const path = join(t.testdir(), "state/file.db");
  const first = await openLocked(path, schema);
  t.equal(statSync(path).mode & 0o777, 0o600, "for our user only");
  t.equal(await openLocked(path, schema), undefined);
  first?.close();
  const second = await openLocked(path, schema);
  t.ok(second);
  t.same(second?.prepare("SELECT * FROM seen").all(), [], "with its tables");
  second?.close();
});

t.test("a file that is no database", async (t) => {
  const folder = t.testdir({ file: "x".repeat(5000) });
  await t.rejects(openLocked(join(folder, "file"), schema), /not a database/);
});
