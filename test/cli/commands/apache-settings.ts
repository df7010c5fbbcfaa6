import { join } from "node:path";
import t from "tap";
import { confSettings, poolLines } from "../../../src/cli/commands/apache-settings.ts";
import { resolveConfig } from "../../../src/config/config.ts";
import { shortFolder } from "../../fixtures/short-folder.ts";

const file = join(shortFolder(t), "mod-ts.config.json");

t.test("sockets", async (t) => {
  const config = resolveConfig(
    { run: "/srv/run", pools: { b: { workers: 1 }, a: { workers: 1 } } },
    file,
  );
  t.match(confSettings(config), {
    run: "/srv/run",
    ttl: 15,
    timeout: 300,
    tcp: undefined,
    secret: undefined,
  });
  t.equal(poolLines(config), "Use TsPool a\nUse TsPool b\n");
});

t.test("TCP", async (t) => {
  const listen = { host: "::", port: 9700 };
  const secret = "0123456789abcdef";
  const config = resolveConfig(
    { listen, secret, keepAlive: 1000, pools: { a: { workers: 1 } } },
    file,
  );
  t.match(confSettings(config), { tcp: "127.0.0.1:9700", secret, ttl: 1 });
  t.equal(poolLines(config), "Use TsTcpPool a 127.0.0.1:9701\n");
  const local = resolveConfig({ listen: { host: "::1", port: 9700 } }, file);
  t.equal(confSettings(local).tcp, "[::1]:9700");
});

t.test("call backs", async (t) => {
  const secret = "0123456789abcdef";
  const origin = { url: "http://127.0.0.1:80", clientHeader: "X-Forwarded-For" };
  const settings = confSettings(
    resolveConfig({ secret, origin, pools: { main: { workers: 1 } } }, file),
  );
  t.match(settings, { origin: /^[0-9a-f]{32}$/, originHeader: "X-Forwarded-For" });
  t.notMatch(settings.origin, secret);
  t.equal(confSettings(resolveConfig({ secret }, file)).origin, undefined);
});

t.test("Apache waits longer than the sidecar", async (t) => {
  const config = resolveConfig({ limits: { handlerTimeout: 900_000 } }, file);
  t.equal(confSettings(config).timeout, 930);
});
