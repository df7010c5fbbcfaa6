/** Sockets as of systemd units: held by another process, and passed to each start of the sidecar. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { freePort } from "../../src/httpd/private-server.ts";
import { type ListenAddress, type Listener, openListener } from "../../src/supervisor/listener.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startHttpd, temporaryFolder } from "../fixtures/httpd.ts";
import { startLoad } from "../fixtures/load.ts";
import { until } from "../fixtures/until.ts";

const folder = temporaryFolder(t);
const run = join(folder, "run");
const port = await freePort("127.0.0.1");
const secret = "0123456789abcdef";

mkdirSync(join(folder, "handlers"));
writeFileSync(join(folder, "handlers/who.ts"), handlerFile("who.ts"));
const config = {
  handlers: ["handlers"],
  run: "run",
  secret,
  pools: { main: { workers: 1 } },
  authorizer: { port, workers: 1 },
  log: { format: "text" },
};
writeFileSync(join(folder, "mod-ts.config.json"), JSON.stringify(config));

/** It listens, and nobody accepts before the sidecar does. */
const open = async (transport: string, address: ListenAddress): Promise<Listener> => {
  const options = { pool: "", transport, address, shared: true };
  const socket = await openListener(options, undefined, () => {});
  t.teardown(() => socket.close());
  if ("path" in address) chmodSync(address.path, 0o666);
  return socket;
};
const sockets = {
  main: await open("gateway", { path: join(run, "main.sock") }),
  decide: await open("decider", { path: join(run, "decide.sock") }),
  guards: await open("authorizer", { host: "127.0.0.1", port }),
};
const marker = join(run, "authorizer.listening");
// As mod-ts-guards.socket does.
writeFileSync(marker, "");

const apache = await startHttpd(t, folder, {
  before: `Define MOD_TS_SECRET ${secret}\nDefine MOD_TS_AUTHORIZER 127.0.0.1:${port}`,
  modules: ["mod_proxy_scgi"],
  files: { "htdocs/guarded/a.txt": "guarded", "htdocs/fixed/a.txt": "fixed" },
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
    </Location>`,
});

let log = "";
let current: ChildProcess | undefined;
t.teardown(async () => {
  if (!current || current.exitCode !== null) return;
  current.kill("SIGTERM");
  await once(current, "exit");
});

/** LISTEN_PID is the process itself, which only its own shell knows. */
function start(names: readonly (keyof typeof sockets)[] = ["main", "decide", "guards"]): void {
  const cli = join(import.meta.dirname, "../../src/cli/cli.ts");
  const script = 'LISTEN_PID=$$ exec "$0" "$@"';
  const child = spawn("/bin/sh", ["-c", script, process.execPath, cli, "start", folder], {
    env: { ...process.env, LISTEN_FDS: String(names.length), LISTEN_FDNAMES: names.join(":") },
    stdio: ["ignore", "ignore", "pipe", ...names.map((name) => sockets[name].descriptor)],
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (log += text));
  current = child;
}

async function stop(): Promise<void> {
  const old = current!;
  old.kill("SIGTERM");
  await once(old, "exit");
  t.equal(old.exitCode, 0, "it ends in order");
}

t.test("requests wait for the first start", async (t) => {
  const asked = ["/hello", "/guarded/a.txt", "/fixed/a.txt"].map((path) => apache.request(path));
  start();
  const replies = await Promise.all(asked);
  t.strictSame(
    replies.map(({ status }) => status),
    [200, 200, 200],
    "content, access check and decision are answered",
  );
  t.match(replies[2]?.headers, { "x-fixed-by": /./ }, "the phase has run");
});

t.test("a restart fails no request, of content, of access checks or of decisions", async (t) => {
  const loads = ["/hello", "/guarded/a.txt", "/fixed/a.txt"].map((path) =>
    startLoad(() => apache.request(path), path === "/hello" ? 4 : 1),
  );
  for (const round of [1, 2, 3]) {
    const before = loads.map(({ counts }) => counts.get(200) ?? 0);
    await stop();
    t.ok(existsSync(join(run, "main.sock")), `round ${round}: the sockets stay`);
    log = "";
    start();
    await until(() => log, /\bready\b/);
    for (const [index, { counts }] of loads.entries()) {
      await until(() => String((counts.get(200) ?? 0) > (before[index] ?? 0) + 5), "true");
    }
  }
  await Promise.all(loads.map((load) => load.stop()));
  for (const { counts } of loads)
    t.strictSame([...counts.keys()], [200], "every request is served");
});

t.test("without a socket for access checks they are 503 while nobody listens", async (t) => {
  await stop();
  t.ok(existsSync(marker), "requests wait at a socket of systemd");
  // As mod-ts-guards.socket does when it is stopped.
  sockets.guards.close();
  rmSync(marker);
  const guarded = async (): Promise<number> => (await apache.request("/guarded/a.txt")).status;
  for (const round of [1, 2]) {
    t.equal(await guarded(), 503, `round ${round}, before the start`);
    const waiting = apache.request("/hello");
    log = "";
    start(["main", "decide"]);
    t.equal((await waiting).status, 200, "content waits");
    await until(() => log, /\bready\b/);
    t.equal(await guarded(), 200);
    await stop();
    t.equal(await guarded(), 503, `round ${round}, after the stop`);
  }
});
