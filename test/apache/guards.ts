/** The pool that decides about access: what other pools and its own workers do does not matter to it. */
import { availableParallelism, loadavg } from "node:os";
import t, { type Test } from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { until } from "../fixtures/until.ts";

const apache = await startApache(t, {
  authorizer: true,
  guards: 2,
  isWaiting: false,
  conf: `
    <Directory "\${FOLDER}/htdocs">
      AuthType mod_ts
      Use TsAccessHandler judge.ts
      Require valid-user
    </Directory>
    <Location /loop>
      Use TsHandler loop.ts
    </Location>
  `,
  files: { "htdocs/a.txt": "a" },
  handlers: {
    "judge.ts": handlerFile("guards-judge.ts"),
    "loop.ts": handlerFile("guards-loop.ts"),
  },
});
async function guardPids(): Promise<Set<number>> {
  const pids = new Set<number>();
  for (let count = 0; count < 20; count += 1) {
    const { headers } = await apache.request("/a.txt", may);
    pids.add(Number(String(headers["x-pool"]).split(" ")[1]));
  }
  return pids;
}

const may = { headers: { "x-may": "yes" } };

/** Asks when workers start within 30 s on this machine: mod_authnz_fcgi waits no longer, whatever is configured. */
async function patiently(t: Test, check: () => Promise<unknown>): Promise<void> {
  if (loadavg()[0]! > 4 * availableParallelism()) t.comment("this machine is too busy");
  else await check();
}

t.test("a question that is asked while workers start waits for one", async (t) => {
  t.notMatch(apache.sidecarLog(), /\bready\b/);
  await patiently(t, async () =>
    t.match(await apache.request("/a.txt", may), { status: 200, body: "a" }),
  );
  t.match(await apache.request("/a.txt"), { status: 403 });
});

t.test("a content handler that never returns blocks no access check", async (t) => {
  await until(apache.sidecarLog, /\bready\b/);
  apache.request("/loop", may).catch(() => {});
  await until(apache.sidecarLog, "looping");
  for (let count = 0; count < 10; count += 1) {
    const { status, headers } = await apache.request("/a.txt", may);
    t.match({ status, pool: headers["x-pool"] }, { status: 200, pool: /^guards / });
  }
  t.equal((await apache.request("/a.txt")).status, 403, "a refusal needs no other pool either");
});

t.test("a guard that never returns holds up no other question", async (t) => {
  const blocked = apache.request("/a.txt", { headers: { "x-block": "yes" } }).catch(() => {});
  await until(apache.sidecarLog, "judge loops");
  for (let count = 0; count < 10; count += 1) {
    t.equal((await apache.request("/a.txt", may)).status, 200, "the other guard decides");
  }
  void blocked;
});

t.test("questions wait while no worker lives", async (t) => {
  for (const pid of await guardPids()) process.kill(pid, "SIGKILL");
  await patiently(t, async () => t.match(await apache.request("/a.txt", may), { status: 200 }));
});
