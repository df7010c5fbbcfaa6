/**
 * What mod_ts costs beside others: `npm run bench`, in short
 * `npm run bench -- --rounds 1 --seconds 2 --reloads 20`. Writes `bench/results/<date>.json`, of
 * which `npm run bench:plot` makes the table and the plot of docs/performance.md.
 *
 * All servers run at the same time and are asked in turns, so that the machine's moods affect all
 * alike; medians over the rounds. CPU is that of httpd and of all processes behind it, without the
 * load generator. Everybody has all cores: two workers here, two processes of the bare `node:http`,
 * those of a usual configuration elsewhere. mod_ts and the bare `node:http` run behind an httpd with
 * the event MPM and behind one with prefork, as most modules inside httpd need prefork. Sessions are
 * spread over 200 clients.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { version } from "../src/base/version.ts";
import { findHttpd } from "../src/httpd/find.ts";
import { judge } from "./aims.ts";
import { cpuMicroseconds, descendants } from "./cpu.ts";
import { measureMemory } from "./memory.ts";
import { type Mpm, type Peer, startNginx, startPeers } from "./peers.ts";
import type { Measured, Result } from "./result.ts";
import { builtProgram, onStage, type Stage, untilOk } from "./stage.ts";
import { ownPaths, site } from "./subjects.ts";
import { median, run } from "./wrk.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "2" },
    reloads: { type: "string", default: "200" },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
const clients = 200;
/** Of mod_ts, and of the bare server: one process has fewer turns of its loop a request. */
const workers = 2;

interface Case {
  readonly subject: string;
  readonly who: string;
  readonly mpm: Measured["mpm"];
  readonly url: string;
  /** Of httpd, if it takes part. */
  readonly front: () => number[];
  readonly back: () => number[];
}

interface Sample {
  readonly rate: number;
  readonly cpu: number;
  readonly backend: number;
  readonly p99: number;
  readonly failed: number;
}

const httpd = await findHttpd();
if (!httpd) throw new Error("no Apache httpd found: run npm start once, or install apache2");
const load = loadavg()[0]!;
const folder = mkdtempSync(join(tmpdir(), "mod-ts-peers-"));
chmodSync(folder, 0o755);
const peers = await startPeers(httpd, folder);
try {
  const cases = await measureAll();
  const memory = await measureMemory(Number(values.reloads));
  const aims = judge(cases, memory);
  const result: Result = {
    date: new Date().toISOString(),
    machine: {
      processor: cpus()[0]?.model ?? "unknown",
      cores: cpus().length,
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      kernel: release(),
      load,
    },
    versions: {
      mod_ts: version,
      httpd: httpd.version,
      "Node.js": process.versions.node,
      ...Object.fromEntries(peers.map((peer) => [peer.name, peer.version])),
    },
    run: { rounds, seconds, connections: 16, workers },
    cases,
    memory,
    aims,
  };
  report(result);
  console.log(`written: ${write(result)}`);
} finally {
  for (const peer of peers) await peer.stop();
  rmSync(folder, { recursive: true, force: true });
}

/** Both stages stand while everybody is measured. */
async function measureAll(): Promise<Measured[]> {
  let measured: Measured[] = [];
  await onStage(site, async (event) => {
    const bare = startBare(event);
    const cases = ownCases(event, "event", bare);
    const nginx = await startNginx(folder, bare);
    if (nginx) {
      peers.push(nginx);
      const url = `${event.url}nginx`;
      const front = (): number[] => descendants(event.httpdPid);
      const back = (): number[] => descendants(nginx.pid);
      cases.push({ subject: "hello", who: "nginx", mpm: "event", url, front, back });
    }
    await onStage({ ...site, mpm: "mod_mpm_prefork" }, async (prefork) => {
      cases.push(...ownCases(prefork, "prefork", startBare(prefork)), ...peers.flatMap(peerCases));
      measured = await measure(cases);
    });
  });
  return measured;
}

interface Bare {
  readonly socket: string;
  readonly pid: number;
}

function startBare(stage: Stage): Bare {
  const socket = join(stage.folder, "run/bare.sock");
  const child = stage.start(join(import.meta.dirname, "bare.ts"), socket, String(workers));
  return { socket, pid: child.pid ?? 0 };
}

function ownCases(stage: Stage, mpm: Mpm, bare: Bare): Case[] {
  const front = (): number[] => descendants(stage.httpdPid);
  const sidecar = stage.startSidecar("", builtProgram);
  const place = (subject: string, who: string, path: string, back: Case["back"]): Case => {
    return { subject, who, mpm, url: stage.url + path, front, back };
  };
  const ofSidecar = (): number[] => descendants(sidecar.pid ?? 0);
  const ofBare = (): number[] => descendants(bare.pid);
  const own = Object.entries(ownPaths).map(([name, path]) =>
    place(name, "mod_ts", path, ofSidecar),
  );
  const floor = place("hello", "node:http", "bare", ofBare);
  if (mpm === "prefork") {
    const compared = ["hello", "page", "json", "counter"];
    return [floor, ...own.filter(({ subject }) => compared.includes(subject))];
  }
  return [
    place("static file", "httpd", "hello.txt", () => []),
    floor,
    place("1 MB", "node:http", "bare?large", ofBare),
    ...own,
  ];
}

