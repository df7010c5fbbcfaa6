import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { checkConfig, type SidecarFacts } from "../../src/httpd/check-config.ts";
import type { Finding } from "../../src/httpd/finding.ts";
import { defaultModules, writeServerRoot } from "../../src/httpd/server-root.ts";
import { confFile, requireHttpd } from "../fixtures/httpd.ts";

const facts: SidecarFacts = {
  headerBytes: 65_536,
  keepAlive: 30_000,
  secret: undefined,
  origin: undefined,
};

/** Findings on a configuration that is right but for `conf`. */
async function check(
  t: Test,
  conf: string,
  options: { facts?: Partial<SidecarFacts>; modules?: readonly string[]; include?: boolean } = {},
): Promise<Finding[]> {
  const directory = t.testdir({});
  const httpd = await requireHttpd();
  const include = options.include === false ? "" : `Include "${confFile}"\n`;
  writeServerRoot({
    directory,
    httpd,
    host: "127.0.0.1",
    port: 1,
    modules: options.modules ?? defaultModules,
    conf: `Include "${directory}/own.conf"\n${include}`,
    user: undefined,
  });
  writeFileSync(join(directory, "own.conf"), conf, { mode: 0o600 });
  return checkConfig(httpd, { ...facts, ...options.facts }, join(directory, "httpd.conf"));
}

function bad(findings: readonly Finding[]): string[] {
  return findings
    .filter(({ level }) => level !== "ok")
    .map(({ level, what }) => `${level} ${what}`);
}

t.test("nothing bad", async (t) => {
  t.strictSame(bad(await check(t, "")), []);
});

t.test("a mistake in the configuration is the only finding besides the version", async (t) => {
  const findings = await check(t, "Nonsense On");
  t.equal(findings.length, 2);
  t.match(findings[1], { level: "bad", todo: /Invalid command 'Nonsense'/ });
});

t.test("modules and their order", async (t) => {
  const without = defaultModules.filter((name) => !/macro|unique_id/.test(name));
  t.match(bad(await check(t, "", { modules: without, include: false })), [
    /^bad mod_macro/,
    /^note mod_unique_id/,
    /^bad mod_ts.conf/,
  ]);
  const order = ["mod_headers", ...defaultModules.filter((name) => name !== "mod_headers")];
  const findings = await check(t, "", { modules: order });
  t.match(bad(findings), [/^bad mod_headers .* mod_dir/]);
  t.ok(findings.find(({ todo }) => todo?.includes("LoadModule dir_module above")));
});

t.test("TRACE turned on by a virtual host", async (t) => {
  const findings = await check(t, "<VirtualHost *>\n  TraceEnable extended\n</VirtualHost>");
  t.match(bad(findings), [/^bad TraceEnable extended/]);
  t.match(findings.at(-1)?.where, /own\.conf:2$/);
});

t.test("limits that do not fit", async (t) => {
  t.match(bad(await check(t, "LimitRequestFieldSize 60000")), [/^bad .*\b100950\b/]);
  t.match(bad(await check(t, "", { facts: { headerBytes: 16_384 } })), [/^bad .*\b49140\b/]);
  t.match(bad(await check(t, "", { facts: { keepAlive: 5000 } })), [/^bad .*\b15 s.*\b5 s/]);
});

t.test("the secret", async (t) => {
  const secret = "0123456789abcdef";
  t.match(bad(await check(t, "", { facts: { secret } })), [/^bad MOD_TS_SECRET .*missing/]);
  t.match(bad(await check(t, "Define MOD_TS_SECRET other", { facts: { secret } })), [
    /^bad the secret in Apache.*differ/,
  ]);
  const define = `Define MOD_TS_SECRET ${secret}`;
  t.strictSame(bad(await check(t, define, { facts: { secret } })), []);
  const modules = [...defaultModules, "mod_info"].toSorted();
  t.match(bad(await check(t, define, { facts: { secret }, modules })), [/^note mod_info/]);
  const directory = t.testdirName;
  chmodSync(join(directory, "own.conf"), 0o644);
  const findings = await checkConfig(
    await requireHttpd(),
    { ...facts, secret },
    join(directory, "httpd.conf"),
  );
  t.match(bad(findings), [/^bad .*world-readable/, /^note mod_info/]);
});

t.test("callbacks: the word, another RemoteIPHeader, the number of threads", async (t) => {
  const guard = "a".repeat(32);
  const origin = { requestWorkers: 128, guard };
  const right = `Define MOD_TS_SECRET 0123456789abcdef\nDefine MOD_TS_ORIGIN ${guard}\n`;
  t.strictSame(bad(await check(t, right, { facts: { origin } })), []);
  t.match(bad(await check(t, "", { facts: { origin } })), [/^bad MOD_TS_ORIGIN .*missing/]);
  const other = right.replace("aaaa", "bbbb");
  t.match(bad(await check(t, other, { facts: { origin } })), [/^bad MOD_TS_ORIGIN .*secret/]);
  const conf = `${right}RemoteIPHeader X-Forwarded-For\nMaxRequestWorkers 64\n`;
  t.match(bad(await check(t, conf, { facts: { origin } })), [
    /^bad RemoteIPHeader X-Forwarded-For/,
    /^bad MaxRequestWorkers 64 .*\b128\b/,
  ]);
  const clientHeader = "X-Forwarded-For";
  const told = await check(t, conf, { facts: { origin: { ...origin, clientHeader } } });
  t.match(bad(told), [/^bad MaxRequestWorkers/]);
});
