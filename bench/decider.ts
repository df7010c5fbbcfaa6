/**
 * What a decision about Apache's own content costs: `node bench/decider.ts [rounds] [seconds]`. One
 * static file of 1 KB, in one run: without handlers; with a fixup handler, a translation, and both;
 * and a content handler that says hello.
 */
import { cpuMicroseconds, descendants } from "./cpu.ts";
import { onStage, untilOk } from "./stage.ts";
import { median, run } from "./wrk.ts";

const rounds = Number(process.argv[2] ?? 3);
const seconds = Number(process.argv[3] ?? 3);
const secret = "0123456789abcdef";
const handler = `export const fixupHandler = () => 0;
export function transHandler(req) {
  req.uri = req.uri.replace("pretty", "fixup").replace("translated", "static");
  return 0;
}
export function handler(req) {
  req.write("hello\\n");
  return 0;
}
`;
const paths = {
  static: "static",
  fixup: "fixup",
  trans: "translated",
  "trans, fixup": "pretty",
  hello: "hello",
};

await onStage(
  {
    before: `Define MOD_TS_SECRET ${secret}`,
    conf: `
      <Location "/fixup">
        Use TsFixupHandler h.ts
      </Location>
      <LocationMatch "^/(?:translated|pretty)">
        Use TsTransHandler h.ts
      </LocationMatch>
      <Location "/hello">
        Use TsHandler h.ts
      </Location>`,
    files: {
      "htdocs/static/a.txt": "a".repeat(1024),
      "htdocs/fixup/a.txt": "a".repeat(1024),
      "handlers/h.ts": handler,
    },
    config: { secret },
  },
  async (stage) => {
    const sidecar = stage.startSidecar();
    for (const path of Object.values(paths)) await untilOk(`${stage.url}${path}/a.txt`);
    const results = new Map<string, { rate: number[]; httpd: number[]; node: number[] }>();
    for (const name of Object.keys(paths)) results.set(name, { rate: [], httpd: [], node: [] });
    for (let round = 0; round < rounds; round += 1) {
      for (const [name, path] of Object.entries(paths)) {
        const httpd = descendants(stage.httpdPid);
        const node = descendants(sidecar.pid ?? 0);
        const before = [cpuMicroseconds(httpd), cpuMicroseconds(node)] as const;
        const result = run(`${stage.url}${path}/a.txt`, seconds, { connections: 16 });
        if (result.failed > result.requests / 100)
          throw new Error(`${result.failed} failed: ${name}`);
        results.get(name)?.rate.push(result.rate);
        results.get(name)?.httpd.push((cpuMicroseconds(httpd) - before[0]) / result.requests);
        results.get(name)?.node.push((cpuMicroseconds(node) - before[1]) / result.requests);
      }
    }
    const base = median(results.get("static")?.httpd ?? []);
    console.table(
      Object.fromEntries(
        [...results].map(([name, { rate, httpd, node }]) => [
          name,
          {
            "requests/s": Math.round(median(rate)),
            "httpd CPU µs": Math.round(median(httpd)),
            "Node CPU µs": Math.round(median(node)),
            "× static": Number(((median(httpd) + median(node)) / base).toFixed(1)),
          },
        ]),
      ),
    );
    console.log(
      `httpd ${stage.httpdVersion}, Node ${process.version}, ${rounds} rounds of ${seconds} s`,
    );
  },
);
