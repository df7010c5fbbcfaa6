import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { compareConfigs } from "../../../src/cli/commands/compare-configs.ts";
import { shortFolder } from "../../fixtures/short-folder.ts";
import { type Config, resolveConfig, type ResolvedConfig } from "../../../src/config/config.ts";

const folder = shortFolder(t);
const file = join(folder, "mod-ts.config.ts");
t.beforeEach(() => writeFileSync(file, ""));

const resolved = (config: Config): ResolvedConfig => resolveConfig({ run: "run", ...config }, file);
const secret = "0123456789abcdef";

/** What a reload from one configuration to another needs a restart for. */
function compare(from: Config, to: Config): string[] {
  const started = resolved(from);
  return compareConfigs({ started, accepted: started, hadFile: true, next: resolved(to) });
}

const echo = (port: number): Config => ({ connections: { echo: { run: "echo.ts", port } } });

t.test("settings of sockets need a restart, others do not", async (t) => {
  const tcp = { listen: { host: "127.0.0.1", port: 9 } };
  for (const [from, to, expected] of [
    [{}, { keepAlive: 5000, development: true }, []],
    [{}, { pools: { main: { workers: 9 } } }, []],
    [{}, { run: "other" }, ["run"]],
    [{}, { pools: { main: { workers: 1 }, b: { workers: 1 } } }, ["pools.b"]],
    [{}, { authorizer: { port: 9 } }, ["authorizer"]],
    [{ authorizer: { port: 8 } }, { authorizer: { port: 9 } }, ["authorizer"]],
    [tcp, { listen: { host: "127.0.0.1", port: 10 } }, ["listen"]],
    [{}, tcp, ["listen"]],
    [echo(7), echo(7), []],
    [echo(7), echo(8), ["connections.echo"]],
    [{}, echo(7), ["connections.echo"]],
    [echo(7), {}, ["connections.echo"]],
  ] as const) {
    t.same(compare(from as Config, to as Config), expected, JSON.stringify(to));
  }
});

t.test("a configuration without what protects the sidecar is refused", async (t) => {
  const two = { pools: { main: { workers: 1 }, b: { workers: 1 } } };
  for (const [from, to, lost] of [
    [{ secret }, {}, /secret missing/],
    [two, {}, /pools\.b missing/],
    [{ authorizer: { port: 9 } }, {}, /authorizer missing/],
    [{ listen: { host: "127.0.0.1", port: 9 } }, {}, /listen missing/],
  ] as const) {
    const refused = { code: "MODTS_RELOAD_REFUSED", message: lost };
    t.throws(() => compare(from, to), refused, `${String(lost)}: the old one stays in force`);
  }
});

t.test("a configuration file that was deleted is refused", async (t) => {
  const started = resolved({});
  rmSync(file);
  const comparison = { started, accepted: started, next: started };
  t.throws(
    () => compareConfigs({ ...comparison, hadFile: true }),
    { code: "MODTS_RELOAD_REFUSED" },
    "its secret would go with it",
  );
  t.same(compareConfigs({ ...comparison, hadFile: false }), [], "unless there was none");
});

t.test("a secret that an earlier reload brought is not lost either", async (t) => {
  const started = resolved({});
  const next = resolved({});
  t.throws(
    () => compareConfigs({ started, accepted: resolved({ secret }), hadFile: true, next }),
    { code: "MODTS_RELOAD_REFUSED" },
    "the last accepted configuration counts",
  );
});
