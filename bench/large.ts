/**
 * What an answer of 1 MB costs, however it is written: `node bench/large.ts [rounds] [seconds]`. CPU time of the worker, beside a server of
 * bare `node:http` that answers with the same Buffer, in one run behind the same httpd, rounds interleaved.
 */
import { join } from "node:path";
import { cpuMicroseconds, descendants } from "./cpu.ts";
import { onStage, untilOk } from "./stage.ts";
import { median, run } from "./wrk.ts";

const rounds = Number(process.argv[2] ?? 3);
const seconds = Number(process.argv[3] ?? 2);
const length = 1_048_576;

const handler = `import { OK, type ApacheRequest } from "mod-ts";
const body = Buffer.alloc(${length}, "a");
const part = body.subarray(0, 65536);
export function buffer(req: ApacheRequest) {
  req.contentType = "text/plain";
  req.write(body);
  return OK;
}
export async function writes(req: ApacheRequest) {
  req.contentType = "text/plain";
  for (let left = 16; left > 0; left -= 1) {
    req.write(part);
    await req.flush();
  }
  return OK;
}
export function response() {
  return new Response(body, { headers: { "Content-Type": "text/plain" } });
}
export async function file(req: ApacheRequest) {
  req.contentType = "text/plain";
  await req.sendFile(import.meta.dirname + "/../file");
  return OK;
}
`;
const ways = ["buffer", "writes", "response", "file"];
const bare = `import { createServer } from "node:http";
import { chmodSync } from "node:fs";
const body = Buffer.alloc(${length}, "a");
createServer({ keepAliveTimeout: 30_000 }, (_request, reply) => {
  reply.writeHead(200, { "Content-Type": "text/plain", "Content-Length": body.length });
  reply.end(body);
}).listen(process.argv[2], () => chmodSync(process.argv[2], 0o777));
`;

await onStage(
  {
    conf: `${ways.map((way) => `<Location "/${way}">\nUse TsHandler large.ts::${way}\n</Location>`).join("\n")}
ProxyPass "/bare" "unix:\${FOLDER}/bare.sock|http://bare" enablereuse=on`,
    files: { "handlers/large.ts": handler, "bare.mjs": bare, file: "a".repeat(length) },
    config: { pools: { main: { workers: 1 } } },
  },
  async (stage) => {
    const sidecar = stage.startSidecar();
    const node = stage.start(join(stage.folder, "bare.mjs"), join(stage.folder, "bare.sock"));
    const all = ["bare", ...ways];
    for (const way of all) await untilOk(stage.url + way);
    const cpu = new Map<string, number[]>(all.map((way) => [way, []]));
    for (let round = 0; round < rounds; round += 1) {
      for (const way of all) {
        const pids = way === "bare" ? [node.pid as number] : descendants(sidecar.pid as number);
        const before = cpuMicroseconds(pids);
        const { requests, failed } = run(stage.url + way, seconds, { connections: 4 });
        if (failed > 0) throw new Error(`${way}: ${failed} failed`);
        cpu.get(way)?.push((cpuMicroseconds(pids) - before) / requests);
      }
    }
    const floor = median(cpu.get("bare") ?? []);
    console.table(
      Object.fromEntries(
        all.map((way) => {
          const one = median(cpu.get(way) ?? []);
          return [
            way,
            { "µs of CPU": Math.round(one), "× bare": Math.round((one / floor) * 100) / 100 },
          ];
        }),
      ),
    );
  },
);
