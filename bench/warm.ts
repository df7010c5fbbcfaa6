/**
 * What a new worker costs: `npm run bench:warm -- [rounds] [program]`. CPU time of the worker, which does not depend on other load as requests per
 * second do: until the first answer beside 50 handlers, until each of them has answered once, of a request after 500, and of one when V8 has
 * compiled what is hot. Memory (PSS, proc_pid_smaps(5)): idle after the first answer, warm, and after 2,000 saves of a handler.
 *
 * The first start finds an empty cache of compiled code. It runs what `npm run build` made, or another program.
 */
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { cpuNanoseconds, descendants, pssMebibytes } from "./cpu.ts";
import { builtProgram, onStage, type Stage, untilOk } from "./stage.ts";
import { helloHandler } from "./subjects.ts";
import { run } from "./wrk.ts";

const rounds = Number(process.argv[2] ?? 3);
const program = process.argv[3] ?? builtProgram;
const handlers = 50;
const rows: Record<string, Record<string, number>> = {};

const text = helloHandler("Hello from mod_ts!\n");
const names = Array.from({ length: handlers }, (_, index) => `h${index}`);

await onStage(
  {
    conf: names
      .map((name) => `<Location "/${name}/">\nUse TsHandler ${name}.ts\n</Location>`)
      .join("\n"),
    files: Object.fromEntries(names.map((name) => [`handlers/${name}.ts`, text])),
    config: {},
  },
  async (stage) => {
    for (let round = 0; round <= rounds; round += 1) await startOnce(stage, round);
  },
);
console.table(rows);
console.log(`Node ${process.version}, CPU time of the worker alone, one worker behind httpd`);

async function startOnce(stage: Stage, round: number): Promise<void> {
  const sidecar = stage.startSidecar("", program);
  try {
    await untilOk(`${stage.url}h0/`);
    const [supervisor = 0, worker = 0] = descendants(sidecar.pid ?? 0);
    const row = await follow(stage, supervisor, worker);
    if (round === rounds) row["MiB after 2,000 saves"] = await saveOften(stage, worker);
    rows[round === 0 ? "empty cache" : `start ${round}`] = Object.fromEntries(
      Object.entries(row).map(([name, value]) => [name, Math.round(value)]),
    );
  } finally {
    sidecar.kill();
    await once(sidecar, "exit");
  }
}

/** The life of a worker that has answered once. */
async function follow(
  { url }: Stage,
  supervisor: number,
  worker: number,
): Promise<Record<string, number>> {
  const row: Record<string, number> = {
    "first answer, ms": cpuNanoseconds(worker) / 1e6,
    "supervisor MiB": pssMebibytes(supervisor),
    "worker MiB": pssMebibytes(worker),
  };
  for (const name of names) await untilOk(`${url}${name}/`);
  row["all handlers, ms"] = cpuNanoseconds(worker) / 1e6;
  await costOf(worker, `${url}h0/`, 500);
  row["after 500, µs"] = await costOf(worker, `${url}h0/`, 500);
  run(`${url}h0/`, 8);
  row["warm, µs"] = await costOf(worker, `${url}h0/`, 3000);
  row["warm MiB"] = pssMebibytes(worker);
  return row;
}

/** Memory after 2,000 versions of a handler, each of which has answered. */
async function saveOften({ url, folder }: Stage, worker: number): Promise<number> {
  for (let version = 1; version <= 2000; version += 1) {
    writeFileSync(join(folder, "handlers/h0.ts"), helloHandler(`version ${version}`));
    await untilOk(`${url}h0/`);
  }
  return pssMebibytes(worker);
}

/** Microseconds of the worker for a request, 16 at a time. */
async function costOf(worker: number, url: string, requests: number): Promise<number> {
  const before = cpuNanoseconds(worker);
  let left = requests;
  const ask = async (): Promise<void> => {
    for (; left > 0; left -= 1) await fetch(url).then((reply) => reply.text(), ignoreClosed);
  };
  await Promise.all(Array.from({ length: 16 }, ask));
  return (cpuNanoseconds(worker) - before) / 1000 / requests;
}

/** Apache may close a kept connection just as it is used again. */
function ignoreClosed(): void {}
