import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { withScratch } from "../../src/base/scratch.ts";

t.test("a directory for as long as it is used", async (t) => {
  let directory = "";
  const result = await withScratch("mod-ts-scratch-", async (path) => {
    directory = path;
    writeFileSync(join(path, "a"), "");
    return "result";
  });
  t.equal(result, "result");
  t.notOk(existsSync(directory));
  await t.rejects(
    withScratch("mod-ts-scratch-", async (path) => {
      directory = path;
      throw new Error("failed");
    }),
    /failed/,
  );
  t.notOk(existsSync(directory));
});

t.test("a signal runs what is to be cleaned up, unless it is cancelled", (t) => {
  const folder = t.testdir({});
  const module = join(import.meta.dirname, "../../src/base/scratch.ts");
  const script = `import { atExit, exitOnSignals, withScratch } from ${JSON.stringify(module)};
    exitOnSignals();
    atExit(() => console.log("cleaned"));
    atExit(() => console.log("cancelled"))();
    void withScratch("x", async () => { process.kill(process.pid, "SIGTERM"); await new Promise((resolve) => setTimeout(resolve, 60_000)); });`;
  const args = ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", script];
  const env = { ...process.env, TMPDIR: folder };
  const { status, stdout } = spawnSync(process.execPath, args, { env, encoding: "utf8" });
  t.equal(status, 143);
  t.equal(stdout, "cleaned\n");
  t.same(readdirSync(folder), []);
  t.end();
});
