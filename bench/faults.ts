/**
 * What fails when something goes wrong: `npm run bench:faults [clients [milliseconds [fault]]]`.
 *
 * Each fault happens while clients ask for a handler and for a protected static file of Apache. A
 * row has the requests sent, those that failed (any status but 200), and the time from the fault to
 * the end of the last failure; 0 where nothing failed.
 */
import { type ChildProcess, execFileSync, spawn, type StdioOptions } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../src/httpd/private-server.ts";
import { askReload, askStatus, askUpgrade } from "../src/supervisor/control.ts";
import { type ListenAddress, type Listener, openListener } from "../src/supervisor/listener.ts";
import { findSupervisor } from "../src/supervisor/run-directory.ts";
import { onStage, type Stage, untilOk } from "./stage.ts";

const clients = Number(process.argv[2] ?? 2);
/** Milliseconds of load after a fault. */
const afterMs = Number(process.argv[3] ?? 6000);
/** A part of the names of the faults to measure. */
const wanted = process.argv[4] ?? "";
const credentials = { authorization: `Basic ${Buffer.from("ann:x").toString("base64")}` };
const port = await freePort("127.0.0.1");

const config = {
  secret: "a-secret-of-the-bench",
  authorizer: { port },
  pools: { main: { workers: 2, memoryBytes: 400 * 1024 ** 2 } },
};

interface Tally {
  sent: number;
  failed: number;
  /** Time of the last failure. */
  last: number;
}

async function main(): Promise<void> {
  const rows: Record<string, string | number>[] = [];
  await onStage(
    {
      before: `Define MOD_TS_AUTHORIZER 127.0.0.1:${port}\nDefine MOD_TS_SECRET ${config.secret}`,
      conf: `
        <Location /hello>
          Use TsHandler hello.ts
        </Location>
        <Location /loop>
          Use TsHandler loop.ts
        </Location>
        <Location /leak>
          Use TsHandler leak.ts
        </Location>
        <Location /noisy>
          Use TsHandler noisy.ts
        </Location>
        <Location /guarded/>
          AuthType Basic
          AuthName guarded
          Use TsAuthenHandler users.ts
          Require valid-user
        </Location>`,
      files: {
        "htdocs/guarded/a.txt": "a",
        "handlers/hello.ts": `export const handler = (req) => { req.write("hello"); };`,
        "handlers/loop.ts": `export function handler() { for (;;); }`,
        "handlers/leak.ts": `const all = [];
          export async function handler() {
            for (;;) {
              all.push(Buffer.alloc(8 << 20, 1));
              await new Promise((done) => setTimeout(done, 5));
            }
          }`,
        "handlers/noisy.ts": `export async function handler(req) {
          for (let line = 0; line < 500; line += 1) {
            req.logError("line " + line, "error");
            await new Promise((done) => setTimeout(done, 5));
          }
        }`,
        "handlers/users.ts": `export function authenHandler(req) { req.user = "ann"; return 0; }`,
      },
      config,
    },
    async (stage) => {
      let sidecar = stage.startSidecar();
      const run = join(stage.folder, "run");
      await ready(stage);
      console.table([await memory(findSupervisor(run)!)]);
      const ask = (path: string): Promise<unknown> => fetch(stage.url + path).catch(() => {});
      const restart = async (signal: NodeJS.Signals): Promise<void> => {
        const pid = findSupervisor(run)!;
        process.kill(pid, signal);
        while (findSupervisor(run) !== undefined) await sleep(20);
        sidecar = stage.startSidecar();
      };
      const faults: Record<string, () => Promise<unknown>> = {
        nothing: async () => {},
        "a handler loops": () => ask("loop"),
        "a handler loops in each worker": () => Promise.all([ask("loop"), ask("loop")]),
        "memory without end": () => ask("leak"),
        "worker of main killed": () => killWorker(run, "main"),
        "worker of guards killed": () => killWorker(run, "guards"),
        reload: async () => requireOk(await askReload(run, stage.folder)),
        upgrade: async () => requireOk(await askUpgrade(run, stage.folder)),
        "httpd graceful": async () => process.kill(stage.httpdPid, "SIGUSR1"),
        restart: () => restart("SIGTERM"),
        "supervisor killed, started again": () => restart("SIGKILL"),
      };
      const record = async (fault: string, happen: () => Promise<unknown>): Promise<void> => {
        await ready(stage);
        if (!fault.includes(wanted)) return;
        rows.push({ fault, ...(await measure(stage, happen)) });
        console.error(JSON.stringify(rows.at(-1)));
      };
      for (const [fault, happen] of Object.entries(faults)) await record(fault, happen);
      await onBusyMachine(() => record("restart on a busy machine", () => restart("SIGTERM")));
      await end(run, sidecar);
      sidecar = await startWithFullDisk(stage);
      await record("log on a full disk", () => ask("noisy"));
      await end(run, sidecar);
      const start = await passSockets(run, stage);
      sidecar = start();
      for (const signal of ["SIGTERM", "SIGKILL"] as const) {
        await record(`restart with passed sockets, ${signal}`, async () => {
          sidecar.kill(signal);
          await ended(sidecar);
          sidecar = start();
        });
      }
      await onBusyMachine(() =>
        record("restart with passed sockets on a busy machine", async () => {
          sidecar.kill("SIGTERM");
          await ended(sidecar);
          sidecar = start();
        }),
      );
      await end(run, sidecar);
    },
  );
  console.table(rows);
}

