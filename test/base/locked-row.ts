import { spawn } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import t from "tap";
import { LockedRow } from "../../src/base/locked-row.ts";

type Opened = Promise<LockedRow<"device" | "inode" | "until"> | undefined>;

const open = (path: string): Opened => LockedRow.open(path, "seen", ["device", "inode", "until"]);

t.test("one at a time, and its row for the next", async (t) => {
  const path = join(t.testdir(), "state/file.db");
  const first = await open(path);
  t.equal(statSync(path).mode & 0o777, 0o600, "for our user only");
  t.equal(first?.read(), undefined, "none yet");
  const now = Date.now();
  first?.write({ device: 1, inode: 2, until: 3 });
  first?.write({ until: now, inode: 5, device: 4 });
  t.equal(await open(path), undefined, "another one has to wait");
  first?.close();
  const second = await open(path);
  t.ok(second);
  t.match(second?.read(), { device: 4, inode: 5, until: now });
  second?.close();
});

t.test("a process that was killed keeps nothing", async (t) => {
  const path = join(t.testdir(), "file.db");
  const module = new URL("../../src/base/locked-row.ts", import.meta.url).href;
  const text = `const { LockedRow } = await import(${JSON.stringify(module)});
    globalThis.kept = await LockedRow.open(${JSON.stringify(path)}, "seen", ["device"]);
    console.log("open"); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", text], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  t.equal(await LockedRow.open(path, "seen", ["device"]), undefined, "while it lives");
  child.kill("SIGKILL");
  await once(child, "exit");
  const row = await LockedRow.open(path, "seen", ["device"]);
  t.ok(row, "and after it");
  row?.close();
});

t.test("a file that is no database", async (t) => {
  const path = join(t.testdir({ file: "x".repeat(5000) }), "file");
  await t.rejects(open(path), /not a database/, "is an error, not a lock");
});

t.test("a file that is there already, with a table of the same columns", async (t) => {
  const path = join(t.testdir(), "file.db");
  const database = new DatabaseSync(path);
  database.exec("CREATE TABLE duty (id INTEGER PRIMARY KEY, until INTEGER) STRICT");
  database.exec("INSERT INTO duty VALUES (1, 1796100000123)");
  database.close();
  const row = await LockedRow.open(path, "duty", ["until"]);
  t.equal(row?.read()?.until, 1_796_100_000_123, "more than 32 bits");
  row?.write({ until: 7 });
  t.equal(row?.read()?.until, 7);
  row?.close();
});
