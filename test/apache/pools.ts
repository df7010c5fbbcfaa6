/** Pools of workers ("interpreters"): separate processes, chosen by the location. */
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { until } from "../fixtures/until.ts";

const apache = await startApache(t, {
  conf: `
    Use TsPool admin
    <Location /count>
      Use TsHandler count.ts
    </Location>
    <Location /count/admin>
      Use TsInterpreter admin
    </Location>
    <Location /before>
      Use TsInterpreter admin
      Use TsHandler count.ts
    </Location>
    <Location /crash>
      Use TsHandler count.ts::crash
      Use TsInterpreter admin
    </Location>
    # The name of one pool, the socket of another.
    <Location /mixed>
      Use TsHandler count.ts
      Use TsInterpreter admin
      SetEnvIfExpr "true" "MOD_TS_BACKEND=proxy:\${MOD_TS_POOL_main}"
    </Location>
    <Directory "\${FOLDER}/htdocs/inner">
      Use TsHandler count.ts
      Use TsInterpreter admin
    </Directory>
    <Location /back>
      Use TsHandler count.ts
      Use TsInterpreter admin
      <If "%{QUERY_STRING} == 'main'">
        Use TsInterpreter main
      </If>
    </Location>
  `,
  files: { "htdocs/inner/x.txt": "x" },
  config: { pools: { main: { workers: 1 }, admin: { workers: 1 } } },
  handlers: {
    "count.ts": handlerFile("pools-count.ts"),
  },
});

interface Seen {
  pool: string;
  pid: number;
  count: number;
}

async function ask(path: string): Promise<Seen> {
  return JSON.parse((await apache.request(path)).body) as Seen;
}

t.test("two pools are two processes, each with its own state", async (t) => {
  const main = [await ask("/count"), await ask("/count")];
  const admin = [await ask("/count/admin"), await ask("/count/admin"), await ask("/count/admin")];
  t.same(
    main.map(({ pool, count }) => [pool, count]),
    [
      ["main", 1],
      ["main", 2],
    ],
  );
  t.same(
    admin.map(({ pool, count }) => [pool, count]),
    [
      ["admin", 1],
      ["admin", 2],
      ["admin", 3],
    ],
  );
  t.equal(new Set(main.map(({ pid }) => pid)).size, 1);
  t.not(main[0]?.pid, admin[0]?.pid);
});

t.test("the pool may be named before the handler, and in any section", async (t) => {
  for (const path of ["/before", "/inner/x.txt", "/back"])
    t.equal((await ask(path)).pool, "admin", path);
});

t.test("an inner section may go back", async (t) => {
  t.equal((await ask("/back?main")).pool, "main");
});

t.test("a pool that does not fit its name is an error and not a mix-up", async (t) => {
  const reply = await apache.request("/mixed");
  t.equal(reply.status, 500);
  t.notMatch(reply.body, /pid|admin/);
  const line = /MODTS_WRONG_INTERPRETER: request for pool admin arrived at pool main/;
  t.match(await until(apache.sidecarLog, line), line);
});

t.test("the end of one pool's process is nothing to the other", async (t) => {
  const before = { main: await ask("/count"), admin: await ask("/count/admin") };
  t.match(String((await apache.request("/crash")).status), /^50[23]$/, "its request fails");
  // Its connections close one after the other: until the last, Apache may still use one.
  await until(apache.sidecarLog, "MODTS_WORKER_DIED");
  const after = { main: await ask("/count"), admin: await ask("/count/admin") };
  t.equal(after.main.pid, before.main.pid);
  t.equal(after.main.count, before.main.count + 1);
  t.not(after.admin.pid, before.admin.pid);
  t.equal(after.admin.count, 1, "a new process, a new state");
});
