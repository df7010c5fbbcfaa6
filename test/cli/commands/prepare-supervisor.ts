import { join } from "node:path";
import t from "tap";
import { prepareSupervisor } from "../../../src/cli/commands/prepare-supervisor.ts";
import { shortFolder } from "../../fixtures/short-folder.ts";

t.test("from a folder to a supervisor that has not started", async (t) => {
  const folder = shortFolder(t, { "mod-ts.config.json": '{"run":"run"}' });
  const { supervisor, config } = await prepareSupervisor(folder, { development: true });
  t.match(config, { run: join(folder, "run"), development: true });
  t.same(supervisor.listeners, []);
  t.same(supervisor.pids("main"), []);
});

t.test("a network address needs a secret", async (t) => {
  const config = { run: "run", listen: { host: "0.0.0.0", port: 9700 } };
  const folder = shortFolder(t, { "mod-ts.config.json": JSON.stringify(config) });
  const { supervisor } = await prepareSupervisor(folder);
  await t.rejects(supervisor.start(), {
    code: "MODTS_SECRET_REQUIRED",
    message: /0\.0\.0\.0:9700/,
  });
});
