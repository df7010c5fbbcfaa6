/** Workers that cannot start, or need longer than they have: what serves goes on, and all is well when the cause has gone. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { askStatus } from "../../src/supervisor/control.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { startLoad } from "../fixtures/load.ts";
import { modTs } from "../fixtures/mod-ts.ts";
import { haveEnded } from "../fixtures/processes.ts";
import { until } from "../fixtures/until.ts";

const options = {
  conf: `
    <Location /hello>
      Use TsHandler who.ts
    </Location>`,
  handlers: {
    "who.ts": handlerFile("who.ts"),
    "plugin.ts": handlerFile("crash-loop-plugin.ts"),
  },
};

t.test("a worker that dies at every start leaves the other one alone", async (t) => {
  const config = { fastify: ["plugin.ts"], pools: { main: { workers: 2 } } };
  const apache = await startApache(t, { ...options, config });
  const ready = async (): Promise<number[]> => {
    const { pools } = await askStatus(join(apache.folder, "run"));
    const workers = pools[0]?.workers ?? [];
    return workers.filter(({ state }) => state === "ready").map(({ pid }) => pid);
  };
  const hasReady = (count: number) =>
    until(async () => String((await ready()).length), new RegExp(`^${count}$`));
  await hasReady(2);
  const [first = 0, second = 0] = await ready();
  apache.write("handlers/fatal", "");
  process.kill(first, "SIGKILL");
  await haveEnded([first]);
  const load = startLoad(() => apache.request("/hello"), 2);
  await until(apache.sidecarLog, "MODTS_CRASH_LOOP");
  t.match(
    await modTs("reload", apache.folder),
    { code: 1, stderr: /MODTS_WORKER_NOT_READY.*exit code 9/ },
    "a reload is no way to lose the last worker",
  );
  t.same(await ready(), [second], "the other one is the same");
  const line = /MODTS_CRASH_LOOP: workers of pool main keep exiting: 3 in a row \(exit code 9\)/;
  t.match(apache.sidecarLog(), line);
  rmSync(join(apache.folder, "handlers/fatal"));
  await hasReady(2);
  t.ok((await ready()).includes(second), "and there are two again");
  await load.stop();
  t.same([...load.counts.keys()], [200], `all of ${load.counts.get(200)} requests were served`);
  const lines = apache.sidecarLog().match(/MODTS_CRASH_LOOP/g)?.length ?? 0;
  t.ok(lines <= 1 + process.uptime() / 60, "one line a minute at most");
});

t.test("readyTimeout is what the configuration says, and grows", async (t) => {
  const config = { fastify: ["plugin.ts"], limits: { readyTimeout: 1500 } };
  const handlers = { ...options.handlers, slow: "" };
  const apache = await startApache(t, { ...options, handlers, config });
  const reply = apache.request("/hello");
  await until(apache.sidecarLog, "not ready within 1500 ms");
  await until(apache.sidecarLog, "not ready within 3000 ms");
  rmSync(join(apache.folder, "handlers/slow"));
  t.equal((await reply).status, 200, "a request that waited all the time is served");
});
