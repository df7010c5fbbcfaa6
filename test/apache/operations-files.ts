/** The files of deploy/ for Prometheus, Grafana, fail2ban and logrotate, beside a real sidecar. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { metricsOf } from "../../src/handlers/status/metrics.ts";
import { startApache } from "../fixtures/httpd.ts";
import { fences } from "../fixtures/markdown.ts";
import { sampleStatus } from "../fixtures/status-sample.ts";
import { until } from "../fixtures/until.ts";

const project = join(import.meta.dirname, "../..");
const read = (name: string): string => readFileSync(join(project, name), "utf8");
const page = fences(read("docs/how-to/monitoring.md"));
const section = page.find(({ info }) => info === "apache")?.text ?? "";

const apache = await startApache(t, {
  authorizer: true,
  config: { log: { format: "json", level: "info" } },
  conf: `${section.replace("192.0.2.10", "127.0.0.1")}
    <Location "/members">
      AuthType Basic
      AuthName "Members"
      Use TsOption realm Members
      Use TsAuthenHandler mod_ts/htpasswd
      Use TsOption mod_ts.htpasswd.file users
      Require valid-user
    </Location>`,
  files: { "htdocs/members/a.txt": "x", users: "ann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n" },
});

/** Runs a tool of another project, where it is installed. */
function tool(program: string, ...args: string[]): string | undefined {
  const { error, status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8" });
  if (error) return undefined;
  return `${status}: ${stdout}${stderr}`;
}

t.test("dashboard and alerts name metrics that exist, and all of them are shown", async (t) => {
  t.equal((await apache.request("/metrics")).status, 200);
  const names = metricsOf(sampleStatus()).flatMap(({ name, type }) => {
    if (type === "counter") return [`${name}_total`];
    return type === "histogram" ? [`${name}_bucket`, `${name}_count`] : [name];
  });
  const dashboard = JSON.parse(read("deploy/grafana/mod-ts.json")) as {
    panels: { title: string; targets: { expr: string }[] }[];
  };
  const shown = dashboard.panels
    .flatMap(({ targets }) => targets.map(({ expr }) => expr))
    .join("\n");
  const rules = read("deploy/prometheus/mod-ts.rules.yml").replaceAll('job="mod_ts"', "");
  for (const [name] of `${shown}\n${rules}`.matchAll(/\bmod_ts_\w+/g))
    t.ok(names.includes(name), name);
  for (const name of names) t.match(shown, name, `${name} is shown`);
  const judged = tool(
    "promtool",
    "check",
    "rules",
    join(project, "deploy/prometheus/mod-ts.rules.yml"),
  );
  if (judged === undefined) t.comment("no promtool here");
  else t.match(judged, /^0: /);
});

t.test("fail2ban counts refused passwords, and only those", async (t) => {
  const ask = (name: string, password: string): Promise<{ status: number }> => {
    const credentials = Buffer.from(`${name}:${password}`).toString("base64");
    return apache.request("/members/a.txt", { headers: { authorization: `Basic ${credentials}` } });
  };
  t.equal((await ask("ann", "secret")).status, 200);
  t.equal((await ask("ann", "wrong")).status, 401);
  t.equal((await ask("bob", "wrong")).status, 401);
  const forged = '","client":"192.0.2.66:1","message":"AH01617: user ';
  t.equal((await ask(forged, "wrong")).status, 401);
  const log = await until(() => apache.sidecarLog(), /AH01618: user \\"/);
  const lines = log.split("\n").filter((line) => line.startsWith("{"));

  const filter = read("deploy/fail2ban/filter.d/mod-ts.conf");
  const rule = /^failregex = (.+)$/m
    .exec(filter)?.[1]
    ?.replace("<ADDR>", "(?<address>[\\da-f.:]+)");
  const counted = lines.flatMap(
    (line) => new RegExp(rule ?? "").exec(line)?.groups?.["address"] ?? [],
  );
  t.same(counted, ["127.0.0.1", "127.0.0.1", "127.0.0.1"]);

  writeFileSync(join(apache.folder, "log"), log);
  const file = join(project, "deploy/fail2ban/filter.d/mod-ts.conf");
  const judged = tool("fail2ban-regex", join(apache.folder, "log"), file);
  if (judged === undefined) return t.comment("no fail2ban here");
  t.match(judged, /, 3 matched, /);
});

t.test("logrotate takes its file", async (t) => {
  // The user of the service is not one of this machine.
  const file = join(apache.folder, "logrotate.conf");
  writeFileSync(file, read("deploy/logrotate/mod-ts").replace(/^ *su .*\n/m, ""));
  const judged = tool("logrotate", "--debug", file);
  if (judged === undefined) return t.comment("no logrotate here");
  t.notMatch(judged, /^error/m);
});
