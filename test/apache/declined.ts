/** What a content handler declines, with callbacks: Apache runs PHP and lists directories; sources stay hidden. */
import { chmodSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startOrigin } from "../fixtures/origin.ts";

/** In place of PHP. */
const program = `#!/bin/sh
# SOURCE
printf 'Content-Type: text/plain\\n\\n%s ' "$REQUEST_METHOD"
cat
`;

const apache = await startOrigin(t, {
  isWaiting: true,
  modules: ["mod_cgid"],
  conf: `
    ScriptSock "\${FOLDER}/logs/cgi.sock"
    <Directory "\${FOLDER}/htdocs/run">
      Options +ExecCGI +Indexes
      AddHandler cgi-script .php
    </Directory>
    <Location />
      Use TsHandler declines.ts
    </Location>`,
  handlers: { "declines.ts": handlerFile("declines.ts") },
  files: {
    "htdocs/run/page.php": program,
    "htdocs/run/page.php.bak": program,
    "htdocs/run/a.txt": "hello\n",
    "htdocs/text/page.php": program,
  },
});
chmodSync(join(apache.folder, "htdocs/run/page.php"), 0o755);

t.test("a program runs", async (t) => {
  t.match(await apache.request("/run/page.php"), { status: 200, body: "GET " });
  const post = { method: "POST", body: "body" };
  t.match(await apache.request("/run/page.php", post), { status: 200, body: "POST body" });
});

t.test("a directory is listed", async (t) => {
  t.match(await apache.request("/run/"), { status: 200, body: /Index of \/run/ });
  t.equal((await apache.request("/text/")).status, 403, "unless Apache refuses that");
});

t.test("a file is sent by the sidecar", async (t) => {
  t.match(await apache.request("/run/a.txt"), { status: 200, body: "hello\n" });
  t.equal((await apache.request("/run/none")).status, 404);
  t.equal((await apache.request("/run/none.php")).status, 404);
});

t.test("no source is", async (t) => {
  for (const path of ["/text/page.php", "/run/page.php.bak", "/text/page%2ephp"]) {
    for (const headers of [{}, { Range: "bytes=0-9" }]) {
      const { status, body } = await apache.request(path, { headers });
      t.ok(status === 403 || status === 500, `${path}: ${status}`);
      t.notMatch(body, "SOURCE");
    }
  }
});
