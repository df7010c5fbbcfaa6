/**
 * What a phase costs for content that Apache serves: `node bench/phases.ts [rounds] [seconds]`. A page of 1 KB, one of 1 MB and a
 * CGI script, in one run: by Apache alone, with a log handler, decisions, a pass-through and filters of TypeScript, and with the
 * filters of Apache itself.
 */
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { cpuWithEndedMicroseconds, descendants } from "./cpu.ts";
import { last, line, mechanisms, withMechanisms } from "./mechanisms.ts";
import { onStage, type Stage, untilOk } from "./stage.ts";
import { median, run } from "./wrk.ts";

const rounds = Number(process.argv[2] ?? 3);
const seconds = Number(process.argv[3] ?? 2);

const pages: Readonly<Record<string, string>> = {
  "1k.html": line.repeat(33) + last,
  "1m.html": line.repeat(33_800) + last,
  "cgi.cgi": `#!/bin/sh\nprintf 'Content-Type: text/html\\n\\n<p>Town</p>${last.trim()}'\n`,
};

interface Result {
  readonly page: string;
  readonly name: string;
  readonly rate: number[];
  readonly httpd: number[];
  readonly node: number[];
}

async function play(stage: Stage): Promise<void> {
  chmodSync(join(stage.folder, "htdocs/cgi.cgi"), 0o755);
  const sidecar = stage.startSidecar();
  const results = Object.keys(pages).flatMap((page) =>
    Object.keys(mechanisms).map((name): Result => ({ page, name, rate: [], httpd: [], node: [] })),
  );
  for (const { page, name } of results) await untilOk(`${stage.url}${name}/${page}`);
  for (let round = 0; round < rounds; round += 1) {
    for (const result of results) await measure(stage, sidecar.pid ?? 0, result);
    process.stderr.write(`round ${round + 1} of ${rounds}\r`);
  }
  for (const page of Object.keys(pages)) print(results.filter((result) => result.page === page));
  console.log(
    `httpd ${stage.httpdVersion}, Node ${process.version}, ${rounds} rounds of ${seconds} s`,
  );
}

async function measure(
  { url, httpdPid }: Stage,
  sidecar: number,
  { page, name, rate, httpd, node }: Result,
): Promise<void> {
  // What the clients before have left behind.
  for (let used = -1; used < cpuOf(sidecar); await sleep(200)) used = cpuOf(sidecar);
  const before = [cpuOf(httpdPid), cpuOf(sidecar)] as const;
  const { requests, failed, rate: reached } = run(`${url}${name}/${page}`, seconds);
  if (failed > requests / 100) throw new Error(`${failed} of ${requests} failed: ${name}/${page}`);
  rate.push(reached);
  httpd.push((cpuOf(httpdPid) - before[0]) / requests);
  node.push((cpuOf(sidecar) - before[1]) / requests);
}

/** Microseconds, of a process and those that it has started. */
function cpuOf(pid: number): number {
  return cpuWithEndedMicroseconds(descendants(pid));
}

function print(results: readonly Result[]): void {
  const costOf = ({ httpd, node }: Result): number => median(httpd) + median(node);
  const [plain] = results;
  const rows = results.map((result) => ({
    page: result.page,
    mechanism: result.name,
    "requests/s": Math.round(median(result.rate)),
    "httpd CPU µs": Math.round(median(result.httpd)),
    "Node CPU µs": Math.round(median(result.node)),
    "× plain": Number((costOf(result) / costOf(plain as Result)).toFixed(1)),
  }));
  console.table(rows);
}

const cgi = `<Directory "\${FOLDER}/htdocs">
    Options +ExecCGI
    AddHandler cgi-script .cgi
</Directory>`;

await onStage(await withMechanisms({ pages, conf: cgi, requestWorkers: 250 }), play);
