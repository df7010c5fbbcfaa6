/** A new sidecar process in place of the running one, while requests come. */
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { askUpgrade } from "../../src/supervisor/control.ts";
import { findSupervisor } from "../../src/supervisor/run-directory.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { startLoad } from "../fixtures/load.ts";

const apache = await startApache(t, {
  conf: `
    DocumentRoot "\${FOLDER}/htdocs"
    <Directory "\${FOLDER}/htdocs">
      Require all granted
    </Directory>
    <Location "/hello">
      Use TsHandler hello.ts
    </Location>
    <Location "/guarded/">
      AuthType Basic
      AuthName guarded
      Use TsAuthenHandler users.ts
      Require valid-user
    </Location>`,
  files: { "htdocs/guarded/a.txt": "a" },
  handlers: {
    "hello.ts": handlerFile("parent-pid.ts"),
    "users.ts": handlerFile("ann.ts"),
  },
  authorizer: true,
});
const run = join(apache.folder, "run");
const headers = { authorization: `Basic ${Buffer.from("ann:x").toString("base64")}` };

t.teardown(async () => {
  const pid = findSupervisor(run);
  if (pid !== undefined) process.kill(pid, "SIGTERM");
  while (findSupervisor(run) !== undefined) await sleep(20);
});

t.test("an upgrade fails no request, of content or of access checks", async (t) => {
  const before = (await apache.request("/hello")).body;
  t.equal(before, String(apache.sidecar.pid));
  const content = startLoad(() => apache.request("/hello"), 2);
  const guarded = startLoad(() => apache.request("/guarded/a.txt", { headers }), 2);
  const outcome = await askUpgrade(run, apache.folder);
  t.match(outcome, { ok: true, pid: Number });
  // Connections that Apache keeps lead to the old process once more.
  while ((await apache.request("/hello")).body === before) await sleep(10);
  await content.stop();
  await guarded.stop();
  t.same([...content.counts.keys()], [200], `${content.counts.get(200)} requests for content`);
  t.same([...guarded.counts.keys()], [200], `${guarded.counts.get(200)} access checks`);
  t.equal(findSupervisor(run), (outcome as { pid: number }).pid);
  if (apache.sidecar.exitCode === null) await once(apache.sidecar, "exit");
  t.equal(apache.sidecar.exitCode, 0, "the old process ends");
  t.equal((await apache.request("/guarded/a.txt", { headers })).status, 200);
});
