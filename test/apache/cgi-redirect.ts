/** A CGI script that leads to another path of this server: Apache answers in its place. */
import t from "tap";
import { handlerFiles } from "../fixtures/handler-file.ts";
import { startOrigin } from "../fixtures/origin.ts";

const apache = await startOrigin(t, {
  conf: `
    Alias /cgi "\${FOLDER}/handlers"
    <Directory "\${FOLDER}/handlers">
      Require all granted
      Use TsHandler mod_ts/cgi
    </Directory>
    <Location /closed>
      Require all denied
    </Location>
  `,
  files: { "htdocs/plain.txt": "a plain file", "htdocs/closed.txt": "closed" },
  handlers: handlerFiles("cgi-redirect"),
});

t.test("a file, a script, what is closed, what is not there", async (t) => {
  const file = await apache.request("/cgi/file.js");
  t.match(file, { status: 200, body: "a plain file", headers: { "content-type": /text\/plain/ } });
  t.equal(file.headers.location, undefined);
  t.equal((await apache.request("/cgi/script.js")).body, "GET a=1\n");
  const posted = await apache.request("/cgi/script.js", { method: "POST", body: "x" });
  t.equal(posted.body, "GET a=1\n");
  t.equal((await apache.request("/cgi/closed.js")).status, 403);
  t.equal((await apache.request("/cgi/nowhere.js")).status, 404);
});

t.test("another server is none of ours, and a loop ends", async (t) => {
  const elsewhere = await apache.request("/cgi/elsewhere.js");
  t.ok(elsewhere.status >= 300, `${elsewhere.status}`);
  t.notMatch(elsewhere.body, "plain file");
  t.equal((await apache.request("/cgi/loop.js")).status, 508);
});
