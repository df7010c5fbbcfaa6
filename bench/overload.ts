/**
 * Ten times more requests than handlers can serve: `node bench/overload.ts [seconds] [times]`.
 *
 * A handler serves one request at a time, 20 ms each; 50 may wait (`limits.waitingRequests`). Requests
 * come at a fixed rate, whatever becomes of those before, and beside them one client asks for a
 * protected file. Every response counts; memory is read every sixth of the time and at the end.
 */
import { Agent, request } from "node:http";
import { loadavg } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../src/httpd/private-server.ts";
import { askStatus } from "../src/supervisor/control.ts";
import type { WorkerStatus } from "../src/supervisor/status.ts";
import { onStage, type Stage, untilOk } from "./stage.ts";

const seconds = Number(process.argv[2] ?? 60);
const times = Number(process.argv[3] ?? 10);
const handlerMs = 20;
const waitingRequests = 50;
/** Milliseconds between two bursts of {@link times} requests: one is served meanwhile. */
const burstMs = handlerMs;
const credentials = { authorization: `Basic ${Buffer.from("ann:x").toString("base64")}` };
const port = await freePort("127.0.0.1");
const kept = new Agent({ keepAlive: true });

interface Reply {
  /** Or the error code of the connection. */
  status: number | string;
  retryAfter: string | undefined;
  ms: number;
}

await onStage(
  {
    before: `Define MOD_TS_AUTHORIZER 127.0.0.1:${port}`,
    conf: `
      <Location /slow>
        Use TsHandler slow.ts
      </Location>
      <Location /guarded/>
        AuthType Basic
        AuthName guarded
        Use TsAuthenHandler users.ts
        Require valid-user
      </Location>`,
    files: {
      "htdocs/guarded/a.txt": "a",
      "handlers/slow.ts": `
        let last = Promise.resolve();
        export async function handler(req) {
          last = last.then(() => new Promise((done) => setTimeout(done, ${handlerMs})));
          await last;
          req.write("done");
        }`,
      "handlers/users.ts": `export function authenHandler(req) { req.user = "ann"; return 0; }`,
    },
    config: {
      authorizer: { port },
      pools: { main: { workers: 1 } },
      limits: { waitingRequests },
      log: { level: "crit" },
    },
  },
  async (stage) => {
    stage.startSidecar();
    await untilOk(`${stage.url}slow`);
    await untilOk(`${stage.url}guarded/a.txt`, credentials);
    await overload(stage);
  },
);
kept.destroy();

async function overload({ url, folder }: Stage): Promise<void> {
  const run = join(folder, "run");
  const begun: Promise<Reply>[] = [];
  const guards: Reply[] = [];
  const over = new AbortController();
  const guarding = (async () => {
    while (!over.signal.aborted) {
      guards.push(await ask(`${url}guarded/a.txt`, credentials));
      await sleep(50);
    }
  })();
  const before = await workerOf(run);
  const start = performance.now();
  const memory: string[] = [];
  const bursts = (seconds * 1000) / burstMs;
  for (let burst = 0; burst < bursts; burst += 1) {
    for (let index = 0; index < times; index += 1) begun.push(ask(`${url}slow`));
    if (burst % Math.floor(bursts / 6) === 0) memory.push(mebibytes(await workerOf(run)));
    await sleep(Math.max(0, start + (burst + 1) * burstMs - performance.now()));
  }
  const lasted = (performance.now() - start) / 1000;
  const replies = await Promise.all(begun);
  over.abort();
  await guarding;
  // Counts and gauges arrive once a second.
  await sleep(2500);
  const after = await workerOf(run);
  const middle = Math.floor(replies.length / 2);
  const accepted = replies.filter(({ status }) => status === 200);
  const refused = replies.filter(({ status }) => status === 503);
  console.table({
    "requests a second": Math.round(replies.length / lasted),
    seconds: Math.round(lasted),
    "200": `${accepted.length}, ${timesOf(accepted)}`,
    "200, first half": timesOf(replies.slice(0, middle).filter(({ status }) => status === 200)),
    "200, second half": timesOf(replies.slice(middle).filter(({ status }) => status === 200)),
    "503 with Retry-After": `${refused.filter(({ retryAfter }) => retryAfter).length} of ${refused.length}, ${timesOf(refused)}`,
    "anything else": JSON.stringify(othersOf(replies)),
    "protected file": `${guards.filter(({ status }) => status === 200).length} of ${guards.length} are 200, ${timesOf(guards)}`,
    "same worker": before.pid === after.pid,
    "memory of the worker, MiB": [...memory, mebibytes(after)].join(", "),
    "requests being served at the end": after.gauges?.active ?? "unknown",
    "load average": loadavg()[0]?.toFixed(1),
  });
}

/**
 * Repeats a request on a kept connection that httpd has just closed (`KeepAliveTimeout`), as browsers
 * do: on a new connection, because others that were kept have been closed, too.
 */
async function ask(url: string, headers: Record<string, string> = {}): Promise<Reply> {
  const start = performance.now();
  const first = await askOnce(url, headers, kept);
  const { status, retryAfter } = first.isRepeatable ? await askOnce(url, headers, false) : first;
  return { status, retryAfter, ms: performance.now() - start };
}

function askOnce(
  url: string,
  headers: Record<string, string>,
  agent: Agent | false,
): Promise<Omit<Reply, "ms"> & { isRepeatable: boolean }> {
  return new Promise((resolve) => {
    const asked = request(url, { agent, headers }, (response) => {
      const { statusCode: status = 0 } = response;
      const retryAfter = response.headers["retry-after"];
      response.resume().once("error", failed);
      response.once("end", () => resolve({ status, retryAfter, isRepeatable: false }));
    });
    const failed = ({ code = "error" }: NodeJS.ErrnoException): void =>
      resolve({ status: code, retryAfter: undefined, isRepeatable: asked.reusedSocket });
    asked.once("error", failed).end();
  });
}

async function workerOf(run: string): Promise<WorkerStatus> {
  const { pools } = await askStatus(run);
  return pools.find(({ name }) => name === "main")!.workers[0]!;
}

function othersOf(replies: readonly Reply[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status } of replies) {
    if (status !== 200 && status !== 503) counts[status] = (counts[status] ?? 0) + 1;
  }
  return counts;
}

function timesOf(replies: readonly Reply[]): string {
  const sorted = replies.map(({ ms }) => ms).toSorted((a, b) => a - b);
  const at = (share: number): number => Math.round(sorted[Math.floor(sorted.length * share)] ?? 0);
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`;
}

function mebibytes({ gauges }: WorkerStatus): string {
  return gauges ? (gauges.rss / 1024 ** 2).toFixed(0) : "?";
}
