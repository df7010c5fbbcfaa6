import { statSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { openLocked } from "../../src/base/locked-database.ts";

t.test("one process at a time", async (t) => {
  const path = join(t.testdir(), "state/file.db");
  const first = await openLocked(path);
  t.equal(statSync(path).mode & 0o777, 0o600, "for our user only");
  t.equal(await openLocked(path), undefined);
  first?.close();
  const second = await openLocked(path);
  t.ok(second);
  second?.close();
});

t.test("a file that is no database", async (t) => {
  const folder = t.testdir({ file: "x".repeat(5000) });
  await t.rejects(openLocked(join(folder, "file")), /not a database/);
});
