import { once } from "node:events";
import { existsSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import t from "tap";
import { modTs, Running } from "../fixtures/mod-ts.ts";
import { shortFolder } from "../fixtures/short-folder.ts";

function get(socketPath: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const req = request({ socketPath, path: "/" }, (res) => {
      res.resume();
      res.on("end", () => resolve(res.statusCode!));
    });
    req.on("error", reject);
    req.end();
  });
}

t.test("starts and stops with the real worker", async (t) => {
  const config = { run: "run", pools: { main: { workers: 1 } } };
  const folder = shortFolder(t, { "mod-ts.config.json": JSON.stringify(config) });
  const socketPath = join(folder, "run", "main.sock");
  const running = new Running("start", folder);
  t.teardown(() => running.child.kill("SIGKILL"));
  t.match(await running.logged("listening"), socketPath);
  t.equal(await get(socketPath), 403, "whoever is not Apache gets nothing");
  running.child.kill("SIGTERM");
  t.same(await once(running.child, "exit"), [0, null]);
  t.notOk(existsSync(socketPath));
});

t.test("configuration mistakes are all told, and nothing starts", async (t) => {
  const folder = shortFolder(t, {
    "mod-ts.config.json": '{"run":"run","handler":1,"keepAlive":"x"}',
  });
  t.match(await modTs("start", folder), {
    code: 1,
    stderr: /MODTS_CONFIG_INVALID: .*mistakes: 2\n {2}- handler is not.*\n {2}- keepAlive must/,
  });
  t.notOk(existsSync(join(folder, "run")));
});
