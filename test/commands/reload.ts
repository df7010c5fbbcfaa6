import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
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
