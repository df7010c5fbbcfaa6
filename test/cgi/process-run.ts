/** One process, one script. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import t, { type Test } from "tap";
import { startProcess } from "../../src/cgi/process-run.ts";
import { scriptFolder } from "../fixtures/script.ts";
import { until } from "../fixtures/until.ts";

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
    t.equal(await until(() => String(isAlive(Number(line))), "false"), "false", last);
  }
});

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
