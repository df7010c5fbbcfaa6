/** Which file may run, and how. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { findScript } from "../../src/cgi/script.ts";
import { DECLINED } from "../../src/outcome.ts";
import { scriptFolder } from "../fixtures/script.ts";

const folder = scriptFolder(t);
const roots = [join(folder, "in")];
for (const name of ["in", "out", "in/sub.ts"]) mkdirSync(join(folder, name));
for (const name of [
  "in/a.ts",
  "in/b.mjs",
  "in/run.sh",
  "in/plain.txt",
  "in/nph-a.ts",
  "out/a.ts",
]) {
  writeFileSync(join(folder, name), "", { mode: name.endsWith(".sh") ? 0o755 : 0o644 });
}
symlinkSync(join(folder, "out/a.ts"), join(folder, "in/link.ts"));
symlinkSync(join(folder, "in/a.ts"), join(folder, "in/inner.sh"));

const find = (name: string) => findScript(join(folder, name), roots);

t.test("TypeScript and JavaScript run in threads, other programs as processes", async (t) => {
  t.strictSame(find("in/a.ts"), { file: join(folder, "in/a.ts"), kind: "thread" });
  t.match(find("in/b.mjs"), { kind: "thread" });
  t.match(find("in/run.sh"), { kind: "process" });
  t.match(find("in/inner.sh"), { file: join(folder, "in/a.ts"), kind: "thread" });
});

t.test("nothing to run", async (t) => {
  t.equal(find("in/missing.ts"), 404);
  t.equal(find("in/a.ts/below"), 404);
  t.equal(find("in/sub.ts"), DECLINED);
});

t.test("what may not run", async (t) => {
  t.throws(() => find("out/a.ts"), { code: "MODTS_OUTSIDE_ROOTS" });
  t.throws(() => find("in/link.ts"), { code: "MODTS_OUTSIDE_ROOTS" });
  t.throws(() => find("in/nph-a.ts"), { code: "MODTS_CGI_NPH" });
  t.throws(() => find("in/plain.txt"), { code: "MODTS_CGI_NOT_EXECUTABLE", status: 403 });
});
