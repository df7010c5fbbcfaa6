import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import t from "tap";
import { hasEnded, isAlive, ownIdentity, startTime } from "../../src/base/process-identity.ts";
import { until } from "../fixtures/until.ts";

t.test("this process", async (t) => {
  t.ok(isAlive(process.pid));
  t.match(ownIdentity(), new RegExp(`^[0-9a-f]{12}\\.${process.pid}\\.`));
  t.notOk(hasEnded(ownIdentity()));
  t.equal(startTime(2 ** 30), "");
});

t.test("one that has ended, and one that got its number", async (t) => {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  const [machine] = ownIdentity().split(".");
  const identity = `${machine}.${child.pid}.${startTime(child.pid ?? 0)}`;
  t.notOk(hasEnded(identity));
  child.kill("SIGKILL");
  await once(child, "exit");
  t.ok(hasEnded(identity));
  if (process.platform === "linux") t.ok(hasEnded(`${machine}.${process.pid}.1`));
});

t.test("one that has ended, and whose parent does not ask", async (t) => {
  const parent = spawn("sh", ["-c", "sleep 60 & echo $!; exec sleep 60"]);
  t.teardown(() => parent.kill("SIGKILL"));
  const [line] = (await once(parent.stdout, "data")) as [Buffer];
  const pid = Number(line);
  t.ok(isAlive(pid));
  process.kill(pid, "SIGKILL");
  await until(() => readFileSync(`/proc/${pid}/stat`, "utf8"), /\) Z /);
  t.notOk(isAlive(pid));
});

t.test("what cannot be seen from here has not ended as far as we know", async (t) => {
  for (const identity of ["", "x", "abcdefabcdef.1.1", `${ownIdentity().split(".")[0]}.x.1`]) {
    t.notOk(hasEnded(identity), identity);
  }
});
