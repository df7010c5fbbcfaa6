/**
 * A hello handler, and saves: `npm run bench:hello`. One run on one machine, rounds interleaved so that its moods hit all alike; medians.
 *
 *   node bench/hello.ts [rounds] [seconds]
 *
 * (a) a static file of httpd, (b) httpd and a bare `node:http` server on a Unix socket, (c) httpd and the hello handler,
 * (d) the same with `reload.freshness: "manual"`, which asks the file system nothing. One process each behind httpd. CPU is that of all httpd and node processes, without the load generator.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { cpuMicroseconds, descendants } from "./cpu.ts";
import { onStage, type Stage, untilOk } from "./stage.ts";
import { median, run } from "./wrk.ts";

const rounds = Number(process.argv[2] ?? 5);
const seconds = Number(process.argv[3] ?? 4);

await onStage(
  {
    conf: `<Proxy "unix:\${FOLDER}/run/bare.sock|http://bare" enablereuse=on>
</Proxy>
<Location "/bare">
    SetHandler "proxy:unix:\${FOLDER}/run/bare.sock|http://bare"
</Location>
<Location "/hello">
    Use TsHandler hello.ts
</Location>
<Proxy "unix:\${FOLDER}/run2/main.sock|http://second.mod-ts" enablereuse=on>
</Proxy>
<Location "/manual">
    Use TsHandler hello.ts
    SetEnvIfExpr "true" "MOD_TS_BACKEND=proxy:unix:\${FOLDER}/run2/main.sock|http://second.mod-ts"
</Location>`,
    files: {
      "htdocs/hello.txt": "Hello from mod_ts!\n",
      "handlers/hello.ts": handlerText(0),
      "manual/mod-ts.config.json": JSON.stringify({
        handlers: ["../handlers"],
        run: "../run2",
        pools: { main: { workers: 1 } },
        reload: { freshness: "manual" },
        log: { level: "warn" },
      }),
    },
    config: {},
  },
  async (stage) => {
    const bare = stage.start(
      join(import.meta.dirname, "bare.ts"),
      join(stage.folder, "run/bare.sock"),
    );
    const begin = performance.now();
    const sidecar = stage.startSidecar();
    await untilOk(`${stage.url}hello`);
    const first = performance.now() - begin;
    const manual = stage.startSidecar("manual");
    await untilOk(`${stage.url}manual`);
    await compare(stage, { bare, sidecar, manual });
    console.log(`\nstart of the sidecar to the first answer: ${Math.round(first)} ms`);
    await reloads(stage, 1);
    await reloads(stage, 50);
    await savesUnderLoad(stage);
  },
);

function handlerText(version: number): string {
  return `import { OK, type ApacheRequest } from "mod-ts";
export function handler(req: ApacheRequest) {
  req.contentType = "text/plain";
  req.write(${version === 0 ? '"Hello from mod_ts!\\n"' : `"${version}"`});
  return OK;
}
`;
}

/** The table that the project is judged by. */
async function compare(
  { url, httpdPid, httpdVersion }: Stage,
  { bare, sidecar, manual }: Record<"bare" | "sidecar" | "manual", ChildProcess>,
): Promise<void> {
  const cases = [
    { name: "(a) static file", path: "hello.txt", pids: () => [] },
    { name: "(b) bare node:http", path: "bare", pids: () => [bare.pid ?? 0] },
    { name: "(c) hello handler", path: "hello", pids: () => descendants(sidecar.pid ?? 0) },
    { name: "(d) the same, manual", path: "manual", pids: () => descendants(manual.pid ?? 0) },
  ];
  const results = cases.map(() => ({
    rate: [] as number[],
    cpu: [] as number[],
    httpd: [] as number[],
    p99: [] as number[],
  }));
  // V8 compiles what is hot; a server is measured after that.
  for (const { path } of cases) run(url + path, 6);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, { path, pids }] of cases.entries()) {
      const ofHttpd = descendants(httpdPid);
      const watched = [...ofHttpd, ...pids()];
      const before = cpuMicroseconds(watched);
      const httpdBefore = cpuMicroseconds(ofHttpd);
      const { requests, rate, p99, failed } = run(url + path, seconds);
      if (failed > 0) throw new Error(`${failed} failed requests at ${path}`);
      results[index]?.rate.push(rate);
      results[index]?.p99.push(p99);
      results[index]?.httpd.push((cpuMicroseconds(ofHttpd) - httpdBefore) / requests);
      results[index]?.cpu.push((cpuMicroseconds(watched) - before) / requests);
    }
    process.stderr.write(`round ${round + 1} of ${rounds}\r`);
  }
  const base = results[1]!;
  console.table(
    Object.fromEntries(
      cases.map(({ name }, index) => {
        const { rate, cpu, httpd, p99 } = results[index]!;
        return [
          name,
          {
            "requests/s": Math.round(median(rate)),
            "of (b)": percent(median(rate) / median(base.rate)),
            "CPU µs/request": Math.round(median(cpu)),
            "of it httpd": Math.round(median(httpd)),
            "× (b)": (median(cpu) / median(base.cpu)).toFixed(2),
            "p99 ms": median(p99).toFixed(2),
          },
        ];
      }),
    ),
  );
  console.log(
    `httpd ${httpdVersion}, Node ${process.version}, 16 connections, ${rounds} rounds of ${seconds} s`,
  );
}

/** From a save to the new answer through Apache; the very next request must have it. */
async function reloads({ url, folder }: Stage, handlers: number): Promise<void> {
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
async function savesUnderLoad({ url, folder }: Stage): Promise<void> {
  const load = spawn("wrk", ["-t1", "-c8", "-d12s", `${url}hello`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  // The saves may take longer than the load.
  const ended = new Promise((done) => load.once("close", done));
  let text = "";
  load.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  for (let version = 1; version <= 1000; version += 1) {
    writeFileSync(join(folder, "handlers/hello.ts"), handlerText(version));
    await sleep(10);
  }
  await ended;
  const failed = /Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)/.exec(text);
  console.log(
    `1,000 saves under load: ${failed ? failed[0] : "0 failed requests"} of ${/(\d+) requests in/.exec(text)?.[1]}`,
  );
}

function percent(ratio: number): string {
  return `${Math.round(ratio * 100)} %`;
}
