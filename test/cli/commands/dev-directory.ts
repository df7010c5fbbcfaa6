import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { makeDevDirectory } from "../../../src/cli/commands/dev-directory.ts";

const stranger = { name: "stranger", uid: 54_321, gid: 54_321 };

const base = mkdtempSync(join(tmpdir(), "mod-ts-rf-"));
chmodSync(base, 0o755);
t.teardown(() => rmSync(base, { recursive: true }));

t.test("in the directory", async (t) => {
  t.strictSame(makeDevDirectory(base, stranger), {
    path: join(base, ".mod-ts"),
    reason: undefined,
    readable: true,
  });
  t.equal(readFileSync(join(base, ".mod-ts/.gitignore"), "utf8"), "*\n", "git ignores it");
});

t.test("elsewhere when Apache's user may not enter", async (t) => {
  const home = join(base, "home");
  mkdirSync(join(home, "project"), { recursive: true });
  chmodSync(home, 0o700);
  const { path, reason, readable } = makeDevDirectory(join(home, "project"), stranger);
  t.teardown(() => rmSync(path, { recursive: true }));
  t.notOk(readable);
  t.match(reason, /stranger/);
  t.ok(path.startsWith(tmpdir()) && existsSync(path));
});

t.test("elsewhere when the path is too long for a socket", async (t) => {
  const directory = join(base, "x".repeat(90));
  mkdirSync(directory);
  const { path, reason, readable } = makeDevDirectory(directory, stranger);
  t.teardown(() => rmSync(path, { recursive: true }));
  t.ok(readable);
  t.match(reason, /too long/);
});
