/** One warm process, one script: a real process in every respect. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import t from "tap";
import "../../fixtures/plain-children.ts";
import { WarmProcess } from "../../../src/handlers/cgi/warm-process.ts";
import { haveEnded } from "../../fixtures/processes.ts";
import { runScript, scriptFolder } from "../../fixtures/script.ts";

t.test("a script has its own environment, arguments and directory", async (t) => {
  process.env["MOD_TS_SECRET_OF_THE_SIDECAR"] = "1";
  const { stdout, folder } = await runScript(
    t,
    `
      const { execSync } = require("node:child_process");
      const shell = String(execSync("pwd; echo $A"));
      console.log(JSON.stringify([process.env, process.argv.length, process.cwd(), shell]));
    `,
    { env: { A: "1", PATH: "/usr/bin:/bin" } },
  );
  t.strictSame(JSON.parse(stdout), [
    { A: "1", PATH: "/usr/bin:/bin" },
    2,
    folder,
    `${folder}\n1\n`,
  ]);
});

t.test("how it ends", async (t) => {
  t.match((await runScript(t, "")).end, { kind: "done", reason: "exit code 0" });
  const failed = await runScript(t, "process.exitCode = 2");
  t.match(failed.end, { kind: "failed", reason: "exit code 2" });
  for (const code of ["throw new Error('x')", "Promise.reject(new Error('x'))"]) {
    t.match((await runScript(t, code)).end, { kind: "broken", error: { message: "x" } }, code);
  }
  t.match((await runScript(t, "throw null")).end, { kind: "broken", error: { message: "null" } });
  const aborted = await runScript(t, "process.abort()");
  t.match(aborted.end, { kind: "broken", reason: "signal SIGABRT" });
});

t.test("a script that handles its errors has not failed", async (t) => {
  const code = `
    process.on("uncaughtException", (error) => { console.log(error.message); process.exit(3); });
    throw new Error("x");
  `;
  t.match(await runScript(t, code), { stdout: "x\n", end: { kind: "failed" } });
});

t.test("memory is limited, buffers included", async (t) => {
  const heap = "for (let i = 0; i < 1e5; i++) all.push({ i });";
  const buffers = "all.push(Buffer.alloc(4_000_000, 1));";
  for (const step of [heap, buffers]) {
    const code = `const all: unknown[] = []; setInterval(() => { ${step} }, 1);`;
    const { end } = await runScript(t, code, { memory: 64 });
    t.match(end, { kind: "broken", error: { code: "MODTS_CGI_MEMORY" } }, step);
  }
});

t.test("it is killed in the middle of a loop, of a wait, of its output", async (t) => {
  const folder = scriptFolder(t);
  for (const code of [
    "console.log('go'); for (;;);",
    "console.log('go'); require('node:fs').readFileSync(0);",
    "for (;;) process.stdout.write(Buffer.alloc(100_000));",
  ]) {
    const file = join(folder, "a.cjs");
    writeFileSync(file, code);
    const run = new WarmProcess(256).run(file, {});
    await new Promise((resolve) => run.stdout.once("readable", resolve));
    run.kill();
    t.match(await run.ended, { kind: "broken", reason: "signal SIGTERM" }, code);
  }
});

t.test("its children end with it", async (t) => {
  const file = join(scriptFolder(t), "a.cjs");
  writeFileSync(
    file,
    `
      const child = require("node:child_process").spawn("sleep", ["1000"], { stdio: "inherit" });
      console.log(child.pid);
      setInterval(() => {}, 1000);
    `,
  );
  const run = new WarmProcess(256).run(file, { PATH: process.env["PATH"] ?? "" });
  const [pid] = await new Promise<Buffer[]>((resolve) => {
    run.stdout.once("data", (data: Buffer) => resolve([data]));
  });
  run.kill();
  await t.resolves(haveEnded([Number(pid)]));
});

t.test("one that waits for work can be ended", async (t) => {
  const process = new WarmProcess(256);
  process.kill();
  t.match(await process.ended, { kind: "broken" });
});

t.test("garbage on the channel ends the script and harms nobody", async (t) => {
  const code = `require("node:fs").writeSync(3, "null\\n"); setInterval(() => {}, 1000);`;
  const file = join(scriptFolder(t), "a.cjs");
  writeFileSync(file, code);
  const run = new WarmProcess(256).run(file, {});
  t.match(await run.ended, { kind: "broken", reason: "signal SIGTERM" });
});

t.test("everything written before process.exit() is there", async (t) => {
  const code = `
    process.stdout.write("x".repeat(3_000_000));
    console.error("e");
    require("node:fs").writeSync(1, "end");
    process.exit(5);
  `;
  const { stdout, stderr, end } = await runScript(t, code);
  t.equal(stdout.length, 3_000_003);
  t.equal(stderr, "e\n");
  t.match(end, { kind: "failed", reason: "exit code 5" });
});

t.test("a slow reader blocks the script", async (t) => {
  const folder = scriptFolder(t);
  const file = join(folder, "flood.cjs");
  writeFileSync(
    file,
    `
      process.stdout.write(Buffer.alloc(10_000_000));
      require("node:fs").writeFileSync("done", "");
    `,
  );
  const run = new WarmProcess(256).run(file, {});
  await new Promise((resolve) => run.stdout.once("readable", resolve));
  t.notOk(existsSync(join(folder, "done")));
  t.equal((await text(run.stdout)).length, 10_000_000);
  t.match(await run.ended, { kind: "done" });
  t.ok(existsSync(join(folder, "done")));
});
