import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { tmpdir } from "node:os";
import t from "tap";
import { startApache, startEcho } from "../../fixtures/httpd.ts";
import { logSince } from "../../fixtures/log-since.ts";
import { cli, modTs, type Result } from "../../fixtures/mod-ts.ts";

const check = (folder: string, apache: { url: string; folder: string }): Promise<Result> =>
  modTs("check", folder, "--url", apache.url, "--config", `${apache.folder}/httpd.conf`);

const guarded = (path: string, handler: string): string => `<Location "${path}">
  AuthType mod_ts
  Use TsAuthenHandler ${handler}
  Require valid-user
</Location>`;

t.test("with a running sidecar", async (t) => {
  const conf = `<Directory "\${FOLDER}/htdocs">
  AllowOverride None
</Directory>
<Location "/hello">
  Use TsHandler hello.ts
</Location>
${guarded("/members", "members.ts")}`;
  const handlers = {
    "hello.ts": "export const handler = () => 0;",
    "members.ts": "export const authenHandler = () => 401;",
  };
  const apache = await startApache(t, { authorizer: true, handlers, conf });

  await t.test("no problems, and no line in the log that alarms", async (t) => {
    const logged = logSince(apache.sidecarLog);
    const { code, stdout } = await check(apache.folder, apache);
    t.notMatch(stdout, /^bad/m);
    t.match(stdout, /ok +httpd -t/);
    t.match(stdout, /ok +.*headers/);
    t.match(stdout, /ok +the sidecar is running/);
    t.match(stdout, /ok +guarded addresses refuse .* \(1\)/);
    t.match(stdout, /\nNo problems found\.\n$/);
    t.equal(code, 0);
    t.notMatch(await logged("MODTS_SOURCE_REQUESTED"), /mod_ts:(?:warn|error|crit)/);
  });

  await t.test("a guard that lets everybody in, and one that fails", async (t) => {
    apache.write(
      "handlers/members.ts",
      'export const authenHandler = (req: { user: string | null }) => { req.user = "all"; return 0; };',
    );
    const passed = await check(apache.folder, apache);
    t.match(
      passed.stdout,
      /note +<Location "\/members"> responds .* status 404 \(guard-anonymous\)/,
    );
    t.equal(passed.code, 0);
    apache.write(
      "handlers/members.ts",
      "export const authenHandler = () => { throw new Error() };",
    );
    const failed = await check(apache.folder, apache);
    t.match(failed.stdout, /bad +the guard of <Location "\/members"> .* 500 \(guard-failed\)/);
    t.equal(failed.code, 1);
  });
});

t.test("problems, with rule, place and cure; nothing stays behind", async (t) => {
  const temporary = readdirSync(tmpdir()).filter((name) => name.startsWith("mod-ts-check-"));
  const apache = await startEcho(t, { conf: `TraceEnable on\n${hello}` });
  const { code, stdout } = await check(t.testdir({}), apache);
  t.match(stdout, /bad +.*TraceEnable on.*\n +at: .*httpd\.conf:\d+\n +fix: TraceEnable off/);
  t.match(stdout, /bad +.*TRACE/);
  t.match(stdout, /bad +the sidecar of .* is not running .*\(sidecar-down\)/);
  t.match(stdout, /bad +MOD_TS_RUN .*\(run-differs\)\n +at: .*httpd\.conf:\d+\n/);
  t.match(stdout, /bad +handler file helo\.ts .*\(handler-missing\)\n +at: .*httpd\.conf:\d+\n/);
  t.match(stdout, /\n5 problems found\.\n$/);
  t.equal(code, 1);
  const left = readdirSync(tmpdir()).filter((name) => name.startsWith("mod-ts-check-"));
  t.same(
    left.filter((name) => !temporary.includes(name)),
    [],
  );
});

const hello = '<Location "/hello">\n  Use TsHandler helo.ts\n</Location>';

t.test("no httpd, and a bad address", async (t) => {
  const { code, stdout } = await modTs("check", t.testdir({}), "--httpd", "/bin/true");
  t.match(stdout, /bad +Apache httpd not found/);
  t.equal(code, 1);
  t.equal((await modTs("check", "--url", "localhost")).code, 2);
});

/** Command lines of the processes that name a text, with their ids. */
function processesWith(text: string): string[] {
  return readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
    try {
      const args = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      return args.includes(text) ? [`${pid} ${args.replaceAll("\0", " ")}`] : [];
    } catch {
      return [];
    }
  });
}

t.test("types alone, without Apache", async (t) => {
  const folder = t.testdir({ "a.ts": 'export const handler = () => "text";' });
  const words = ["--types", "--httpd", "/bin/true"];
  const { code, stdout } = await modTs("check", folder, ...words);
  t.equal(code, 1);
  t.match(stdout, /^bad {3}handler is not .*\n.*\n.*at: .*\/a\.ts:1:14$/m);
  t.notMatch(stdout, "httpd");
});

const isLinux = process.platform === "linux";

t.test(
  "a signal ends the compiler, and nothing stays behind",
  { skip: !isLinux && "needs /proc" },
  async (t) => {
    const folder = t.testdir({ tmp: {}, "a.ts": "export const handler = () => 0;" });
    const temporary = `${folder}/tmp`;
    const child = spawn(process.execPath, [cli, "check", folder], {
      stdio: "ignore",
      env: { ...process.env, TMPDIR: temporary },
    });
    const exited = once(child, "exit");
    const isCompiling = (): boolean => processesWith(`${temporary}/mod-ts-types-`).length > 0;
    while (!isCompiling()) {
      if (child.exitCode !== null) return t.fail("it compiles");
      await sleep(5);
    }
    child.kill("SIGTERM");
    t.equal((await exited)[0], 143);
    t.same(readdirSync(temporary), []);
    while (isCompiling()) await sleep(5);
    t.same(processesWith(temporary), []);
  },
);
