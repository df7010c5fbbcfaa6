/** Child processes of a script in a thread: the script sees nothing of what is told about them. */
import { existsSync, readFileSync } from "node:fs";
import t from "tap";
import { runScript } from "../fixtures/script.ts";
import { until } from "../fixtures/until.ts";

/** `S` sleeps, `Z` has ended, `-` is not there. */
function stateOf(pid: string): string {
  const file = `/proc/${pid}/status`;
  const status = existsSync(file) ? readFileSync(file, "utf8") : "";
  return /^State:\s+(\w)/m.exec(status)?.[1] ?? "-";
}

t.test("every way to start one still works", async (t) => {
  const { stdout, end } = await runScript(
    t,
    `
      import { exec, execFile, execFileSync, spawn } from "node:child_process";
      import { promisify } from "node:util";
      const { stdout } = await promisify(exec)("echo exec");
      const file = await promisify(execFile)("/bin/echo", ["file"]);
      const own = spawn("/bin/echo", ["spawn"], { detached: true });
      const text = await new Promise((resolve) => own.stdout.once("data", resolve));
      const failure = await promisify(exec)("exit 3").catch(({ code }) => code);
      const missing = await promisify(execFile)("/no/such").catch(({ code }) => code);
      process.stdout.write([stdout, file.stdout, text, execFileSync("/bin/echo", ["sync"]), failure, missing].join(" "));
    `,
    { name: "script.mts" },
  );
  t.match(end, { kind: "done" });
  t.equal(stdout, "exec\n file\n spawn\n sync\n 3 ENOENT");
});

t.test("a child without an end does not outlive a script that throws", async (t) => {
  const { stdout, end } = await runScript(
    t,
    `
      const child = require("node:child_process").spawn("sleep", ["1000"], { stdio: "ignore" });
      console.log(child.pid);
      setTimeout(() => { throw new Error("x"); }, 100);
    `,
    { name: "script.cjs" },
  );
  t.match(end, { kind: "broken" });
  t.match(await until(() => stateOf(stdout.trim()), /^[Z-]/), /^[Z-]/);
});
