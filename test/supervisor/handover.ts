import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { freePort } from "../../src/httpd/private-server.ts";
import { askReload, askStatus, askUpgrade, controlSocket } from "../../src/supervisor/control.ts";
import { readPredecessor, untilServing, whyIrreplaceable } from "../../src/supervisor/handover.ts";
import { findSupervisor } from "../../src/supervisor/run-directory.ts";
import type { ListenerOptions } from "../../src/supervisor/listener.ts";
import type { SupervisorOptions } from "../../src/supervisor/supervisor.ts";
import { childrenOf } from "../fixtures/processes.ts";
import { shortFolder } from "../fixtures/short-folder.ts";
import { until } from "../fixtures/until.ts";

const program = new URL("../fixtures/workers/supervisor.ts", import.meta.url).pathname;

/** A supervisor as a program, and whoever takes over from it. */
function start(
  test: Test,
  run: string,
  worker: string,
  more: readonly ListenerOptions[] = [],
  wrapper: readonly string[] = [],
  settings: Partial<SupervisorOptions> & { optionsFile?: string } = {},
): { child: ChildProcess; log(): string } {
  const path = join(run, "main.sock");
  const options = {
    run,
    directory: run,
    pools: { main: { workers: 1 } },
    listeners: [{ pool: "main", transport: "gateway", address: { path } }, ...more],
    config: "good",
    linger: 100,
    drainTimeout: 60_000,
    readyTimeout: 60_000,
    backoff: { first: 5, most: 20, reset: 60_000 },
    worker: `./${worker}.ts`,
    ...settings,
  };
  const [command = "", ...args] = [...wrapper, process.execPath, program, JSON.stringify(options)];
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => (text += part));
  test.teardown(() => {
    child.kill("SIGKILL");
    const pid = findSupervisor(run);
    if (pid !== undefined) process.kill(pid, "SIGKILL");
  });
  return { child, log: () => text };
}

function get(where: object, path = "/"): Promise<{ pid: number }> {
  return new Promise((resolve, reject) => {
    const req = request({ ...where, path, agent: false }, (res) => {
      let text = "";
      res.setEncoding("utf8").on("data", (part: string) => (text += part));
      res.on("error", reject).on("end", () => resolve(JSON.parse(text) as { pid: number }));
    });
    req.on("error", reject).end();
  });
}

t.test("only the child of a predecessor is its successor", async (t) => {
  const sockets: [] = [];
  const text = (pid: number): object => ({ MOD_TS_PREDECESSOR: JSON.stringify({ pid, sockets }) });
  t.same(readPredecessor({ ...text(process.ppid) }), { pid: process.ppid, sockets });
  t.equal(
    readPredecessor({ ...text(1) }),
    undefined,
    "workers of a successor inherit the variable",
  );
  t.equal(readPredecessor({}), undefined);
});

t.test(
  "a successor that is late and deaf to SIGTERM is killed before that is reported",
  async (t) => {
    const deaf = `process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); process.send("deaf");`;
    const child = spawn(process.execPath, ["--eval", deaf], { stdio: ["ignore", 1, 2, "ipc"] });
    t.teardown(() => child.kill("SIGKILL"));
    t.same(await once(child, "message"), ["deaf", undefined]);
    t.match(await untilServing(child, 1, 1), /not serving within 1 ms/);
    t.equal(child.signalCode, "SIGKILL");
  },
);

