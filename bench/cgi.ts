/**
 * What a CGI script costs: `node bench/cgi.ts [rounds] [seconds]`.
 *
 * The same script, which prints one variable, as TypeScript and as a plain process of `mod_ts/cgi`, with a shell script
 * for comparison: latency of one request now and then, requests per second at 8 clients, CPU time of the
 * sidecar with all scripts, and the memory of the processes that wait. Rounds are interleaved, figures are medians.
 */
import { chmodSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { cpuWithEndedMicroseconds, descendants } from "./cpu.ts";
import { onStage, untilOk } from "./stage.ts";
import { median } from "./wrk.ts";

const rounds = Number(process.argv[2] ?? 5);
const seconds = Number(process.argv[3] ?? 5);
const singles = 15;
const script = `console.log("Content-Type: text/plain\\n\\n" + process.env.QUERY_STRING);`;
const names = ["script.ts", "process", "shell"] as const;

await onStage(
  {
    conf: `Alias /cgi "\${FOLDER}/handlers"
<Directory "\${FOLDER}/handlers">
    Require all granted
    Use TsHandler mod_ts/cgi
</Directory>`,
    files: {
      "handlers/script.ts": script,
      "handlers/process": `#!${process.execPath}\n${script}`,
      "handlers/shell": `#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n%s\\n' "$QUERY_STRING"\n`,
    },
    config: {},
  },
  async ({ url, folder, startSidecar }) => {
    for (const name of names) chmodSync(join(folder, "handlers", name), 0o755);
    const sidecar = startSidecar();
    for (const name of names) await untilOk(`${url}cgi/${name}`);
    const results = names.map((name) => ({
      name,
      single: [] as number[],
      rate: [] as number[],
      cpu: [] as number[],
    }));
    for (let round = 0; round < rounds; round += 1) {
      for (const { name, single, rate, cpu } of results) {
        const address = `${url}cgi/${name}?a=1`;
        for (let number = 0; number < singles; number += 1) {
          await sleep(300);
          const begin = performance.now();
          await (await fetch(address)).text();
          single.push(performance.now() - begin);
        }
        const before = cpuWithEndedMicroseconds(descendants(sidecar.pid ?? 0));
        const begin = performance.now();
        const count = await flood(address, begin + seconds * 1000);
        rate.push((1000 * count) / (performance.now() - begin));
        // Processes that took the place of others are part of the price.
        await sleep(1000);
        const after = cpuWithEndedMicroseconds(descendants(sidecar.pid ?? 0));
        cpu.push((after - before) / 1000 / count);
      }
    }
    console.table(
      Object.fromEntries(
        results.map(({ name, single, rate, cpu }) => [
          name,
          {
            "one request, ms": median(single).toFixed(1),
            "requests/s, 8 clients": median(rate).toFixed(1),
            "CPU ms/request": median(cpu).toFixed(1),
          },
        ]),
      ),
    );
    reportWaiting(sidecar.pid ?? 0);
  },
);

/** Requests by 8 clients until a time; returns their number. */
async function flood(address: string, end: number): Promise<number> {
  let count = 0;
  const client = async (): Promise<void> => {
    while (performance.now() < end) {
      const response = await fetch(address);
      await response.text();
      if (response.status !== 200) throw new Error(`${response.status} from ${address}`);
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: 8 }, client));
  return count;
}

/** Proportional memory of the processes that wait for a script: pages that they share with others count in part. */
function reportWaiting(sidecar: number): void {
  const waiting = descendants(sidecar).filter((pid) => titleOf(pid).startsWith("mod-ts: cgi"));
  const megabytes = waiting.map((pid) => {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, "latin1");
    return Number(/^Pss:\s+(\d+)/m.exec(text)?.[1]) / 1024;
  });
  console.log(
    `${waiting.length} processes wait, ${megabytes.map((n) => n.toFixed(1)).join(", ")} MB`,
  );
}

function titleOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return "";
  }
}
