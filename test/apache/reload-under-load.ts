/** 1,000 saves while four clients ask on kept connections: no request fails, none sees an older version than the one before. */
import { renameSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import t from "tap";
import { startApache } from "../fixtures/httpd.ts";

const saves = 1000;
const clients = 4;

const handler = (n: number): string =>
  `import { helper } from "./helper.ts";\nexport const handler = (req) => { req.write("${n} " + helper); };\n`;
const helper = (n: number): string => `export const helper = ${n};\n`;

const apache = await startApache(t, {
  conf: `<Location /app>\nUse TsHandler app.ts\n</Location>`,
  handlers: { "app.ts": handler(0), "helper.ts": helper(0) },
  config: { log: { level: "error" } },
});
const inHandlers = (name: string): string => join(apache.folder, "handlers", name);

/** Where a save goes: in place or by renaming, the handler or its helper. */
function save(n: number): void {
  const [name, text] = n % 2 ? ["app.ts", handler(n)] : ["helper.ts", helper(n)];
  if (n % 4 < 2) return writeFileSync(inHandlers(name), text);
  writeFileSync(inHandlers(`${name}.tmp`), text);
  renameSync(inHandlers(`${name}.tmp`), inHandlers(name));
}

function get(agent: Agent): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: "127.0.0.1", port: apache.port, path: "/app", agent });
    outgoing.once("error", reject);
    outgoing.once("response", (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (part: string) => (body += part));
      response.once("error", reject);
      response.once("end", () => resolve({ status: response.statusCode ?? 0, body }));
    });
    outgoing.end();
  });
}

t.test("nobody notices but by the newer text", async (t) => {
  const load = { saving: true, asked: 0 };
  const failures: string[] = [];
  const ask = async (): Promise<void> => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    let [seenHandler, seenHelper] = [0, 0];
    while (load.saving) {
      const { status, body } = await get(agent).catch((error: Error) => ({
        status: 0,
        body: error.message,
      }));
      const [handlerNow = -1, helperNow = -1] = body.split(" ").map(Number);
      const isOlder = handlerNow < seenHandler || helperNow < seenHelper;
      if (status !== 200 || isOlder) failures.push(`${status} ${body}`);
      [seenHandler, seenHelper] = [handlerNow, helperNow];
      load.asked += 1;
    }
    agent.destroy();
  };
  const all = Array.from({ length: clients }, ask);
  for (let n = 1; n <= saves; n += 1) {
    save(n);
    const before = load.asked;
    // At least one request between two saves, so that each version is really run.
    while (load.asked === before) await turn();
  }
  load.saving = false;
  await Promise.all(all);
  t.strictSame(failures, []);
  t.ok(load.asked >= saves, `${load.asked} requests`);
  t.equal((await apache.request("/app")).body, `${saves - 1} ${saves}`);
  t.equal(apache.sidecarLog(), "", "and nothing was logged as an error");
});
