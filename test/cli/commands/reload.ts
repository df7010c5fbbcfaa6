import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { Agent, type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import t from "tap";
import { freePort } from "../../../src/httpd/private-server.ts";
import { contextHeader } from "../../fixtures/context-header.ts";
import { modTs, Running } from "../../fixtures/mod-ts.ts";
import { shortFolder } from "../../fixtures/short-folder.ts";

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
  t.match(await modTs("reload", folder), { code: 0, stdout: /generation 2/, stderr: "" });

  write({ run: "run", keepAlive: "x" });
  t.match(await modTs("reload", folder), { code: 1, stderr: /MODTS_CONFIG_INVALID/ });
  running.child.kill("SIGHUP");
  t.match(await running.logged("not reloaded"), /MODTS_CONFIG_INVALID/);

  const port = await freePort("127.0.0.1");
  write({ run: "run", pools: { ...pools, second: { workers: 1 } }, authorizer: { port } });
  const { code, stdout } = await modTs("reload", folder);
  t.equal(code, 0);
  t.match(stdout, /generation 3.*\n.*\bpools\.second\b/);
  t.match(stdout, /\bauthorizer\b/);
  await running.logged("MODTS_RESTART_NEEDED");
});

t.test("a reload that would lose the protection is refused", async (t) => {
  const base = { run: "run", pools: { main: { workers: 1 }, second: { workers: 1 } } };
  const authorizer = { port: await freePort("127.0.0.1") };
  const full = { ...base, secret: "0123456789abcdef", authorizer };
  const folder = shortFolder(t, { "mod-ts.config.json": JSON.stringify(full) });
  const file = join(folder, "mod-ts.config.json");
  const running = new Running("start", folder);
  t.teardown(() => running.child.kill("SIGKILL"));
  await running.logged("ready");
  const lossy = {
    secret: { ...base, authorizer },
    authorizer: { ...base, secret: full.secret },
    "pools.second": { ...full, pools: { main: { workers: 1 } } },
  };
  for (const [name, config] of Object.entries(lossy)) {
    writeFileSync(file, JSON.stringify(config));
    const { code, stderr } = await modTs("reload", folder);
    t.equal(code, 1, name);
    t.match(stderr, new RegExp(`MODTS_RELOAD_REFUSED.*\\b${name}\\b`));
    t.match(await running.logged("not reloaded"), /MODTS_RELOAD_REFUSED/);
  }
  rmSync(file);
  running.child.kill("SIGHUP");
  t.match(await running.logged("not reloaded"), /MODTS_RELOAD_REFUSED/, "the file has gone");
  t.equal(await status(join(folder, "run", "main.sock"), full.secret), 500, "the secret is known");
  t.equal(await status(join(folder, "run", "main.sock"), ""), 403, "and is still needed");
  writeFileSync(file, JSON.stringify(full));
  t.match(await modTs("reload", folder), { code: 0, stdout: /generation 2/ });
});

t.test("a sidecar is reloaded by its own directory only", async (t) => {
  const mine = shortFolder(t);
  const run = join(mine, "run");
  const config = JSON.stringify({ run, pools: { main: { workers: 1 } } });
  writeFileSync(join(mine, "mod-ts.config.json"), config);
  const other = shortFolder(t, { "mod-ts.config.json": config });
  const running = new Running("start", mine);
  t.teardown(() => running.child.kill("SIGKILL"));
  await running.logged("ready");
  t.match(await modTs("reload", other), { code: 1, stderr: /MODTS_OTHER_DIRECTORY/ });
  t.match(await modTs("reload", mine), { code: 0, stdout: /generation 2/ });
});

async function status(socketPath: string, secret: string): Promise<number | undefined> {
  const context = contextHeader({ secret });
  const headers = { "mod-ts-context": context, "mod-ts-config": "handler missing.ts" };
  const req = request({ socketPath, path: "/", agent: false, headers }).end();
  const [res] = (await once(req, "response")) as [IncomingMessage];
  res.resume();
  return res.statusCode;
}

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
