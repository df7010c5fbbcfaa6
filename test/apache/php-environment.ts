/** What programs behind a guard find in their environment: PHP-FPM, CGI, SSI, and scripts as ErrorDocument. */
import { chmodSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { noPhpFpm, startPhpFpm } from "../fixtures/php-fpm.ts";

const secret = "0123456789abcdef";

const php = `<?php header("Content-Type: text/plain");
foreach ([$_SERVER, getenv()] as $list) foreach ($list as $name => $value) {
  if (is_string($value)) echo "$name=$value\\n";
}`;
const cgi = "#!/bin/sh\necho Content-Type: text/plain\necho\nenv\n";
const ssi = "<!--#printenv -->";

/** Ways to a guard: with a question each, with a ticket, and with a decision before the content. */
const sections: Record<string, string> = {
  access: "AuthType mod_ts\nUse TsAccessHandler guard.ts\nRequire valid-user",
  authen: "AuthType mod_ts\nUse TsAuthenHandler guard.ts\nRequire valid-user",
  authz: `AuthType mod_ts\nUse TsAuthenHandler guard.ts\nUse TsAuthzHandler guard.ts\nUse TsRefusals
    Require valid-user`,
  ticket: "AuthType mod_ts\nUse TsAuthenHandler guard.ts\nUse TsTicket\nRequire mod_ts_ticket",
  // Sees the visitor alone, so that it gets a ticket.
  held: "AuthType mod_ts\nUse TsAuthenHandler guard.ts::ann\nUse TsTicket\nRequire mod_ts_ticket",
  decided: "Use TsFixupHandler guard.ts",
};

const apache = await startApache(t, {
  authorizer: true,
  modules: ["mod_proxy_fcgi", "mod_proxy_scgi", "mod_cgid", "mod_include"],
  before: `Define MOD_TS_SECRET ${secret}`,
  config: { secret },
  conf: `ScriptSock "\${FOLDER}/logs/cgisock"
    <Directory "\${FOLDER}/htdocs">
      Options +ExecCGI +Includes
      AddHandler cgi-script .sh
      AddOutputFilter INCLUDES .shtml
      <FilesMatch "\\.php$">
        SetHandler "proxy:unix:\${FOLDER}/php.sock|fcgi://localhost"
      </FilesMatch>
    </Directory>
    ${Object.entries(sections)
      .map(
        ([name, lines]) => `<Directory "\${FOLDER}/htdocs/${name}">
          ${lines}
          Use TsOption word hunter2
          ErrorDocument 403 /errors/env.${name === "authen" ? "php" : "sh"}
          ErrorDocument 404 /errors/env.${name === "authen" ? "sh" : "php"}
        </Directory>`,
      )
      .join("\n")}`,
  files: Object.fromEntries(
    [...Object.keys(sections), "errors"].flatMap((name) => [
      [`htdocs/${name}/env.php`, php],
      [`htdocs/${name}/env.sh`, cgi],
      [`htdocs/${name}/env.shtml`, ssi],
    ]),
  ),
  handlers: { "guard.ts": handlerFile("php-environment-guard.ts") },
});
for (const name of [...Object.keys(sections), "errors"]) {
  chmodSync(join(apache.folder, `htdocs/${name}/env.sh`), 0o755);
}

if (!noPhpFpm) await startPhpFpm(t, apache.folder);

/** The policy, the seal, options and the secret; for PHP-FPM also the place of the socket and the grant. */
const confidential =
  /MOD_TS_(?:POLICY|LINE|TICKET_KEY|REFUSAL)=[^\n]|hunter2|guard\.ts|seal t=|0123456789abcdef/i;
const ours = /MOD_TS|main\.sock/;

/** Only access handlers let nobody in; of what serves content, `decided` knows no user at all. */
const anonymous = new Set(["access", "decided"]);

t.test(
  "PHP-FPM, CGI, SSI and scripts as ErrorDocument see no policy and no secret",
  { skip: noPhpFpm },
  async (t) => {
    for (const name of Object.keys(sections)) {
      const paths = ["php?ann", "sh?ann", "shtml?ann", "php?refuse", "sh?rights", "absent?ann"];
      if (anonymous.has(name)) paths.push("php", "sh");
      for (const path of paths) {
        const { body, status } = await apache.request(`/${name}/env.${path}`);
        t.match(body, /(?:^|\n)REQUEST_URI=/, `/${name}/env.${path} prints an environment`);
        t.notMatch(body, confidential, `/${name}/env.${path}`);
        if (path.startsWith("php") && status === 200)
          t.notMatch(body, ours, `/${name}/env.${path}`);
      }
    }
  },
);

t.test(
  "a user who was named, and none for PHP-FPM where nobody was",
  { skip: noPhpFpm },
  async (t) => {
    t.match((await apache.request("/access/env.php?ann")).body, /^REMOTE_USER=ann$/m);
    t.notMatch((await apache.request("/access/env.php")).body, /^REMOTE_USER=/m, "absent");
    t.match((await apache.request("/access/env.sh")).body, /^REMOTE_USER=$/m, "empty for CGI");
  },
);

t.test(
  "PHP-FPM behind a ticket: none of ours, and no shared cache",
  { skip: noPhpFpm },
  async (t) => {
    let cookie = "";
    for (let tries = 0; cookie === "" && tries < 100; tries += 1) {
      const { headers } = await apache.request("/held/env.php");
      cookie = /mod_ts_ticket=[^;]+/.exec(String(headers["set-cookie"]))?.[0] ?? "";
    }
    const { body, headers, status } = await apache.request("/held/env.php", {
      headers: { cookie },
    });
    t.match({ status, body }, { status: 200, body: /^REMOTE_USER=ann$/m });
    t.notMatch(body.replace(/^HTTP_COOKIE=.*/gm, ""), ours);
    t.notOk(headers["set-cookie"], "by the ticket");
    t.equal(headers["cache-control"], "private");
  },
);
