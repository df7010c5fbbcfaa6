import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { Agent, type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import t from "tap";
import { contextHeader } from "../fixtures/context-header.ts";
import { modTs, Running } from "../fixtures/mod-ts.ts";
import { shortFolder } from "../fixtures/short-folder.ts";

t.test("nobody to tell", async (t) => {
  const folder = shortFolder(t, { "mod-ts.config.json": '{"run":"run"}' });
  t.match(await modTs("reload", folder), { code: 1, stderr: /MODTS_NOT_RUNNING/ });
});

t.test("new configuration, broken configuration, and what needs a restart", async (t) => {
  const pools = { main: { workers: 1 } };
  const write = (config: object): void =>
    writeFileSync(join(folder, "mod-ts.config.json"), JSON.stringify(config));
  const folder = shortFolder(t);
  write({ run: "run", pools });
  const running = new Running("start", folder);
  t.teardown(() => running.child.kill("SIGKILL"));
  await running.logged("ready");
  t.match(await modTs("reload", folder), {
    code: 0,
    stdout: new RegExp(`^told process ${running.child.pid}`),
  });
  await running.logged("reloaded, generation 2");

  write({ run: "run", keepAlive: "x" });
  t.match(await modTs("reload", folder), { code: 1, stderr: /MODTS_CONFIG_INVALID/ });
  running.child.kill("SIGHUP");
  t.match(await running.logged("not reloaded"), /MODTS_CONFIG_INVALID/);

  write({ run: "run", pools: { ...pools, second: { workers: 1 } } });
  running.child.kill("SIGHUP");
  t.match(await running.logged("needs a restart"), /listen, or the names of pools/);
  await running.logged("reloaded, generation 3");
});

/** As Apache does: kept connections, used again until the sidecar says `Connection: close`. */
async function ask(socketPath: string, agent: Agent): Promise<string> {
  const headers = { "mod-ts-context": contextHeader(), "mod-ts-config": "handler hello.ts" };
  const req = request({ socketPath, path: "/", agent, headers }).end();
  const [res] = (await once(req, "response")) as [IncomingMessage];
  let text = "";
  for await (const part of res) text += String(part);
  return `${res.statusCode} ${text}`;
}

const source = (version: number): string => `
  export async function handler(req) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    req.write("v${version}");
  }`;

t.test("under load, with the real worker, no request fails and new code comes", async (t) => {
  const folder = shortFolder(t, {
    "hello.ts": source(1),
    "mod-ts.config.json": JSON.stringify({
      run: "run",
      keepAlive: 200,
      pools: { main: { workers: 2 } },
      reload: { freshness: "manual" },
    }),
  });
  const running = new Running("start", folder);
  t.teardown(() => running.child.kill("SIGKILL"));
  await running.logged("ready");
  const answers = new Map<string, number>();
  const over = new AbortController();
  const clients = Array.from({ length: 4 }, async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (!over.signal.aborted) {
      const answer = await ask(join(folder, "run", "main.sock"), agent);
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
    }
    agent.destroy();
  });
  const seen = async (version: number): Promise<void> => {
    while (!answers.has(`200 v${version}`)) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  await seen(1);
  for (const version of [2, 3]) {
    writeFileSync(join(folder, "hello.ts"), source(version));
    running.child.kill("SIGHUP");
    await running.logged(`reloaded, generation ${version}`);
    await seen(version);
  }
  over.abort();
  await Promise.all(clients);
  t.same([...answers.keys()], ["200 v1", "200 v2", "200 v3"], JSON.stringify([...answers]));
});
