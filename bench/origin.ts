/**
 * What a pass-through costs: `node bench/origin.ts [rounds] [seconds]`. A static file of 1 KB and one of 1 MB, and a page of PHP where
 * mod_php is installed, by Apache alone and through `mod_ts/origin`, in one run, rounds interleaved, medians. Then the memory of the
 * sidecar while a hundred clients fetch 100 MB each; with 0 rounds that alone, on a sidecar that has done nothing yet.
 */
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../src/httpd/private-server.ts";
import { originGuard } from "../src/base/crypto.ts";
import { cpuMicroseconds, descendants } from "./cpu.ts";
import { onStage, type Stage, untilOk } from "./stage.ts";
import { median, run } from "./wrk.ts";

const rounds = Number(process.argv[2] ?? 3);
const seconds = Number(process.argv[3] ?? 3);
const megabyte = 1024 ** 2;
const clients = 100;
const secret = "mod-ts-bench-secret";
const port = await freePort("127.0.0.1");
const modules = "/usr/lib/apache2/modules";
const php = existsSync(modules)
  ? readdirSync(modules).find((name) => /^libphp[\d.]*\.so$/.test(name))
  : undefined;

const subjects = ["small.bin", "large.bin", ...(php ? ["page.php"] : [])];

await onStage(
  {
    // mod_php wants the prefork MPM, and then everything here runs with it.
    ...(php && { mpm: "mod_mpm_prefork" }),
    before: `Define MOD_TS_SECRET ${secret}
Define MOD_TS_ORIGIN ${originGuard(secret)}
Listen 127.0.0.1:${port}
${php ? `LoadModule php_module "${join(modules, php)}"\nMaxRequestWorkers 256\nMaxSpareServers 256` : ""}`,
    conf: `${php ? '<FilesMatch "\\.php$">\n    SetHandler application/x-httpd-php\n</FilesMatch>' : ""}
Alias "/through" "\${FOLDER}/htdocs"
<Location "/through">
    Use TsAroundHandler mod_ts/origin
</Location>`,
    files: {
      "htdocs/small.bin": "x".repeat(1024),
      "htdocs/large.bin": "x".repeat(megabyte),
      "htdocs/huge.bin": "",
      "htdocs/page.php":
        "<?php for ($n = 0; $n < 200; $n++) echo '<p>', htmlspecialchars(\"Town <$n>\"), '</p>';\n",
    },
    config: {
      secret,
      origin: { url: `http://127.0.0.1:${port}`, requestWorkers: 250 },
      pools: { main: { workers: 1 } },
    },
  },
  async (stage) => {
    const sidecar = stage.startSidecar();
    await untilOk(`${stage.url}through/small.bin`);
    if (rounds > 0) await compare(stage, () => descendants(sidecar.pid ?? 0));
    await memory(stage, () => descendants(sidecar.pid ?? 0));
  },
);

async function compare({ url, httpdPid }: Stage, sidecar: () => number[]): Promise<void> {
  const cases = subjects.flatMap((file) =>
    ["", "through/"].map((by) => ({ file, by, rate: [] as number[], cpu: [] as number[] })),
  );
  for (const { file, by } of cases) run(url + by + file, 2);
  for (let round = 0; round < rounds; round += 1) {
    for (const one of cases) {
      const pids = [...descendants(httpdPid), ...sidecar()];
      const before = cpuMicroseconds(pids);
      const { requests, rate, failed } = run(url + one.by + one.file, seconds);
      if (failed > 0) console.error(`${failed} of ${requests} failed at ${one.by}${one.file}`);
      one.rate.push(rate);
      one.cpu.push((cpuMicroseconds(pids) - before) / requests);
    }
    process.stderr.write(`round ${round + 1} of ${rounds}\r`);
  }
  console.table(
    cases.map(({ file, by, rate, cpu }) => ({
      file,
      by: by === "" ? "Apache alone" : "mod_ts/origin",
      "requests/s": Math.round(median(rate)),
      "CPU µs/request": Math.round(median(cpu)),
    })),
  );
}

/** Resident memory of the sidecar's processes at its peak, over what it was before. */
async function memory({ url, folder }: Stage, sidecar: () => number[]): Promise<void> {
  truncateSync(join(folder, "htdocs/huge.bin"), 100 * megabyte);
  const before = resident(sidecar());
  let peak = before;
  const timer = setInterval(() => (peak = Math.max(peak, resident(sidecar()))), 50);
  const begin = performance.now();
  const all = Array.from({ length: clients }, () => fetchAll(`${url}through/huge.bin`));
  const sizes = await Promise.all(all);
  clearInterval(timer);
  const whole = sizes.filter((size) => size === 100 * megabyte).length;
  const time = ((performance.now() - begin) / 1000).toFixed(0);
  const growth = Math.round((peak - before) / megabyte);
  console.log(
    `${whole} of ${clients} clients got 100 MB in ${time} s; the sidecar grew by ${growth} MB at its peak`,
  );
  await sleep(1000);
  console.log(`a second later: ${Math.round((resident(sidecar()) - before) / megabyte)} MB`);
}

/** By curl, so that the clients cost this process nothing. */
function fetchAll(url: string): Promise<number> {
  const child = spawn("curl", ["-sf", "-o", "/dev/null", "-w", "%{size_download}", url]);
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => (text += part));
  return new Promise((resolve) => child.once("close", () => resolve(Number(text))));
}

function resident(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    try {
      const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
      return sum + Number(kilobytes ?? 0) * 1024;
    } catch {
      return sum;
    }
  }, 0);
}