t.test("a successor has the time that it gives its workers", async (t) => {
  const slow = `process.send({ other: 1 }); process.send({ workerMs: 2 }); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--eval", slow], { stdio: ["ignore", 1, 2, "ipc"] });
  t.teardown(() => child.kill("SIGKILL"));
  t.equal(await untilServing(child, 3_600_000), "not serving within 4 ms", "in place of the hour");
});

t.test("a process with which the service ends has no successor", async (t) => {
  const place = { pid: 100, ppid: 50, init: "systemd", environment: {} };
  const systemd = { SYSTEMD_EXEC_PID: "100", NOTIFY_SOCKET: "/run/systemd/notify" };
  t.equal(whyIrreplaceable(place), undefined);
  t.match(whyIrreplaceable({ ...place, pid: 1 }), /container/);
  t.match(whyIrreplaceable({ ...place, ppid: 1, init: "docker-init" }), /container/);
  t.equal(whyIrreplaceable({ ...place, ppid: 1 }), undefined, "a daemon");
  t.equal(whyIrreplaceable({ ...place, environment: systemd }), undefined);
  const simple = { SYSTEMD_EXEC_PID: "100" };
  t.match(whyIrreplaceable({ ...place, environment: simple }), /Type=notify/);
  t.equal(whyIrreplaceable({ ...place, pid: 101, environment: simple }), undefined, "by hand");
});

t.test("a successor takes over, and no request notices", async (t) => {
  const run = shortFolder(t);
  const socketPath = join(run, "main.sock");
  const port = await freePort("127.0.0.1");
  const tcp = { pool: "main", transport: "other", address: { host: "127.0.0.1", port } };
  const shared = { path: join(run, "shared.sock") };
  const decider = { pool: "main", transport: "decider", address: shared, shared: true };
  const { child, log } = start(t, run, "good", [tcp, decider]);
  await until(log, "] ready");
  const { ino } = statSync(socketPath);
  const first = await get({ socketPath });
  let failed = 0;
  let served = 0;
  const over = new AbortController();
  const load = async (where: object): Promise<void> => {
    while (!over.signal.aborted) {
      await get(where).then(
        () => (served += 1),
        () => (failed += 1),
      );
      await sleep(5);
    }
  };
  const clients = [
    load({ socketPath }),
    load({ host: "127.0.0.1", port }),
    load({ socketPath: shared.path }),
  ];
  const slow = get({ socketPath }, "/slow?500");
  const outcome = await askUpgrade(run, run);
  t.match(outcome, { ok: true, pid: Number });
  t.equal(findSupervisor(run), (outcome as { pid: number }).pid, "the pid file names it");
  t.equal((await slow).pid, first.pid, "the old worker ends what it began");
  t.same(await once(child, "exit"), [0, null], "the old supervisor ends");
  t.not((await get({ socketPath })).pid, first.pid);
  t.equal(statSync(socketPath).ino, ino, "the socket is the same");

  t.match(await askReload(run, run), { ok: true, generation: 2 }, "commands reach the new one");
  const before = await get({ socketPath });
  process.kill((outcome as { pid: number }).pid, "SIGUSR2");
  while ((await get({ socketPath })).pid === before.pid) await sleep(10);
  while (findSupervisor(run) === (outcome as { pid: number }).pid) await sleep(10);
  over.abort();
  await Promise.all(clients);
  t.equal(failed, 0, `${served} requests through two upgrades`);

  const last = findSupervisor(run)!;
  process.kill(last, "SIGTERM");
  while (findSupervisor(run) !== undefined) await sleep(10);
  t.notOk(existsSync(socketPath), "the last one removes the sockets");
  t.notOk(existsSync(shared.path), "those that workers accept on, too");
  t.notOk(existsSync(controlSocket(run)));
});

const unshare = ["unshare", "--pid", "--fork", "--mount-proc"];

t.test(
  "as process 1 of a container it refuses, and serves on",
  { skip: spawnSync(unshare[0]!, [...unshare.slice(1), "true"]).status !== 0 && "no namespaces" },
  async (t) => {
    const run = shortFolder(t);
    const { child, log } = start(t, run, "good", [], unshare);
    await until(log, "] ready");
    const [pid] = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").split(" ");
    process.kill(Number(pid), "SIGUSR2");
    await until(log, "MODTS_UPGRADE_REFUSED");
    t.match(await get({ socketPath: join(run, "main.sock") }), { pid: Number });
    process.kill(Number(pid), "SIGTERM");
    t.same(await once(child, "exit"), [0, null]);
  },
);

t.test("a successor that does not serve leaves everything as it is", async (t) => {
  const run = shortFolder(t);
  const socketPath = join(run, "main.sock");
  const flag = join(run, "broken");
  process.env["BROKEN_FLAG"] = flag;
  t.teardown(() => delete process.env["BROKEN_FLAG"]);
  const shared = { path: join(run, "shared.sock") };
  const decider = { pool: "main", transport: "decider", address: shared, shared: true };
  const { child, log } = start(t, run, "by-flag", [decider]);
  await until(log, "] ready");
  const { pid } = await get({ socketPath });
  writeFileSync(flag, "");
  t.match(await askUpgrade(run, run), { ok: false, code: "MODTS_UPGRADE_FAILED" });
  t.equal((await get({ socketPath })).pid, pid);
  t.equal((await get({ socketPath: shared.path })).pid, pid, "its file was not removed");
  t.equal(findSupervisor(run), child.pid);
  rmSync(flag);
  t.match(await askUpgrade(run, run), { ok: true }, "and a good one gets through");
  t.not((await get({ socketPath })).pid, pid);
});

t.test("a successor on a slow machine gives its workers more time, and gets it", async (t) => {
  const run = shortFolder(t);
  const flag = join(run, "late");
  process.env["BROKEN_FLAG"] = flag;
  t.teardown(() => delete process.env["BROKEN_FLAG"]);
  const settings = { pools: { main: { workers: 3 } }, readyTimeout: 1500 };
  const { child, log } = start(t, run, "late-by-flag", [], [], settings);
  const ready = async (): Promise<number> => {
    const { pools } = await askStatus(run);
    return pools[0]!.workers.filter(({ state }) => state === "ready").length;
  };
  await until(log, "] ready");
  await until(async () => String(await ready()), "3");
  const socketPath = join(run, "main.sock");
  const before = childrenOf(child.pid ?? 0);
  writeFileSync(flag, "");
  const upgraded = askUpgrade(run, run);
  await until(log, "not ready within 1500 ms");
  await until(log, "not ready within 3000 ms");
  t.ok(before.includes((await get({ socketPath })).pid), "the old one serves meanwhile");
  rmSync(flag);
  t.match(await upgraded, { ok: true }, "three late workers are no reason to give up");
  t.notOk(before.includes((await get({ socketPath })).pid));
});

t.test("an upgrade to a configuration with other sockets", async (t) => {
  const run = shortFolder(t);
  const optionsFile = join(run, "options.json");
  const host = "127.0.0.1";
  const marker = join(run, "listening");
  const checks = async (pool: string): Promise<ListenerOptions> => {
    const address = { host, port: await freePort(host) };
    return { pool, transport: "authorizer", address, shared: true, marker };
  };
  const at = (name: string): { path: string } => ({ path: join(run, `${name}.sock`) });
  const socket = (pool: string, name: string, shared = false): ListenerOptions => ({
    pool,
    transport: shared ? "decider" : "gateway",
    address: at(name),
    shared,
  });
  const use = (...listeners: ListenerOptions[]): void => {
    const pools = Object.fromEntries(listeners.map(({ pool }) => [pool, { workers: 1 }]));
    writeFileSync(optionsFile, JSON.stringify({ pools, listeners }));
  };
  const upgrade = (): Promise<object> => askUpgrade(run, run);
  const main = socket("main", "main");
  const { log } = start(t, run, "good", [socket("main", "decide", true)], [], { optionsFile });
  await until(log, "] ready");
  const poolOf = async (where: object): Promise<string> => {
    const { pid } = await get(where);
    const { pools } = await askStatus(run);
    return pools.find(({ workers }) => workers.some((worker) => worker.pid === pid))?.name ?? "";
  };
  // Workers of a predecessor accept until they drain.
  const served = (where: object, pool: string): Promise<unknown> =>
    until(() => poolOf(where), pool);
  const decide = { socketPath: at("decide").path };
  await served(decide, "main");

  const first = await checks("guards");
  use(main, first, socket("guards", "decide", true));
  t.match(await upgrade(), { ok: true }, "a socket can change its pool");
  await served(decide, "guards");
  t.ok(existsSync(marker));

  const second = await checks("guards");
  const occupied = createServer().listen(at("extra").path);
  await once(occupied, "listening");
  use(
    main,
    second,
    socket("guards", "decide", true),
    socket("main", "late"),
    socket("main", "extra"),
  );
  t.match(await upgrade(), { ok: false, code: "MODTS_UPGRADE_FAILED" });
  t.ok(existsSync(marker), "that of the predecessor stays");
  t.notOk(existsSync(at("late").path), "the files of the successor are removed");
  await served(decide, "guards");
  await served(first.address, "guards");
  await new Promise((done) => occupied.close(done));

  t.match(await upgrade(), { ok: true });
  t.ok(existsSync(marker), "that of another port is the same file");
  await served(second.address, "guards");

  use(main);
  t.match(await upgrade(), { ok: true });
  t.notOk(existsSync(marker), "nobody listens any more");
  t.notOk(existsSync(at("decide").path));
  t.notOk(existsSync(at("extra").path));
  await served({ socketPath: at("main").path }, "main");

  use(main, second, socket("guards", "decide", true));
  t.match(await upgrade(), { ok: true }, "nobody holds the port any more");
  await served(second.address, "guards");
});

t.test("a supervisor that is killed while its successor starts", async (t) => {
  const run = shortFolder(t);
  const flag = join(run, "broken");
  process.env["BROKEN_FLAG"] = flag;
  t.teardown(() => delete process.env["BROKEN_FLAG"]);
  const shared = { path: join(run, "shared.sock") };
  const decider = { pool: "main", transport: "decider", address: shared, shared: true };
  const { child, log } = start(t, run, "by-flag", [decider]);
  await until(log, "] ready");
  writeFileSync(flag, "");
  child.kill("SIGUSR2");
  await until(log, "MODTS_WORKER_DIED");
  child.kill("SIGKILL");
  const successor = Number(/\[pid (\d+)\] MODTS_WORKER_DIED/.exec(log())?.[1]);
  t.not(successor, child.pid, "it had begun");
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  const isThere = (): boolean =>
    existsSync(`/proc/${successor}/cmdline`) &&
    readFileSync(`/proc/${successor}/cmdline`).length > 0;
  while (isThere()) await sleep(10);
  t.equal(findSupervisor(run), undefined, "nobody is left");
  await until(log, /^stopped$/m);
});
