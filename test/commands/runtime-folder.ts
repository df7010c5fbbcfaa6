import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { makeRuntimeFolder } from "../../src/commands/runtime-folder.ts";

const stranger = { name: "stranger", uid: 54_321, gid: 54_321 };

const base = mkdtempSync(join(tmpdir(), "mod-ts-rf-"));
chmodSync(base, 0o755);
t.teardown(() => rmSync(base, { recursive: true }));

t.test("in the folder", async (t) => {
  t.strictSame(makeRuntimeFolder(base, stranger), {
    path: join(base, ".mod-ts"),
    reason: undefined,
    readable: true,
  });
  t.ok(existsSync(join(base, ".mod-ts")));
});

t.test("elsewhere when Apache's user may not enter", async (t) => {
  const home = join(base, "home");
  mkdirSync(join(home, "project"), { recursive: true });
  chmodSync(home, 0o700);
  const { path, reason, readable } = makeRuntimeFolder(join(home, "project"), stranger);
  t.teardown(() => rmSync(path, { recursive: true }));
  t.notOk(readable);
  t.match(reason, /stranger, who may not enter/);
  t.ok(path.startsWith(tmpdir()) && existsSync(path));
});

t.test("elsewhere when the path is too long for a socket", async (t) => {
  const folder = join(base, "x".repeat(90));
  mkdirSync(folder);
  const { path, reason, readable } = makeRuntimeFolder(folder, stranger);
  t.teardown(() => rmSync(path, { recursive: true }));
  t.ok(readable);
  t.match(reason, /too long/);
});
