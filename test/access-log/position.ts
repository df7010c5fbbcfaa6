import { spawn } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { PositionFile } from "../../src/access-log/position.ts";

t.test("one reader at a time, and its position for the next", async (t) => {
  const path = join(t.testdir(), "state/position.db");
  const first = await PositionFile.open(path);
  t.equal(statSync(path).mode & 0o777, 0o600, "for our user only");
  t.equal(first?.read(), undefined, "no position yet");
  first?.write({ device: 1, inode: 2, offset: 3 });
  t.equal(await PositionFile.open(path), undefined, "another one has to wait");
  first?.close();
  const second = await PositionFile.open(path);
  t.match(second?.read(), { device: 1, inode: 2, offset: 3 });
  second?.close();
});

t.test("a process that was killed keeps nothing", async (t) => {
  const path = join(t.testdir(), "position.db");
  const module = new URL("../../src/access-log/position.ts", import.meta.url).href;
  const text = `const { PositionFile } = await import(${JSON.stringify(module)});
    globalThis.kept = await PositionFile.open(${JSON.stringify(path)});
    console.log("open"); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", text], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  t.equal(await PositionFile.open(path), undefined, "while it lives");
  child.kill("SIGKILL");
  await once(child, "exit");
  const file = await PositionFile.open(path);
  t.ok(file, "and after it");
  file?.close();
});

t.test("a file that is no database", async (t) => {
  const path = join(t.testdir({ file: "x".repeat(5000) }), "file");
  await t.rejects(PositionFile.open(path), /not a database/, "is an error, not a lock");
});
