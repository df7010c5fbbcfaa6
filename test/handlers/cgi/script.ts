/** Which file may run, and how. */
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { findScript } from "../../../src/handlers/cgi/script.ts";
import { DECLINED } from "../../../src/base/outcome.ts";
import { scriptFolder } from "../../fixtures/script.ts";

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
  const text = name.endsWith(".sh") ? "#!/bin/sh\n" : "";
  writeFileSync(join(folder, name), text, { mode: name.endsWith(".sh") ? 0o755 : 0o644 });
}
symlinkSync(join(folder, "out/a.ts"), join(folder, "in/link.ts"));
symlinkSync(join(folder, "in/a.ts"), join(folder, "in/inner.sh"));

const find = (name: string) => findScript(join(folder, name), roots);

t.test("TypeScript and JavaScript are run by Node.js, other programs by the system", async (t) => {
  t.strictSame(find("in/a.ts"), { file: join(folder, "in/a.ts"), kind: "node" });
  t.match(find("in/b.mjs"), { kind: "node" });
  t.match(find("in/run.sh"), { kind: "program" });
  t.match(find("in/inner.sh"), { file: join(folder, "in/a.ts"), kind: "node" });
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

t.test("an executable file is a program only by its content", async (t) => {
  const put = (bytes: string): void => {
    writeFileSync(join(folder, "in/program"), Buffer.from(bytes, "latin1"), { mode: 0o755 });
  };
  const refused = [
    "",
    "echo run as shell script\n",
    "#",
    "#!",
    "#! \n/bin/sh",
    "\x7fELF\necho",
    "MZ\x90",
  ];
  for (const bytes of refused) {
    put(bytes);
    t.throws(() => find("in/program"), { code: "MODTS_CGI_NOT_STARTED", status: 500 }, bytes);
  }
  for (const bytes of ["#!/bin/sh\n", "#! \t/bin/sh -e\n", "\x7fELF\x02\x01\x01\0"]) {
    put(bytes);
    t.match(find("in/program"), { kind: "program" });
  }
  copyFileSync(process.execPath, join(folder, "in/program"));
  t.match(find("in/program"), { kind: "program" }, "a real one");
});
