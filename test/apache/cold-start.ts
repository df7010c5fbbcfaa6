/** A sidecar whose workers take their time to start, and Apache, which does not know that. */
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import t from "tap";
import type { Config } from "../../src/config/config.ts";
import { freePort } from "../../src/httpd/private-server.ts";
import { askStatus } from "../../src/supervisor/control.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import {
  type Apache,
  startFurtherSidecar,
  startHttpd,
  temporaryFolder,
} from "../fixtures/httpd.ts";
import { Running } from "../fixtures/mod-ts.ts";
import { until } from "../fixtures/until.ts";

const secret = "0123456789abcdef";
const minute = 60_000;
const balancerModules = ["mod_proxy_balancer", "mod_slotmem_shm", "mod_lbmethod_bybusyness"];
const paths = ["/hello", "/guarded/a.txt", "/fixed/a.txt"];

interface Slow extends Apache {
  running: Running;
  authorizer: number;
  /** Lets the workers get ready. */
  open(): void;
}

/** Starts both, up to the point where every worker waits. */
async function startSlowly(more: Config, conf = ""): Promise<Slow> {
  const folder = temporaryFolder(t);
  const authorizer = await freePort("127.0.0.1");
  const config: Config = {
    handlers: ["handlers"],
    run: "run",
    secret,
    pools: { main: { workers: 1 } },
    authorizer: { port: authorizer, workers: 1 },
    fastify: ["plugin.ts"],
    limits: { readyTimeout: 10 * minute, evaluateTimeout: 10 * minute },
    log: { format: "text" },
    ...more,
  };
  const apache = await startHttpd(t, folder, {
    before: `Define MOD_TS_SECRET ${secret}\nDefine MOD_TS_AUTHORIZER 127.0.0.1:${authorizer}`,
    modules: ["mod_proxy_scgi", ...balancerModules],
    files: {
      "mod-ts.config.json": JSON.stringify(config),
      "run/authorizer.listening": "left over from a crash",
      "handlers/who.ts": handlerFile("who.ts"),
      "handlers/plugin.ts": handlerFile("cold-start-plugin.ts"),
      "htdocs/guarded/a.txt": "guarded",
      "htdocs/fixed/a.txt": "fixed",
    },
    conf: `
      <Location /hello>
        Use TsHandler who.ts
      </Location>
      <Location /guarded/>
        AuthType mod_ts
        Use TsAuthenHandler who.ts
        Require valid-user
      </Location>
      <Location /fixed/>
        Use TsFixupHandler who.ts
      </Location>
      ${conf}`,
  });
  const running = new Running("start", folder);
  t.teardown(() => running.child.kill("SIGKILL"));
  const open = (): void => apache.write("handlers/open", "");
  return { ...apache, running, authorizer, open };
}

const statuses = async (apache: Apache): Promise<number[]> =>
  Promise.all(paths.map(async (path) => (await apache.request(path)).status));

/** Connections that wait in the kernel for a worker to accept them, at the authorizer and the decider. */
function waiting({ folder, authorizer }: Slow): string {
  const port = authorizer.toString(16).toUpperCase().padStart(4, "0");
  // The local address, the peer, 0A for a listening socket, and the length of its queue.
  const listening = new RegExp(`0100007F:${port} \\S+ 0A \\S+:0*(\\w*)`);
  const atAuthorizer = listening.exec(readFileSync("/proc/net/tcp", "utf8"))?.[1] ?? "none";
  // 02 for a connection that nobody has accepted; sockets are bound as `.new` and renamed.
  const pending = new RegExp(`^(?:\\S+ +){5}02 +\\d+ ${join(folder, "run/.new")}$`, "gm");
  const atDecider = readFileSync("/proc/net/unix", "utf8").match(pending)?.length;
  return `authorizer ${atAuthorizer}, decider ${atDecider}`;
}

t.test("what is asked before the first worker serves waits, and is answered", async (t) => {
  const apache = await startSlowly({});
  for (const name of [`:${apache.authorizer}`, "decide.sock", "main.sock"]) {
    await apache.running.logged(
      `listening on ${name.startsWith(":") ? `127.0.0.1${name}` : join(apache.folder, "run", name)}`,
    );
  }
  for (const _ of ["main", "guards"]) await apache.running.logged("a worker waits");
  let answered = 0;
  const replies = Promise.all(
    paths.map((path) => apache.request(path).finally(() => (answered += 1))),
  );
  const queued = async (): Promise<string> => {
    const { pools } = await askStatus(join(apache.folder, "run"));
    const content = pools.find(({ name }) => name === "main")?.queued;
    return `content ${content}, ${waiting(apache)}`;
  };
  await until(queued, "content 1, authorizer 1, decider 1");
  t.equal(answered, 0, "each of them waits");
  apache.open();
  t.match(await replies, [
    { status: 200 },
    { status: 200, body: "guarded" },
    { status: 200, body: "fixed", headers: { "x-fixed-by": /./ } },
  ]);
  await apache.running.logged("ready");
});

t.test("one of several sidecars refuses until it can answer", async (t) => {
  const apache = await startSlowly({ listenAt: "ready" });
  for (const _ of ["main", "guards"]) await apache.running.logged("a worker waits");
  t.same(await statuses(apache), [503, 503, 503], "so that a balancer asks another one");
  apache.open();
  await apache.running.logged(`listening on ${join(apache.folder, "run/main.sock")}`);
  await apache.running.logged("ready");
  t.same(await statuses(apache), [200, 200, 200], "workers that were ready before accept on all");
});

t.test("a balancer uses the other one meanwhile, and both afterwards", async (t) => {
  const other = await startFurtherSidecar(t, {
    handlers: { "who.ts": handlerFile("who.ts") },
    config: { secret },
  });
  const member = (name: string, run: string): string =>
    `BalancerMember "unix:${run}/main.sock|http://${name}.mod-ts" retry=1`;
  const apache = await startSlowly(
    { listenAt: "ready" },
    `<Proxy "balancer://sidecars">
      ${member("one", "${FOLDER}/run")}
      ${member("two", `${other.folder}/run`)}
      ProxySet lbmethod=bybusyness
    </Proxy>
    SetEnvIfExpr "true" "MOD_TS_BACKEND=proxy:balancer://sidecars"`,
  );
  for (const _ of ["main", "guards"]) await apache.running.logged("a worker waits");
  const placeOf = async (): Promise<string> => {
    const { status, body } = await apache.request("/hello");
    return status === 200 ? (JSON.parse(body) as { place: string }).place : String(status);
  };
  const ready = basename(other.folder);
  for (let count = 0; count < 20; count += 1) t.equal(await placeOf(), ready);
  apache.open();
  await until(placeOf, basename(apache.folder));
  t.pass("the new one serves, too");
});
