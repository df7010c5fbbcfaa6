import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { dirname, join } from "node:path";
import t from "tap";
import { modTs, Running } from "../../fixtures/mod-ts.ts";
import { childrenOf } from "../../fixtures/processes.ts";
import { shortFolder } from "../../fixtures/short-folder.ts";

/** Bare packages in everything that a file imports, types aside. */
function packagesOf(file: string, seen: Set<string> = new Set()): string[] {
  if (seen.has(file)) return [];
  seen.add(file);
  const found: string[] = [];
  for (const [statement, target = ""] of readFileSync(file, "utf8").matchAll(
    /^(?:import|export)\b[^;]*? from "([^"]+)"/gm,
  )) {
    if (/^(?:import|export) type/.test(statement)) continue;
    if (target.startsWith(".")) found.push(...packagesOf(join(dirname(file), target), seen));
    else if (!target.startsWith("node:")) found.push(target);
  }
  return found;
}

t.test("the supervisor loads no package, and so dies of none", async (t) => {
  const src = join(import.meta.dirname, "../../../src");
  t.same(packagesOf(join(src, "cli/commands/start.ts")), []);
  t.same(packagesOf(join(src, "cli/cli.ts")), []);
  t.ok(packagesOf(join(src, "worker.ts")).includes("fastify"), "the search finds what is there");
});

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
  if (process.geteuid?.() === 0) await running.logged("MODTS_RUNS_AS_ROOT");
  await running.logged(`listening on ${socketPath}`);
  t.equal(await get(socketPath), 403, "whoever is not Apache gets nothing");
  // systemd and a terminal signal every process of the group; only the supervisor may act on it.
  const workers = childrenOf(running.child.pid!);
  for (const pid of workers) process.kill(pid, "SIGTERM");
  t.equal(await get(socketPath), 403);
  t.same(childrenOf(running.child.pid!), workers);
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
    stderr: /MODTS_CONFIG_INVALID: .*errors: 2\)\n {2}- handler is not.*\n {2}- keepAlive must/,
  });
  t.notOk(existsSync(join(folder, "run")));
});
