/**
 * What the standard handlers cost, and what others cost for the same: `node bench/handlers.ts [rounds] [seconds] [workers]`. In one run, rounds
 * interleaved, medians: the plain hello handler and a published one; a page that renders a table of 200 rows, a JSON answer of 10 KB,
 * a counter in a session on SQLite; and the three in mod_python, mod_php and mod_wsgi, where those are installed.
 *
 * Everybody has both cores: two workers here unless told, the processes of a usual configuration there. CPU is that of httpd and of all processes
 * behind it. Sessions are spread over 200 clients.
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findHttpd } from "../src/httpd/find.ts";
import { cpuMicroseconds, descendants } from "./cpu.ts";
import { startPeers, type Subject } from "./peers.ts";
import { onStage, type Stage, untilOk } from "./stage.ts";
import { median, run } from "./wrk.ts";

const rounds = Number(process.argv[2] ?? 3);
const seconds = Number(process.argv[3] ?? 3);
const workers = Number(process.argv[4] ?? 2);
const clients = 200;
const order = ["hello", "published hello", "page", "json", "counter"];

interface Case {
  readonly subject: Subject | "hello" | "published hello";
  readonly who: string;
  readonly url: string;
  readonly pids: () => number[];
  readonly rate: number[];
  readonly cpu: number[];
  readonly p99: number[];
}

const conf = `<Location "/hello">
    Use TsHandler hello.ts
</Location>
<Location "/json">
    Use TsHandler data.ts
</Location>
<Location "/counter">
    Use TsHandler counter.ts
</Location>
Alias "/site" "\${FOLDER}/handlers"
<Directory "\${FOLDER}/handlers">
    Require all granted
    Use TsHandler mod_ts/publisher
    <Files "*.tsp">
        Use TsHandler mod_ts/pages
    </Files>
</Directory>`;

const files: Record<string, string> = {
  "handlers/hello.ts": `import { OK, type ApacheRequest } from "mod-ts";
export function handler(req: ApacheRequest) {
  req.contentType = "text/plain";
  req.write("Hello from mod_ts!\\n");
  return OK;
}
`,
  "handlers/published.ts": `export const hello = () => "Hello from mod_ts!\\n";
`,
  "handlers/data.ts": `export function handler() {
  const items = [];
  for (let n = 0; n < 174; n++) items.push({ id: n, name: "Name " + n, tags: ["a", "b"], amount: (n * 37) % 1000 });
  return Response.json(items);
}
`,
  "handlers/counter.ts": `import { OK, type ApacheRequest } from "mod-ts";
export async function handler(req: ApacheRequest) {
  const session = await req.session();
  const hits = Number(session.data["hits"] ?? 0) + 1;
  session.data["hits"] = hits;
  req.contentType = "text/plain";
  req.write(String(hits));
  return OK;
}
`,
  "handlers/page.tsp": `<!DOCTYPE html>
<html><head><title>Rows</title></head><body><table>
<% for (let n = 0; n < 200; n++) { %>
<tr><td><%= n %></td><td><%= "Name " + n %></td><td><%= "Town <" + (n % 17) + ">" %></td><td><%= n * 37 % 1000 %></td></tr>
<% } %>
</table></body></html>
`,
};

const httpd = await findHttpd();
if (!httpd) throw new Error("no Apache httpd found");
const folder = mkdtempSync(join(tmpdir(), "mod-ts-peers-"));
chmodSync(folder, 0o755);
const peers = await startPeers(httpd, folder);
try {
  await onStage({ conf, files, config: { pools: { main: { workers } } } }, async (stage) => {
    const cases = [...ownCases(stage), ...peerCases()];
    for (const { url } of cases) await untilOk(url);
    await measure(cases);
    report(cases);
  });
} finally {
  for (const { server } of peers) await server.stop();
  rmSync(folder, { recursive: true, force: true });
}

function ownCases(stage: Stage): Case[] {
  const sidecar = stage.startSidecar();
  const pids = (): number[] => [...descendants(stage.httpdPid), ...descendants(sidecar.pid ?? 0)];
  const paths: [Case["subject"], string][] = [
    ["hello", "hello"],
    ["published hello", "site/published.ts/hello"],
    ["page", "site/page.tsp"],
    ["json", "json"],
    ["counter", "counter"],
  ];
  return paths.map(([subject, path]) => newCase(subject, "mod_ts", stage.url + path, pids));
}

function peerCases(): Case[] {
  return peers.flatMap(({ name, server, paths }) =>
    Object.entries(paths).map(([subject, path]) => {
      const pids = (): number[] => descendants(server.pid);
      return newCase(subject as Subject, name, `${server.url}/${path}`, pids);
    }),
  );
}

function newCase(subject: Case["subject"], who: string, url: string, pids: Case["pids"]): Case {
  return { subject, who, url, pids, rate: [], cpu: [], p99: [] };
}

async function measure(cases: readonly Case[]): Promise<void> {
  const scripts = new Map<Case, string>();
  for (const one of cases) {
    if (one.subject === "counter") scripts.set(one, await cookieScript(one));
    // Compilers and caches are warm when it counts.
    load(one, 3, scripts.get(one));
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const one of cases) {
      const pids = one.pids();
      const before = cpuMicroseconds(pids);
      const { requests, rate, p99 } = load(one, seconds, scripts.get(one));
      one.rate.push(rate);
      one.p99.push(p99);
      one.cpu.push((cpuMicroseconds(pids) - before) / requests);
    }
    process.stderr.write(`round ${round + 1} of ${rounds}\r`);
  }
}

function load(one: Case, time: number, script?: string): ReturnType<typeof run> {
  const result = run(one.url, time, script === undefined ? {} : { script });
  // A child of somebody else's that ends counts against nobody here; a failure of ours does.
  if (result.failed > 0 && one.who === "mod_ts")
    throw new Error(`${result.failed} failed requests at ${one.url}`);
  return result;
}

/** A script for wrk that takes turns with the cookies of many clients. */
async function cookieScript({ who, url }: Case): Promise<string> {
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
  const file = join(folder, `${who.replace(" ", "-")}.lua`);
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

function report(cases: readonly Case[]): void {
  const rows = cases.map(({ subject, who, rate, cpu, p99 }) => {
    const own = cases.find((one) => one.who === "mod_ts" && one.subject === subject);
    return {
      subject,
      who,
      "requests/s": Math.round(median(rate)),
      "mod_ts is": `${(median(own?.rate ?? []) / median(rate)).toFixed(2)} ×`,
      "CPU µs/request": Math.round(median(cpu)),
      "p99 ms": median(p99).toFixed(2),
    };
  });
  rows.sort((a, b) => order.indexOf(a.subject) - order.indexOf(b.subject));
  console.table(rows);
  const [hello, published] = cases.map(({ rate }) => median(rate));
  const share = Math.round((100 * (published ?? 0)) / (hello ?? 1));
  console.log(`published hello: ${share} % of the plain handler`);
  console.log(
    `httpd ${httpd?.version}, Node ${process.version}, 16 connections, ${rounds} rounds of ${seconds} s`,
  );
}
