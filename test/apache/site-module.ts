/** `Use TsModule`: one module for every phase that it has an export for. */
import { chmodSync, copyFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { createCallCounter } from "../fixtures/decider.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startOrigin } from "../fixtures/origin.ts";

const apache = await startOrigin(t, {
  isWaiting: true,
  modules: ["mod_cgid", "mod_include"],
  conf: `
    ScriptSock "\${FOLDER}/logs/cgi.sock"
    <Location /site>
      Options +ExecCGI
      AddHandler cgi-script .cgi
      Use TsModule site.ts
    </Location>
    <Location /site/lost>
      ErrorDocument 404 /site/error.txt
    </Location>
    <Location /site/open>
      ErrorDocument 404 /error.txt
    </Location>
    <Location /site/astray>
      ErrorDocument 404 /gate/error.txt
    </Location>
    <Location /other>
      Options +ExecCGI
      AddHandler cgi-script .cgi
      Use TsOutputFilter site.ts
    </Location>
    <Location /content>
      Use TsModule content.ts
    </Location>
    <Location /gate>
      Options +Includes +Indexes
      AddOutputFilter INCLUDES .shtml
      DirectoryIndex index.shtml
      Use TsModule gate.ts
    </Location>
    <Location /members>
      Use TsModule members.ts
    </Location>
    <Location /none>
      Use TsModule none.ts
    </Location>
    <Location /wrong>
      Use TsModule wrong.ts
    </Location>`,
  handlers: {
    "site.ts": handlerFile("site.ts"),
    "content.ts": `export const handler = (req) => new Response(req.method + " " + req.uri);
      export const fixupHandler = (req) => (req.headersOut.set("X-Fixed", "1"), 0);`,
    "gate.ts": `export const accessHandler = (req) => (req.uri.includes("closed") ? 403 : 0);`,
    "members.ts": `export const accessHandler = () => 0;
      export const handler = (req) => {
        if (req.uri.endsWith("open")) req.headersOut.set("Cache-Control", "max-age=60");
        req.write("content");
      };`,
    "none.ts": "export const helper = 1;",
    "wrong.ts": "export const acessHandler = () => 403;",
  },
  files: {
    "htdocs/site/a.txt": "hello\n",
    "htdocs/site/cat.cgi":
      '#!/bin/sh\nprintf \'Content-Type: text/plain\\n\\n%s user=%s\\n\' "$REQUEST_METHOD" "$REMOTE_USER"\ncat\n',
    "htdocs/other/go.cgi": "#!/bin/sh\nprintf 'Location: /site/a.txt\\n\\n'\n",
    "htdocs/site/dir/index.html": "index\n",
    "htdocs/site/error.txt": "not here\n",
    "htdocs/error.txt": "for everybody\n",
    "htdocs/gate/error.txt": "of another section\n",
    "htdocs/gate/index.shtml":
      '<!--#include virtual="closed.txt" -->|<!--#include file="closed.txt" -->',
    "htdocs/gate/closed.txt": "closed content\n",
    "htdocs/gate/list/a.txt": "hello\n",
    "htdocs/none/a.txt": "hello\n",
    "htdocs/wrong/a.txt": "hello\n",
  },
});
for (const file of ["site/cat.cgi", "other/go.cgi"]) {
  chmodSync(join(apache.folder, "htdocs", file), 0o755);
}
const calls = createCallCounter(apache.sidecarLog);
const latin1 = Buffer.from(join(apache.folder, "htdocs/site/caf\xe9.txt"), "latin1");
copyFileSync(join(apache.folder, "htdocs/site/a.txt"), latin1);
const headers = { Authorization: `Basic ${btoa("ann:secret")}` };

t.test("Apache's own content, in all phases", async (t) => {
  const reply = await apache.request("/site/a.txt", { headers });
  t.match(reply, { status: 200, body: "HELLO\n", headers: { "x-fixed": "ann" } });
  t.strictSame(
    (await calls(3)).map((call) => call.split(" ")[0]),
    ["access", "fixup", "log"],
  );
  const body = "text";
  const post = await apache.request("/site/cat.cgi", { method: "POST", body, headers });
  t.match(post, { status: 200, body: "POST USER=ANN\nTEXT" });
  t.match(await apache.request("/site/pretty/a.txt", { headers }), {
    status: 200,
    body: "HELLO\n",
  });
  t.match(await apache.request("/site/dir/", { headers }), { status: 200, body: "INDEX\n" });
  const latin = await apache.request("/site/caf%E9.txt", { headers });
  t.match(latin, { status: 200, body: "HELLO\n" }, "a name that is not UTF-8");
});

t.test("access control", async (t) => {
  const challenged = await apache.request("/site/a.txt");
  t.match(challenged, { status: 401, headers: { "www-authenticate": /^Basic realm="/ } });
  t.equal((await apache.request("/site/a.txt?closed", { headers })).status, 403);
  t.equal((await apache.request("/site/", { headers: {} })).status, 401);
});

t.test("no resource of another section leads around it", async (t) => {
  const reply = await apache.request("/other/go.cgi");
  t.equal(reply.status, 403, "a program redirects inside Apache, in a callback");
});

t.test("the judgment of a page is none of its ErrorDocument", async (t) => {
  for (const section of ["lost", "astray"]) {
    const reply = await apache.request(`/site/${section}/none`, { headers });
    t.equal(reply.status, 404, section);
    t.notMatch(reply.body, /not here|of another section/i, "a page of a section with a module");
  }
  const open = await apache.request("/site/open/none", { headers });
  t.match(open, { status: 404, body: /FOR EVERYBODY/ }, "a page of none");
  t.equal((await apache.request("/site/lost/none")).status, 401);
});

t.test("a page does not include what the module refuses", async (t) => {
  t.equal((await apache.request("/gate/closed.txt")).status, 403);
  const page = await apache.request("/gate/");
  t.equal(page.status, 200);
  t.notMatch(page.body, "closed content");
  t.match(await apache.request("/gate/list/"), { status: 200, body: /a\.txt/ }, "a listing");
});

t.test("shared caches do not keep what a rule let through", async (t) => {
  const page = await apache.request("/gate/list/a.txt");
  t.match(page, { status: 200, headers: { "cache-control": "private" } }, "of Apache");
  const own = await apache.request("/members/mine");
  t.match(own, { status: 200, headers: { "cache-control": "private" } });
  const open = await apache.request("/members/open");
  t.match(open.headers, { "cache-control": "max-age=60" }, "the handler decides");
  t.notOk((await apache.request("/content/x")).headers["cache-control"], "without a rule");
  const known = await apache.request("/site/a.txt", { headers });
  t.notOk(known.headers["cache-control"], "they avoid requests with Authorization");
});

t.test("content of its own", async (t) => {
  const reply = await apache.request("/content/x", { method: "PUT", body: "x" });
  t.match(reply, { status: 200, body: "PUT /content/x", headers: { "x-fixed": "1" } });
});

t.test("a misspelt guard closes the section", async (t) => {
  t.equal((await apache.request("/wrong/a.txt")).status, 500);
});

t.test("a module without any phase closes the section", async (t) => {
  t.equal((await apache.request("/none/a.txt")).status, 500, "it never had one");
  apache.write("handlers/gate.ts", "export const unfinished = 1;");
  t.equal((await apache.request("/gate/closed.txt")).status, 403, "the version before a save");
});

t.test("a save without the guard leaves the section closed", async (t) => {
  apache.write("handlers/gate.ts", "export const fixupHandler = () => 0;");
  t.equal((await apache.request("/gate/closed.txt")).status, 403, "the version before");
  t.ok(readdirSync(join(apache.folder, "run/guards")).length > 0, "remembered after a restart");
  apache.write("handlers/gate.ts", "export const accessHandler = () => 0;");
  t.equal((await apache.request("/gate/closed.txt")).status, 200, "opened on purpose");
});