/** A slow start: other programs want four times the processors that there are. */
async function onBusyMachine(happen: () => Promise<void>): Promise<void> {
  const others = Array.from({ length: 4 * availableParallelism() }, () =>
    spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" }),
  );
  try {
    await happen();
  } finally {
    for (const other of others) other.kill("SIGKILL");
  }
}

async function killWorker(run: string, pool: string): Promise<void> {
  const { pools } = await askStatus(run);
  process.kill(pools.find(({ name }) => name === pool)!.workers[0]!.pid, "SIGKILL");
}

async function end(run: string, sidecar: ChildProcess): Promise<void> {
  const pid = findSupervisor(run);
  if (pid !== undefined) process.kill(pid, "SIGTERM");
  await ended(sidecar);
  while (findSupervisor(run) !== undefined) await sleep(20);
}

/** Each write of a log line fails with ENOSPC. */
async function startWithFullDisk(stage: Stage): Promise<ChildProcess> {
  const file = join(stage.folder, "full/mod-ts.config.json");
  mkdirSync(dirname(file));
  const full = { ...config, handlers: ["../handlers"], run: "../run", log: { file: "/dev/full" } };
  writeFileSync(file, JSON.stringify(full));
  return stage.startSidecar("full");
}

/** It listens, and nobody accepts before the sidecar does. */
function hold(transport: string, address: ListenAddress): Promise<Listener> {
  return openListener({ pool: "", transport, address, shared: true }, undefined, () => {});
}

/**
 * Sockets as of systemd units: this process holds them, and each start gets them. LISTEN_PID is the
 * process itself, which only its own shell knows.
 */
async function passSockets(run: string, stage: Stage): Promise<() => ChildProcess> {
  const names = { main: { path: join(run, "main.sock") }, guards: { host: "127.0.0.1", port } };
  const sockets = [await hold("gateway", names.main), await hold("authorizer", names.guards)];
  chmodSync(names.main.path, 0o666);
  const stdio: StdioOptions = ["ignore", "ignore", "inherit"];
  stdio.push(...sockets.map(({ descriptor }) => descriptor));
  const env = { ...process.env, LISTEN_FDS: "2", LISTEN_FDNAMES: Object.keys(names).join(":") };
  const cli = join(import.meta.dirname, "../src/cli/cli.ts");
  const script = 'LISTEN_PID=$$ exec "$0" "$@"';
  return () =>
    spawn("/bin/sh", ["-c", script, process.execPath, cli, "start", stage.folder], { env, stdio });
}

function requireOk(outcome: { ok: boolean; message?: string }): void {
  if (!outcome.ok) throw new Error(outcome.message);
}

async function measure(
  stage: Stage,
  happen: () => Promise<unknown>,
): Promise<Record<string, string | number>> {
  const over = new AbortController();
  const content: Tally = { sent: 0, failed: 0, last: 0 };
  const guarded: Tally = { sent: 0, failed: 0, last: 0 };
  const loads = Array.from({ length: clients }, () => [
    load(`${stage.url}hello`, content, over.signal),
    load(`${stage.url}guarded/a.txt`, guarded, over.signal),
  ]);
  await sleep(1000);
  const begin = performance.now();
  await happen();
  await sleep(afterMs);
  // A slow start may take longer, and its failures count as well.
  await ready(stage);
  over.abort();
  await Promise.all(loads.flat());
  return { ...columns("content", content, begin), ...columns("guarded", guarded, begin) };
}

async function load(url: string, tally: Tally, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const ok = await fetch(url, { headers: credentials }).then(
      async (response) => (await response.text()) !== "" && response.status === 200,
      () => false,
    );
    tally.sent += 1;
    if (!ok) {
      tally.failed += 1;
      tally.last = performance.now();
      await sleep(20);
    }
  }
}

function columns(
  name: string,
  { sent, failed, last }: Tally,
  begin: number,
): Record<string, string | number> {
  const seconds = failed === 0 ? 0 : Math.max(0, last - begin) / 1000;
  return {
    [`${name}: failed`]: `${failed} of ${sent}`,
    [`${name}: s`]: Number(seconds.toFixed(1)),
  };
}

async function ready({ url }: Stage): Promise<void> {
  await untilOk(`${url}hello`);
  await untilOk(`${url}guarded/a.txt`, credentials);
}

/** Children of the supervisor. */
function workers(supervisor: number): number[] {
  const children = readFileSync(`/proc/${supervisor}/task/${supervisor}/children`, "utf8");
  return children.trim().split(" ").map(Number);
}

/** Proportional set size of the supervisor and of an idle worker. */
async function memory(supervisor: number): Promise<Record<string, string>> {
  await sleep(3000);
  const all = workers(supervisor).map(proportionalSize);
  const mean = all.reduce((sum, size) => sum + size, 0) / all.length;
  return {
    "PSS of the supervisor": `${proportionalSize(supervisor).toFixed(0)} MiB`,
    "PSS of a worker": `${mean.toFixed(0)} MiB`,
    processors: execFileSync("nproc").toString().trim(),
    "load average": readFileSync("/proc/loadavg", "utf8").split(" ")[0]!,
  };
}

/** In MiB. */
function proportionalSize(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return Number(/^Pss:\s+(\d+)/m.exec(text)?.[1]) / 1024;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

await main();
