/**
 * What mod_ts costs: `npm run bench`. One run on one machine, rounds interleaved so that its moods hit all alike; medians.
 *
 *   node bench/run.ts [rounds] [seconds]
 *
 * (a) a static file of httpd, (b) httpd and a bare `node:http` server on a Unix socket, (c) httpd and the hello handler.
 * One process each behind httpd. CPU is that of all httpd and node processes, without the load generator.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { findHttpd } from "../src/httpd/find.ts";
import { createPrivateServer } from "../src/httpd/private-server.ts";
import { defaultModules } from "../src/httpd/server-root.ts";
import { cpuMicroseconds, descendants } from "./cpu.ts";
import { median, run } from "./wrk.ts";

const rounds = Number(process.argv[2] ?? 5);
const seconds = Number(process.argv[3] ?? 4);
const project = join(import.meta.dirname, "..");

const httpd = await findHttpd();
if (!httpd) throw new Error("no Apache httpd found: run npm start once, or install apache2");

const folder = mkdtempSync(join(tmpdir(), "mod-ts-bench-"));
const children: ChildProcess[] = [];
try {
  await main();
} finally {
  for (const child of children) child.kill();
  await Promise.all(
    children.map((child) => child.exitCode ?? new Promise((done) => child.once("exit", done))),
  );
  rmSync(folder, { recursive: true, force: true });
}

async function main(): Promise<void> {
  prepare();
  const server = await createPrivateServer({
    folder,
    httpd: httpd!,
    modules: defaultModules,
    conf: `Define MOD_TS_RUN "${folder}/run"
Include "${project}/apache-conf/mod_ts.conf"
DocumentRoot "${folder}/htdocs"
<Directory "${folder}/htdocs">
    Require all granted
</Directory>
<Proxy "unix:${folder}/run/bare.sock|http://bare" enablereuse=on>
</Proxy>
<Location "/bare">
    SetHandler "proxy:unix:${folder}/run/bare.sock|http://bare"
</Location>
<Location "/hello">
    Use TsHandler hello.ts
</Location>
`,
  });
  try {
    const bare = start([join(project, "bench/bare.ts"), join(folder, "run/bare.sock")]);
    const begin = performance.now();
    const sidecar = start([join(project, "src/cli.ts"), "start", folder]);
    const first = await firstAnswer(`${server.url}/hello`, begin);
    const url = `${server.url}/`;
    await compare(url, server.pid, { bare, sidecar });
    console.log(`\nstart of the sidecar to the first answer: ${Math.round(first)} ms`);
    await reloads(url, 1);
    await reloads(url, 50);
    await savesUnderLoad(url);
  } finally {
    await server.stop();
  }
}

function prepare(): void {
  chmodSync(folder, 0o755);
  for (const name of ["htdocs", "run", "handlers"]) mkdirSync(join(folder, name));
  writeFileSync(join(folder, "htdocs/hello.txt"), "Hello from mod_ts!\n");
  writeFileSync(join(folder, "handlers/hello.ts"), handlerText(0));
  const config = {
    handlers: ["handlers"],
    run: "run",
    pools: { main: { workers: 1 } },
    log: { level: "warn" },
  };
  writeFileSync(join(folder, "mod-ts.config.json"), JSON.stringify(config));
}

function handlerText(version: number): string {
  return `import { OK, type ApacheRequest } from "mod-ts";
export function handler(req: ApacheRequest) {
  req.contentType = "text/plain";
  req.write(${version === 0 ? '"Hello from mod_ts!\\n"' : `"${version}"`});
  return OK;
}
`;
}

function start(args: string[]): ChildProcess {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
  children.push(child);
  return child;
}

async function firstAnswer(url: string, begin: number): Promise<number> {
  for (;;) {
    const response = await fetch(url).catch(() => undefined);
    if (response?.ok) return performance.now() - begin;
    await sleep(5);
  }
}

/** The table that the project is judged by. */
async function compare(
  url: string,
  httpdPid: number,
  { bare, sidecar }: { bare: ChildProcess; sidecar: ChildProcess },
): Promise<void> {
  const cases = [
    { name: "(a) static file", path: "hello.txt", pids: () => [] },
    { name: "(b) bare node:http", path: "bare", pids: () => [bare.pid ?? 0] },
    { name: "(c) hello handler", path: "hello", pids: () => descendants(sidecar.pid ?? 0) },
  ];
  const results = cases.map(() => ({
    rate: [] as number[],
    cpu: [] as number[],
    p99: [] as number[],
  }));
  for (const { path } of cases) run(url + path, 1);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, { path, pids }] of cases.entries()) {
      const watched = [...descendants(httpdPid), ...pids()];
      const before = cpuMicroseconds(watched);
      const { requests, rate, p99, failed } = run(url + path, seconds);
      if (failed > 0) throw new Error(`${failed} failed requests at ${path}`);
      results[index]?.rate.push(rate);
      results[index]?.p99.push(p99);
      results[index]?.cpu.push((cpuMicroseconds(watched) - before) / requests);
    }
    process.stderr.write(`round ${round + 1} of ${rounds}\r`);
  }
  const base = results[1]!;
  console.table(
    Object.fromEntries(
      cases.map(({ name }, index) => {
        const { rate, cpu, p99 } = results[index]!;
        return [
          name,
          {
            "requests/s": Math.round(median(rate)),
            "of (b)": percent(median(rate) / median(base.rate)),
            "CPU µs/request": Math.round(median(cpu)),
            "× (b)": (median(cpu) / median(base.cpu)).toFixed(2),
            "p99 ms": median(p99).toFixed(2),
          },
        ];
      }),
    ),
  );
  console.log(
    `httpd ${httpd!.version}, Node ${process.version}, 16 connections, ${rounds} rounds of ${seconds} s`,
  );
}

/** From a save to the new answer through Apache; the very next request must have it. */
async function reloads(url: string, handlers: number): Promise<void> {
  for (let index = 1; index < handlers; index += 1) {
    writeFileSync(join(folder, `handlers/other${index}.ts`), handlerText(0));
  }
  const times: number[] = [];
  let fresh = 0;
  for (let version = 1; version <= 200; version += 1) {
    writeFileSync(join(folder, "handlers/hello.ts"), handlerText(version));
    const begin = performance.now();
    let text = await (await fetch(`${url}hello`)).text();
    if (text === String(version)) fresh += 1;
    while (text !== String(version)) text = await (await fetch(`${url}hello`)).text();
    times.push(performance.now() - begin);
    await sleep(5 + Math.random() * 20);
  }
  times.sort((a, b) => a - b);
  const p99 = times[Math.floor(times.length * 0.99)] ?? 0;
  console.log(
    `save to new answer, ${handlers} handlers: median ${median(times).toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, ` +
      `next request fresh ${fresh} of ${times.length}`,
  );
}

/** A thousand saves while wrk asks. */
async function savesUnderLoad(url: string): Promise<void> {
  const load = spawn("wrk", ["-t1", "-c8", "-d12s", `${url}hello`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  load.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  for (let version = 1; version <= 1000; version += 1) {
    writeFileSync(join(folder, "handlers/hello.ts"), handlerText(version));
    await sleep(10);
  }
  await new Promise((done) => load.once("exit", done));
  const failed = /Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)/.exec(text);
  console.log(
    `1,000 saves under load: ${failed ? failed[0] : "0 failed requests"} of ${/(\d+) requests in/.exec(text)?.[1]}`,
  );
}

function percent(ratio: number): string {
  return `${Math.round(ratio * 100)} %`;
}
