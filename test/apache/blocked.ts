/** Handlers that block a worker, or fill its memory: it is replaced, and nothing else notices. */
import t from "tap";
import { handlerFiles } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { startLoad } from "../fixtures/load.ts";
import { haveEnded } from "../fixtures/processes.ts";
import { until } from "../fixtures/until.ts";

const handlers = handlerFiles("blocked");

const conf = `
DocumentRoot "\${FOLDER}/htdocs"
<Directory "\${FOLDER}/htdocs">
  Require all granted
</Directory>
<Location "/hello">
  Use TsHandler hello.ts
</Location>
<Location "/loop">
  Use TsHandler loop.ts
</Location>
<Location "/leak">
  Use TsHandler leak.ts
</Location>
<Location "/guarded/">
  AuthType Basic
  AuthName guarded
  Use TsAuthenHandler users.ts
  Require valid-user
</Location>
`;
const files = { "htdocs/guarded/a.txt": "a", "htdocs/guarded/loop": "never sent" };
const headers = { authorization: `Basic ${Buffer.from("ann:x").toString("base64")}` };

t.test("a content handler that never ends, in one of two workers", async (t) => {
  const config = { pools: { main: { workers: 2 } } };
  const apache = await startApache(t, { conf, files, handlers, config, authorizer: true });
  const guards = startLoad(() => apache.request("/guarded/a.txt", { headers }), 1);
  const content = startLoad(() => apache.request("/hello"), 1);
  const { status } = await apache.request("/loop");
  t.equal(status, 502, "the request that did it fails, and gets an answer");
  await until(apache.sidecarLog, "MODTS_WORKER_DIED");
  await content.stop();
  await guards.stop();
  t.same([...guards.counts.keys()], [200], "access checks never notice");
  const good = content.counts.get(200) ?? 0;
  const bad = [...content.counts.values()].reduce((sum, count) => sum + count) - good;
  t.ok(good > 0 && bad <= 1, `of ${good + bad} other requests ${bad} waited for that worker`);
  const log = apache.sidecarLog();
  t.match(log, /MODTS_WORKER_BLOCKED: event loop of worker \d+ of pool main/);
  t.match(log, /at handler \(.*\/loop\.ts:6:\d+\)/, "the line of the TypeScript file");
  t.match(log, /MODTS_WORKER_DIED: worker \d+ of pool main exited \(event loop blocked for/);
  t.equal(log.match(/MODTS_WORKER_DIED/g)?.length, 1, "no other worker died");
});

t.test("every worker of the guards blocked at once", async (t) => {
  const apache = await startApache(t, { conf, files, handlers, authorizer: true });
  const content = startLoad(() => apache.request("/hello"), 1);
  const cut = await Promise.all([
    apache.request("/guarded/loop", { headers }),
    apache.request("/guarded/loop", { headers }),
  ]);
  t.notOk(
    cut.some(({ status, body }) => status === 200 || body.includes("never sent")),
    `nobody gets in: ${cut.map(({ status }) => status).join(" ")}`,
  );
  t.equal((await apache.request("/guarded/a.txt", { headers })).status, 200, "and it works again");
  await content.stop();
  t.same([...content.counts.keys()], [200], "content never notices");
  const stack = /at authenHandler \(.*\/users\.ts:4:\d+\)/;
  t.match(await until(apache.sidecarLog, stack), stack, "the log names the line that blocked");
});

t.test("memory without end", async (t) => {
  const config = { pools: { main: { workers: 1, memoryBytes: 300 * 1024 ** 2 } } };
  const apache = await startApache(t, { conf, handlers, config, authorizer: true });
  const { body: before } = await apache.request("/hello");
  t.equal((await apache.request("/leak")).status, 502, "the request that did it gets an answer");
  // Its connections close one after the other: until the last, Apache may still use one.
  await haveEnded([Number(before)]);
  const { status, body: after } = await apache.request("/hello");
  t.equal(status, 200, "the next request is served");
  t.not(after, before, "by another worker");
  const why = /memory of \d+ MiB, limit 300 MiB/;
  t.match(await until(apache.sidecarLog, why), why, "the log says why it ended");
});
