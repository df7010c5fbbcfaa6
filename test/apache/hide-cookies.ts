/** `TsHideCookies`: our session cookies reach our handlers, and nobody else. */
import { chmodSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { startHeaderEcho } from "../fixtures/header-echo.ts";

const port = await startHeaderEcho(t);
const guard = `AuthType mod_ts\nUse TsAuthenHandler own.ts\nRequire valid-user\nUse TsHideCookies`;
const apache = await startApache(t, {
  authorizer: true,
  modules: ["mod_cgid"],
  conf: `ScriptSock "\${FOLDER}/logs/cgisock"
    DirectoryIndex env.sh
    ProxyPass "/app" "http://127.0.0.1:${port}"
    <Directory "\${FOLDER}/htdocs">\nRequire all granted\n</Directory>
    <Location "/app">\n${guard}\n</Location>
    <Location "/cgi">\n${guard}\nOptions +ExecCGI\nSetHandler cgi-script\n</Location>
    <Location "/own">\n${guard}\nUse TsHandler own.ts\n</Location>`,
  files: { "htdocs/cgi/env.sh": handlerFile("env.sh") },
  handlers: {
    "own.ts": handlerFile("hide-cookies-own.ts"),
  },
});
chmodSync(join(apache.folder, "htdocs/cgi/env.sh"), 0o755);

const ours = ["mod_ts_session=s", "__Host-mod_ts_session=t", "tssid=u", "__Host-tssid=v"];
const ask = (path: string, cookie: string) => apache.request(path, { headers: { cookie } });

t.test("other content sees the other cookies alone, wherever ours stand", async (t) => {
  const mixed = [
    ["a=1", ...ours, "b=2"],
    [...ours, "a=1", "b=2"],
    ["a=1", "b=2", ...ours],
    ["a=1", ours[0] ?? "", "b=2"],
  ];
  for (const cookies of mixed) {
    const sent = cookies.join("; ");
    t.match(await ask("/app/x", sent), { status: 200, body: '"cookie","a=1; b=2"' }, sent);
    for (const path of ["/cgi/env.sh", "/cgi/"]) {
      t.match(await ask(path, sent), { status: 200, body: /^HTTP_COOKIE=a=1; b=2$/m }, path);
    }
    t.equal((await ask("/own", sent)).body, sent, "a handler of its own gets all cookies");
  }
  const alone = await ask("/cgi/env.sh", ours.join("; "));
  t.match(alone, { status: 200 });
  t.notMatch(alone.body, /tssid|mod_ts_session/);
});
