import { symlinkSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { checkAddresses, type SidecarAddresses } from "../../src/httpd/address-rules.ts";
import { mergedConfig, summaries } from "../fixtures/merged-config.ts";

const sidecar: SidecarAddresses = {
  file: "/srv/mod-ts.config.ts",
  run: "/run/mod-ts",
  pools: { main: "/run/mod-ts/main.sock", reports: "/run/mod-ts/reports.sock" },
  authorizer: 9700,
  handlerTimeout: 60_000,
};
const check = (more: Partial<SidecarAddresses>, site = "") =>
  checkAddresses(mergedConfig(site), { ...sidecar, ...more });

t.test("Apache and the sidecar agree", async (t) => {
  t.same(check({}), []);
  const folder = t.testdir({ run: {} });
  symlinkSync(join(folder, "run"), join(folder, "link"));
  const site = `SetEnvIfExpr "true" "MOD_TS_BACKEND=proxy:unix:${folder}/link/main.sock|http://main.mod-ts"
<Proxy "unix:${folder}/link/main.sock|http://main.mod-ts">
</Proxy>`;
  t.same(check({ pools: { main: join(folder, "run/main.sock") } }, site), [], "by way of a link");
});

t.test("addresses and times that differ", async (t) => {
  for (const [name, more, ...expected] of [
    [
      "another directory",
      { pools: { main: "/run/b/main.sock" } },
      "run-differs /etc/mod_ts.conf:3",
    ],
    ["a port in its place", { pools: { main: 9 } }, "run-differs /etc/mod_ts.conf:3"],
    ["another port", { authorizer: 9 }, "authorizer-differs /etc/mod_ts.conf:5"],
    ["no authorizer", { authorizer: undefined }, "authorizer-differs /etc/mod_ts.conf:5"],
    [
      "a handler that may be slower",
      { handlerTimeout: 90_000 },
      "timeout-short /etc/mod_ts.conf:3",
    ],
  ] as const) {
    t.same(summaries(check(more as Partial<SidecarAddresses>)), expected, name);
  }
});

t.test("pools that the sidecar does not have", async (t) => {
  const proxy = '<Proxy "unix:/run/mod-ts/report.sock|http://report.mod-ts">\n</Proxy>';
  t.match(check({}, proxy), [
    { rule: "pool-unknown", what: /no pool report; did you mean reports/ },
  ]);
  t.match(check({}, "Use TsInterpreter repots"), [
    { rule: "pool-unknown", where: "/etc/site.conf:1", what: /did you mean reports/ },
  ]);
  t.same(check({}, "Use TsInterpreter reports"), [], "one that it has");
});
