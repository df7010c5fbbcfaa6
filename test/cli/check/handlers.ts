/** Handlers and options that Apache names and the sidecar does not have. */
import { chmodSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { checkHandlers } from "../../../src/cli/check/handlers.ts";
import { resolveConfig } from "../../../src/config/config.ts";
import { readMergedConfig } from "../../../src/httpd/merged-config.ts";
import { defaultModules, writeServerRoot } from "../../../src/httpd/server-root.ts";
import { confFile, requireHttpd, temporaryFolder } from "../../fixtures/httpd.ts";

const lines = `Use TsHandler hello.ts
Use TsHandler "hello.ts sub/page.ts::view.show | .html"
Use TsLogHandler /FOLDER/handlers/hello.ts
Use TsHandler mod_ts/publisher
Use TsHandler helo.ts
Use TsHandler mod_ts/publsher
Use TsHandler mod_ts/nothing-like-it
Use TsHandler ../outside.ts
Use TsHandler link.ts
Use TsHandler hello.ts::
Use TsOption greeting hello
Use TsOption mod_ts.htpasswd.file users
Use TsOption mod_ts.htpasswd.fil users
Use TsNoOption mod_ts.sql.dns
Use TsOption mod_ts.fetch.application hello.ts
Use TsOption mod_ts.fetch.application app.ts
Use TsOption mod_ts.status.allow everybdy
Use TsOption mod_ts.status.allow everyone
Use TsOption mod_ts.status.allow "10.0.0.0/8 ::1"
Use TsOption mod_ts.forward-auth.preset authelai
Use TsOption mod_ts.session.timeout 0
Use TsOption mod_ts.cgi.memory 64M
Use TsOption mod_ts.session.secure offf
Use TsOption mod_ts.session.secure OFF
Use TsOption mod_ts.login.secure Off
Use TsOption mod_ts.ticket.scope env:SCOPE
Use TsNoOption mod_ts.session.same_site
Use TsOption mod_ts.session.same_site laxx
Use TsOption mod_ts.sql.legacy "md5 sha2"
Use TsAccessHandler hello.ts
Use TsAccessHandler guard.ts
Use TsHandler secret.ts
Use TsHandler broken.ts
Use TsLogHandler broken.ts
Use TsHandler sub
Use TsHandler empty.ts
Use TsHandler hello.ts::hander
Use TsAuthenHandler hello.ts
Use TsOutputFilter hello.ts
Use TsHandler site.ts
Use TsModule site.ts
Use TsModule misspelt.ts
Use TsHandler passing.ts::anything
Use TsHandler common.cts::anything
Use TsHandler common.js::anything
Use TsHandler page.tsp
Use TsHandler brokenpage.tsp
Use TsHandler application.ts
Use TsHandler socket.ts
Use TsHandler mod_ts/fetch
Use TsAuthenHandler mod_ts/htpasswd
Use TsAuthenHandler mod_ts/jwt
Use TsOption mod_ts.jwt.issuer any
Use TsOption mod_ts.jwt.secret key
Use TsHandler mod_ts/login
Use TsAuthenHandler mod_ts/login`.split("\n");

const folder = temporaryFolder(t);
const httpd = await requireHttpd();
const sections = lines
  .map((line) => line.replace("/FOLDER", folder))
  .join("\n</Location>\n<Location />\n");
writeServerRoot({
  directory: folder,
  httpd,
  host: "127.0.0.1",
  port: 1,
  modules: defaultModules,
  user: undefined,
  conf: `Define MOD_TS_AUTHORIZER 127.0.0.1:9\nDefine MOD_TS_SECRET 0123456789abcdef\nDefine MOD_TS_ORIGIN 0123456789abcdef0123456789abcdef\nInclude "${confFile}"\nInclude "${folder}/own.conf"`,
});
writeFileSync(join(folder, "own.conf"), `<Location />\n${sections}\n</Location>\n`);
writeFileSync(join(folder, "outside.ts"), "");
const { mkdirSync } = await import("node:fs");
mkdirSync(join(folder, "handlers/sub"), { recursive: true });
const files = {
  "hello.ts":
    "export default {}; export const handler = 0, logHandler = 0, accessHandler = 0, job = 0;",
  "sub/page.ts": "export namespace view { export const show = 0; }",
  "secret.ts": "export function handler() {}",
  "broken.ts": "export function handler() {\n  return (;\n}",
  "empty.ts": "export type handler = 1;",
  "site.ts": 'export { a as accessHandler } from "./hello.ts";',
  "misspelt.ts": "export const acessHandler = 0, logHandler = 0;",
  "passing.ts": 'export * from "./hello.ts";',
  "common.cts": "export = { handler() {} };",
  "common.js": "module.exports = { handler() {} };",
  "page.tsp": "<p><%= 1 %></p>",
  "brokenpage.tsp": "<p><%= 1",
  "application.ts": "export default { fetch() {} };",
  "socket.ts": "export const webSocketHandler = 0;",
};
for (const [name, text] of Object.entries(files)) {
  writeFileSync(join(folder, "handlers", name), text);
}
symlinkSync("../outside.ts", join(folder, "handlers/link.ts"));
chmodSync(join(folder, "handlers/secret.ts"), 0o600);
const config = resolveConfig({ handlers: ["handlers"] }, join(folder, "mod-ts.config.ts"));

t.test("each at its line, and nothing else", async (t) => {
  const merged = await readMergedConfig(httpd, join(folder, "httpd.conf"));
  if (!merged) return t.fail("httpd prints its configuration");
  const isRoot = process.geteuid?.() === 0;
  const user = isRoot ? { user: 65_534, group: 65_534 } : undefined;
  const findings = await checkHandlers(merged, config, user);
  t.match(
    findings.find(({ rule }) => rule === "handler-broken"),
    { what: /handlers\/broken\.ts:2:11/ },
    "with the place",
  );
  const found = findings.map(({ rule, where = "", todo }) => {
    const number = Number(/:(\d+)$/.exec(where)?.[1]);
    return [lines[(number - 2) / 3], rule, /did you mean .*\?/.exec(todo ?? "")?.[0] ?? ""];
  });
  t.strictSame(found, [
    ["Use TsHandler helo.ts", "handler-missing", "did you mean hello.ts?"],
    ["Use TsHandler mod_ts/publsher", "handler-missing", "did you mean mod_ts/publisher?"],
    ["Use TsHandler mod_ts/nothing-like-it", "handler-missing", ""],
    ["Use TsHandler ../outside.ts", "handler-missing", ""],
    ["Use TsHandler link.ts", "handler-missing", ""],
    ["Use TsHandler hello.ts::", "handler-missing", ""],
    ["Use TsOption mod_ts.fetch.application app.ts", "handler-missing", ""],
    ["Use TsAccessHandler guard.ts", "handler-missing", ""],
    ["Use TsHandler broken.ts", "handler-broken", ""],
    ["Use TsHandler sub", "handler-broken", ""],
    ["Use TsHandler empty.ts", "export-missing", ""],
    ["Use TsHandler hello.ts::hander", "export-missing", ""],
    ["Use TsAuthenHandler hello.ts", "export-missing", ""],
    ["Use TsOutputFilter hello.ts", "export-missing", ""],
    ["Use TsHandler site.ts", "export-missing", ""],
    ["Use TsModule misspelt.ts", "export-missing", ""],
    ["Use TsHandler brokenpage.tsp", "handler-broken", ""],
    [
      "Use TsOption mod_ts.htpasswd.fil users",
      "option-unknown",
      "did you mean mod_ts.htpasswd.file?",
    ],
    ["Use TsNoOption mod_ts.sql.dns", "option-unknown", "did you mean mod_ts.sql.dsn?"],
    ["Use TsOption mod_ts.status.allow everybdy", "option-value", ""],
    ["Use TsOption mod_ts.forward-auth.preset authelai", "option-value", "did you mean authelia?"],
    ["Use TsOption mod_ts.session.timeout 0", "option-value", ""],
    ["Use TsOption mod_ts.cgi.memory 64M", "option-value", ""],
    ["Use TsOption mod_ts.session.secure offf", "option-value", "did you mean Off?"],
    ["Use TsOption mod_ts.login.secure Off", "option-value", ""],
    ["Use TsOption mod_ts.session.same_site laxx", "option-value", "did you mean lax?"],
    ['Use TsOption mod_ts.sql.legacy "md5 sha2"', "option-value", "did you mean sha1?"],
    ["Use TsAuthenHandler mod_ts/jwt", "option-missing", ""],
    ["Use TsHandler mod_ts/login", "option-missing", ""],
    ["Use TsHandler mod_ts/login", "option-missing", ""],
    ...(isRoot ? [["Use TsHandler secret.ts", "handler-unreadable", ""]] : []),
  ]);
});

t.test("files of preload, background and connections", async (t) => {
  const merged = await readMergedConfig(httpd, join(folder, "httpd.conf"));
  if (!merged) return t.fail("httpd prints its configuration");
  const file = join(folder, "mod-ts.config.ts");
  const schedule = {
    often: { cron: "* * * * *", run: "hello.ts" },
    never: { cron: "* * * * *", run: "empty.ts" },
  };
  const connections = { echo: { run: "echo.ts", port: 7 } };
  const more = {
    preload: ["helo.ts"],
    background: { modules: ["jobs.ts"], schedule },
    connections,
  };
  const found = await checkHandlers(
    merged,
    resolveConfig({ handlers: ["handlers"], ...more }, file),
    undefined,
  );
  t.match(
    found.filter(({ where }) => where === file),
    [
      { todo: "did you mean hello.ts?" },
      { what: /jobs\.ts/ },
      { what: /no export named job/ },
      { what: /echo\.ts/ },
    ],
  );
});
