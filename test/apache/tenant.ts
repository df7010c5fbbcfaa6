/** A tenant who may write `.htaccess` with `AllowOverride AuthConfig` prints no secret, and what they can print asks nothing else. */
import { chmodSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";

const secret = "0123456789abcdef-tenant";
const script = handlerFile("env.sh");

const apache = await startApache(t, {
  authorizer: true,
  modules: ["mod_cgid", "mod_include"],
  before: `Define MOD_TS_SECRET ${secret}`,
  config: { secret },
  conf: `<Directory "\${FOLDER}/htdocs">
      AllowOverride AuthConfig
    </Directory>
    <Directory "\${FOLDER}/htdocs/tenant">
      AuthType Basic
      AuthName "tenant"
      Use TsAuthenHandler guard.ts
      Use TsOption dsn secret:db
      Require valid-user
    </Directory>
    ScriptSock "\${FOLDER}/logs/cgisock"
    <Directory "\${FOLDER}/htdocs/scripts">
      AuthType Basic
      AuthName "scripts"
      Use TsAuthenHandler guard.ts
      Use TsOption dsn hunter2
      Require valid-user
      Options +ExecCGI +Includes
      AddHandler cgi-script .sh
      AddOutputFilter INCLUDES .shtml
      ErrorDocument 404 /scripts/env.sh
      ErrorDocument 401 /errors/env.sh
      RewriteEngine On
      RewriteRule ^moved$ env.sh
    </Directory>
    <Directory "\${FOLDER}/htdocs/errors">
      Options +ExecCGI
      AddHandler cgi-script .sh
    </Directory>
    <Location "/tenant/content">
      Use TsHandler guard.ts
    </Location>`,
  files: {
    "htdocs/tenant/a.txt": "a\n",
    "htdocs/tenant/content/b.txt": "b\n",
    "htdocs/scripts/env.sh": script,
    "htdocs/errors/env.sh": script,
    "htdocs/scripts/page.shtml": '<!--#printenv --><!--#include virtual="env.sh" -->',
  },
  handlers: {
    "guard.ts": handlerFile("password.ts"),
  },
});

for (const name of ["scripts", "errors"]) {
  chmodSync(join(apache.folder, `htdocs/${name}/env.sh`), 0o755);
}

t.test("scripts, pages and error pages see no policy, no option and no secret", async (t) => {
  const authorization = `Basic ${Buffer.from("ann:pass").toString("base64")}`;
  for (const path of ["env.sh", "page.shtml", "absent", "moved"]) {
    const { body } = await apache.request(`/scripts/${path}`, { headers: { authorization } });
    t.match(body, /^(?:REDIRECT_)?REQUEST_URI=|REQUEST_URI=/m, path);
    t.notMatch(body, new RegExp(`${secret}|hunter2|guard\\.ts|seal t=|authen `), path);
  }
  const refused = await apache.request("/scripts/env.sh");
  t.match(refused, { status: 401, body: /^SCRIPT_NAME=\/errors\/env\.sh$/m });
  t.notMatch(refused.body, new RegExp(`${secret}|hunter2|guard\\.ts|seal t=|authen `));
});

/** What an expression of the tenant prints in the realm of a 401. */
async function print(expression: string, isInIf: boolean): Promise<string> {
  const lines = `AuthType Basic\nAuthName "[${expression}]"\nRequire valid-user\n`;
  apache.write("htdocs/tenant/.htaccess", isInIf ? `<If "true">\n${lines}</If>\n` : lines);
  const { status, headers } = await apache.request("/tenant/a.txt");
  // A line break in a header is a 500.
  t.ok(status === 401 || status === 500, expression);
  const text = String(headers["www-authenticate"]);
  const encoded = /\[([\w+/=]+)\]/.exec(text)?.[1] ?? "";
  return `${text} ${Buffer.from(encoded, "base64").toString("latin1")}`;
}

const names = [
  "SECRET",
  "ORIGIN",
  "POLICY",
  "PASSED",
  "LINE",
  "BACKEND",
  "CONFIG",
  "NOTES",
  "CALL",
];
const expressions = [
  ...names.map((name) => `%{reqenv:MOD_TS_${name}}`),
  ...names.map((name) => `%{base64:%{reqenv:MOD_TS_${name}}}`),
  ...names.map((name) => `\${MOD_TS_${name}}`),
  ...["Context", "Config", "Env", "Origin"].map((name) => `%{req:Mod-Ts-${name}}`),
];

t.test("no expression prints the secret", async (t) => {
  const printed: string[] = [];
  for (const expression of expressions) {
    for (const isInIf of [false, true]) printed.push(await print(expression, isInIf));
  }
  t.notMatch(printed.join("\n"), secret);
  t.match(printed.join("\n"), /authen guard\.ts/, "the policy can be read");
  t.match(printed.join("\n"), /option dsn secret:db/, "options can be read, references as such");
});

t.test("`Require expr` finds no secret in any variable", async (t) => {
  for (const name of names) {
    const lines = `Require expr "reqenv('MOD_TS_${name}') =~ /${secret}/"\n`;
    apache.write("htdocs/tenant/.htaccess", lines);
    t.not((await apache.request("/tenant/a.txt")).status, 200, name);
  }
});

t.test("a forged context on the socket of the sidecar is refused", async (t) => {
  const context = ["0".repeat(40), "2", "20260101000000", "http"].join(";");
  const answer = await new Promise<string>((resolve, reject) => {
    let text = "";
    const socket = connect(join(apache.folder, "run/main.sock"));
    socket.setEncoding("latin1").on("data", (chunk: string) => (text += chunk));
    socket.once("error", reject).once("close", () => resolve(text));
    socket.write(
      `GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nMod-Ts-Context: ${context}\r\nMod-Ts-Config: handler guard.ts\r\n\r\n`,
    );
  });
  t.match(answer, /^HTTP\/1\.1 403 /);
});
