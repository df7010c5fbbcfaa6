/** Groups of processes that are ended together. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import t from "tap";
import { endGroup, forgetGroup, watchGroup } from "../../src/cgi/process-groups.ts";

function startGroup(command: string): { group: number; ended: Promise<unknown[]> } {
  const child = spawn("/bin/sh", ["-c", command], { detached: true, stdio: "ignore" });
  return { group: child.pid as number, ended: once(child, "exit") };
}

t.test("one that is watched is ended", async (t) => {
  const { group, ended } = startGroup("sleep 1000; true");
  watchGroup(group);
  endGroup(group);
  t.same(await ended, [null, "SIGTERM"]);
  t.ok(forgetGroup(group), "known until nothing can be left of it");
});

t.test("one that was forgotten is on its own", async (t) => {
  const { group, ended } = startGroup("sleep 0.3");
  watchGroup(group);
  t.ok(forgetGroup(group));
  t.notOk(forgetGroup(group));
  endGroup(group);
  t.same(await ended, [0, null]);
});
