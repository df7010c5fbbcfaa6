/** One thread, one script. */
import { join } from "node:path";
import { writeFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import t from "tap";
import { ScriptThread } from "../../src/cgi/script-thread.ts";
import { runScript, scriptFolder } from "../fixtures/script.ts";

t.test("a script has its own environment and nothing else", async (t) => {
  process.env["MOD_TS_SECRET_OF_THE_SIDECAR"] = "1";
  const { stdout } = await runScript(
    t,
    `console.log(JSON.stringify([process.env, process.argv.length, process.execArgv.filter((a) => /vm-modules/.test(a))]))`,
    { env: { A: "1" } },
  );
  t.strictSame(JSON.parse(stdout), [{ A: "1" }, 2, []]);
});

t.test("how it ends", async (t) => {
  t.match((await runScript(t, "")).end, { kind: "done", reason: "exit code 0" });
  t.match((await runScript(t, "process.exitCode = 2")).end, {
    kind: "failed",
    reason: "exit code 2",
  });
  t.match((await runScript(t, "throw new Error('x')")).end, {
    kind: "broken",
    error: { message: "x" },
  });
  t.match((await runScript(t, "throw null")).end, { kind: "broken" });
  t.match((await runScript(t, "Promise.reject(new Error('y'))")).end, {
    kind: "broken",
    error: { message: "y" },
  });
  const hungry =
    "const a = []; setInterval(() => { for (let i = 0; i < 1e5; i++) a.push({ i }); });";
  t.match((await runScript(t, hungry, { memory: 40 })).end, {
    kind: "broken",
    error: { code: "MODTS_CGI_MEMORY" },
  });
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
    const run = await new ScriptThread(256).run({ file, env: {}, childTimeout: 1000 });
    await new Promise((resolve) => run.stdout.once("readable", resolve));
    run.kill();
    t.match(await run.ended, { kind: "broken", reason: "the end of its thread" }, code);
    await text(run.stdout);
  }
});

t.test("one that waits for work can be ended", async (t) => {
  const thread = new ScriptThread(256);
  thread.kill();
  t.match(await thread.gone, { kind: "broken" });
  await t.rejects(thread.run({ file: "/x.ts", env: {}, childTimeout: 1 }), {
    code: "MODTS_CGI_NOT_STARTED",
  });
});
