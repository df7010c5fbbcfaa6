/** One process, one script, and the group of processes that it leads. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { startProcess } from "../../../src/handlers/cgi/process-run.ts";
import { haveEnded, isAlive } from "../../fixtures/processes.ts";
import { scriptFolder } from "../../fixtures/script.ts";
import { until } from "../../fixtures/until.ts";

const env = { PATH: process.env["PATH"] ?? "/bin:/usr/bin", A: "b" };

function start(t: Test, code: string, head = "#!/bin/sh\n") {
  const folder = scriptFolder(t);
  writeFileSync(join(folder, "run"), head + code, { mode: 0o755 });
  return { ...startProcess(join(folder, "run"), env), folder };
}

t.test("its streams, its folder, its environment", async (t) => {
  const run = start(t, "cat; echo $A $#; pwd; echo e >&2; exit 3");
  run.stdin.end("in ");
  const [stdout, stderr] = await Promise.all([text(run.stdout), text(run.stderr)]);
  t.equal(stdout, `in b 0\n${run.folder}\n`);
  t.equal(stderr, "e\n");
  t.match(await run.ended, { kind: "failed", reason: "exit code 3" });
  run.kill();
});

t.test("other ends", async (t) => {
  t.match(await start(t, "exit 0").ended, { kind: "done" });
  t.match(await start(t, "kill -9 $$").ended, { kind: "broken", reason: "signal SIGKILL" });
  const missing = await start(t, "", "#!/no/such/program\n").ended;
  t.match(missing, {
    kind: "broken",
    error: { code: "MODTS_CGI_NOT_STARTED", message: /interpreter/ },
  });
});

t.test("input that nobody reads breaks nothing", async (t) => {
  const run = start(t, "exec 0<&-; echo out; sleep 0.1");
  run.stdin.write(Buffer.alloc(500_000));
  t.equal(await text(run.stdout), "out\n");
  t.match(await run.ended, { kind: "done" });
});

t.test("the whole group is killed, its leader gone or not", async (t) => {
  for (const last of ["wait", "exit"]) {
    const run = start(t, `sleep 100 & echo $!; ${last}`);
    const [line] = (await new Promise<Buffer>((resolve) => run.stdout.once("data", resolve)))
      .toString()
      .split("\n");
    if (last === "exit") await run.ended;
    run.kill();
    await t.resolves(haveEnded([Number(line)]), last);
  }
});

t.test("a process in the background that has closed its pipes stays", async (t) => {
  const run = start(t, "sleep 100 <&- >/dev/null 2>&1 & echo $!");
  const [line] = await Promise.all([text(run.stdout), text(run.stderr), run.ended]);
  t.teardown(() => process.kill(Number(line)));
  const streams = [run.stdin, run.stdout, run.stderr];
  await until(() => String(streams.every(({ closed }) => closed)), "true");
  // Node reports the end of the process when all its streams are closed, some turns later.
  for (let turn = 0; turn < 10; turn += 1) await new Promise((done) => setImmediate(done));
  run.kill();
  await sleep(100);
  t.ok(isAlive(Number(line)), "the process in the background still runs");
});