function peerCases({ name, url, mpm, paths, pids }: Peer): Case[] {
  return Object.entries(paths).map(([subject, path]) => {
    return {
      subject,
      who: name,
      mpm: mpm ?? "none",
      url: `${url}/${path}`,
      front: () => [],
      back: pids,
    };
  });
}

async function measure(cases: readonly Case[]): Promise<Measured[]> {
  const scripts = new Map<Case, string>();
  const samples = new Map<Case, Sample[]>(cases.map((one) => [one, []]));
  for (const one of cases) {
    await untilOk(one.url);
    if (one.subject === "counter") scripts.set(one, await cookieScript(one));
    run(one.url, warmUp(one), optionsOf(scripts.get(one)));
  }
  for (let round = 1; round <= rounds; round += 1) {
    for (const one of cases) samples.get(one)?.push(sample(one, scripts.get(one)));
    process.stderr.write(`round ${round} of ${rounds}\n`);
  }
  return [...samples].map(([{ subject, who, mpm }, all]) => ({
    subject,
    who,
    mpm,
    ...middle(all),
    ...(mpm === "none" || !isNode({ who }) ? { backend: null } : {}),
    failed: all.reduce((sum, { failed }) => sum + failed, 0),
  }));
}

/** Seconds. Two workers need some 60,000 requests until V8 has compiled what is hot. */
function warmUp(one: Case): number {
  return isNode(one) ? 5 : 1;
}

function isNode({ who }: Pick<Case, "who">): boolean {
  return who === "mod_ts" || who === "node:http";
}

function sample({ who, url, front, back }: Case, script: string | undefined): Sample {
  const [ofFront, ofBack] = [front(), back()];
  const [frontBefore, backBefore] = [cpuMicroseconds(ofFront), cpuMicroseconds(ofBack)];
  const { requests, rate, p99, failed } = run(url, seconds, optionsOf(script));
  // A child of somebody else's that ends is reported; a failure of ours ends the run.
  if (failed > 0 && who === "mod_ts") throw new Error(`${failed} failed requests at ${url}`);
  const backend = (cpuMicroseconds(ofBack) - backBefore) / requests;
  const cpu = backend + (cpuMicroseconds(ofFront) - frontBefore) / requests;
  return { rate, cpu, backend, p99, failed };
}

function optionsOf(script: string | undefined): { script?: string } {
  return script === undefined ? {} : { script };
}

function middle(samples: readonly Sample[]): Omit<Sample, "failed"> {
  const of = (key: keyof Sample): number => {
    const value = median(samples.map((one) => one[key]));
    return Math.round(value * 100) / 100;
  };
  return { rate: of("rate"), cpu: of("cpu"), backend: of("backend"), p99: of("p99") };
}

/** A script for wrk that takes turns with the cookies of many clients. */
async function cookieScript({ who, mpm, url }: Case): Promise<string> {
  const cookies: string[] = [];
  while (cookies.length < clients) {
    // A server may close a kept connection just then.
    const reply = await fetch(url).catch(() => undefined);
    if (!reply) continue;
    await reply.text();
    const cookie = reply.headers.getSetCookie()[0]?.split(";")[0];
    if (!cookie) throw new Error(`${who} sets no cookie`);
    cookies.push(cookie);
  }
  const file = join(folder, `${who.replace(" ", "-")}-${mpm}.lua`);
  writeFileSync(
    file,
    `local cookies = {${cookies.map((cookie) => JSON.stringify(cookie)).join(",")}}
local turn = 0
function request()
  turn = turn % #cookies + 1
  return wrk.format("GET", nil, { ["Cookie"] = cookies[turn] })
end
`,
  );
  return file;
}

function report({ cases, aims, versions, run: how, machine }: Result): void {
  const order = ["static file", "1 MB", ...Object.keys(ownPaths)];
  const rows = cases.map(({ subject, who, mpm, rate, cpu, backend, p99, failed }) => ({
    subject,
    who,
    MPM: mpm,
    "CPU µs/request": Math.round(cpu),
    "behind httpd": backend === null ? "" : Math.round(backend),
    "requests/s": Math.round(rate),
    "p99 ms": p99,
    failed,
  }));
  console.table(rows.toSorted((a, b) => order.indexOf(a.subject) - order.indexOf(b.subject)));
  console.table(
    aims.map(({ aim, wanted, is, met }) => ({
      aim,
      wanted,
      is,
      met: met === null ? "" : met ? "yes" : "NO",
    })),
  );
  console.log(
    Object.entries(versions)
      .map((pair) => pair.join(" "))
      .join(", "),
  );
  console.log(
    `${machine.cores} × ${machine.processor}, load ${machine.load} before; ` +
      `${how.connections} connections, ${how.rounds} rounds of ${how.seconds} s`,
  );
}

function write(result: Result): string {
  const results = join(import.meta.dirname, "results");
  mkdirSync(results, { recursive: true });
  const file = join(results, `${result.date.slice(0, 10)}.json`);
  writeFileSync(file, `${JSON.stringify(result, undefined, 2)}\n`);
  return file;
}
