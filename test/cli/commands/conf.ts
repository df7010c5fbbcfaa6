import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { startEcho } from "../../fixtures/httpd.ts";
import { modTs } from "../../fixtures/mod-ts.ts";

t.test("prints a file that httpd takes, with the settings of the configuration", async (t) => {
  const folder = t.testdir({
    "mod-ts.config.json": JSON.stringify({
      run: "/srv/run",
      keepAlive: 8000,
      limits: { handlerTimeout: 600_000 },
      pools: { admin: { workers: 1 } },
    }),
    "apache.conf": "<Location /x>\nUse TsHandler x.ts\nUse TsInterpreter admin\n</Location>\n",
  });
  const { code, stdout, stderr } = await modTs("conf", folder);
  t.equal(code, 0, stderr);
  t.match(stdout, /Define MOD_TS_RUN \/srv\/run\n/);
  t.match(stdout, /Define MOD_TS_TTL 4\n/);
  t.match(stdout, /Define MOD_TS_TIMEOUT 630\n/);
  t.match(stdout, /^Use TsPool admin$/m);
  t.notMatch(stdout, /^Include/m, "httpd reads no file of the handlers as root");
  const printed = `${stdout}\nInclude "${join(folder, "apache.conf")}"\n`;
  writeFileSync(join(folder, "printed.conf"), printed);
  const apache = await startEcho(t, {
    conf: "",
    before: "",
    confFile: join(folder, "printed.conf"),
  });
  t.equal((await apache.request("/x")).status, 503);
});

t.test("over TCP", async (t) => {
  const secret = "0123456789abcdef";
  const folder = t.testdir({
    "mod-ts.config.json": JSON.stringify({
      listen: { host: "0.0.0.0", port: 9700 },
      secret,
      pools: { admin: { workers: 1 } },
    }),
  });
  const { stdout } = await modTs("conf", folder);
  t.match(stdout, /^Define MOD_TS_TCP 127\.0\.0\.1:9700$/m);
  t.match(stdout, new RegExp(`^Define MOD_TS_SECRET ${secret}$`, "m"));
  t.match(stdout, /^Use TsTcpPool admin 127\.0\.0\.1:9701$/m);
  t.match(
    (await modTs("conf", folder, "--tcp", "sidecar:9700")).stdout,
    /^Define MOD_TS_TCP sidecar:9700$/m,
  );
});

t.test("--install needs an httpd", async (t) => {
  const folder = t.testdir({});
  const { code, stderr } = await modTs("conf", folder, "--install", "--httpd", "/bin/true");
  t.equal(code, 1);
  t.match(stderr, /MODTS_HTTPD_MISSING/);
  t.notOk(existsSync(join(folder, "mod_ts.conf")));
});

t.test(
  "a sidecar with a name has a file of lines that httpd takes after mod_ts.conf",
  async (t) => {
    const folder = t.testdir({
      "mod-ts.config.json": JSON.stringify({
        name: "blog",
        run: "/srv/run-blog",
        secret: "0123456789abcdef",
        authorizer: { port: 9711 },
        pools: { admin: { workers: 1 } },
        accessLog: "access.json",
        origin: { url: "http://127.0.0.1:80" },
      }),
      "blog.conf":
        "<Location /x>\nUse TsHandler x.ts\nUse TsInterpreter admin\n</Location>\n" +
        "<Location /y>\nAuthType mod_ts\nUse TsAuthenHandler y.ts\nRequire valid-user\n</Location>\n",
    });
    const { code, stdout, stderr } = await modTs("conf", folder);
    t.equal(code, 0, stderr);
    t.match(stdout, /^Use TsAddSidecar blog \/srv\/run-blog 0123456789abcdef$/m);
    t.match(stdout, /^Use TsAddAuthorizer blog 127\.0\.0\.1:9711$/m);
    t.match(stdout, /^Use TsAddPool blog admin$/m);
    t.match(stdout, new RegExp(`^Use TsAddAccessLog blog ${folder}/access\\.json$`, "m"));
    t.match(stdout, /^Use TsAddCallbacks blog [0-9a-f]{32}$/m);
    t.match(stdout, 'Use TsSidecarHost blog "/etc/apache2/mod_ts/blog.conf"', "the next step");
    const apache = await startEcho(t, {
      conf: `${stdout}\nUse TsSidecar blog "${join(folder, "blog.conf")}"\n`,
    });
    t.equal((await apache.request("/x")).status, 503, "the sidecar does not run");
    t.equal((await apache.request("/y")).status, 503);
  },
);
