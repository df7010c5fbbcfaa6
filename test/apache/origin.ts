/** What Apache itself serves, with TypeScript before and after it: static files, folders, CGI, WebDAV, rewriting, error pages. */
import { chmodSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { handlerFiles } from "../fixtures/handler-file.ts";
import { startOrigin } from "../fixtures/origin.ts";
import { until } from "../fixtures/until.ts";

const apache = await startOrigin(t, {
  modules: ["mod_cgid", "mod_deflate", "mod_dav", "mod_dav_fs", "mod_expires", "mod_include"],
  files: {
    "htdocs/a/page.html": "<p>static</p>\n",
    "htdocs/a/long.html": "<p>static</p>\n".repeat(100),
    "htdocs/a/folder/index.html": "the index",
    "htdocs/a/list/one.txt": "1",
    "htdocs/a/echo.cgi": `#!/bin/sh
      echo "Content-Type: text/plain"; echo "X-Script: a"; echo "X-Script: b"; echo
      echo "$REQUEST_METHOD $QUERY_STRING $CONTENT_LENGTH $REMOTE_ADDR [$HTTP_MOD_TS_ORIGIN]"; cat`,
    "htdocs/a/fail.cgi": '#!/bin/sh\necho "Status: 418 Teapot"; echo; echo short',
    "htdocs/a/go.cgi": "#!/bin/sh\nprintf 'Location: /around/page.html\\n\\n'",
    "htdocs/a/part.shtml": 'before <!--#include virtual="/a/page.html" --> after',
    "htdocs/a/script.run": "#!/bin/sh\nPASSWORD=1",
    "htdocs/rewritten/index.cgi":
      '#!/bin/sh\necho "Content-Type: text/plain"; echo; echo "$REQUEST_URI $PATH_INFO"',
    "htdocs/rewritten/.htaccess":
      "RewriteEngine On\nRewriteCond %{REQUEST_FILENAME} !-f\nRewriteRule ^(.*)$ index.cgi/$1 [L]\n",
    "dav/file.txt": "on the web",
  },
  handlers: handlerFiles("origin"),
  conf: `
    ScriptSock "\${FOLDER}/logs/cgi.sock"
    AddHandler cgi-script .cgi
    AddOutputFilter INCLUDES .shtml
    AddType text/html .shtml
    DavLockDB "\${FOLDER}/logs/dav"
    <Directory "\${FOLDER}/htdocs">
      Options +ExecCGI +Indexes +Includes
    </Directory>
    <FilesMatch "\\.run$">
      SetHandler cgi-script
    </FilesMatch>
    <Location "/a">
      Use TsHandler "first.ts mod_ts/origin"
      ErrorDocument 404 "not in Apache either"
    </Location>
    Alias /around "\${FOLDER}/htdocs/a"
    <Location "/around">
      Use TsAroundHandler "first.ts mod_ts/origin"
    </Location>
    <Location "/rewritten">
      Use TsAroundHandler "first.ts mod_ts/origin"
    </Location>
    Alias /alone "\${FOLDER}/htdocs/a"
    <Location "/alone">
      Use TsHandler mod_ts/origin
      Use TsInterpreter main
    </Location>
    # As for a balancer: said after mod_ts.conf, for all sections.
    SetEnvIfExpr "true" "MOD_TS_BACKEND=proxy:\${MOD_TS_POOL_main}"
    Alias /upper "\${FOLDER}/htdocs/a"
    <Location "/upper">
      Use TsHandler upper.ts
    </Location>
    Alias /frame "\${FOLDER}/htdocs/a"
    <Location "/frame">
      Use TsHandler "frame.ts mod_ts/origin"
      AddOutputFilterByType DEFLATE text/html
    </Location>
    Alias /dav "\${FOLDER}/dav"
    <Directory "\${FOLDER}/dav">
      Require all granted
    </Directory>
    <Location "/dav">
      Use TsAroundHandler "first.ts mod_ts/origin"
      <If "reqenv('MOD_TS_CALL') =~ m#^pass;#">
        Dav On
      </If>
    </Location>
  `,
});
for (const name of [
  "a/echo.cgi",
  "a/fail.cgi",
  "a/go.cgi",
  "a/script.run",
  "rewritten/index.cgi",
]) {
  chmodSync(join(apache.folder, "htdocs", name), 0o755);
}

t.test("a program that redirects inside Apache", async (t) => {
  for (const path of ["/a/go.cgi", "/around/go.cgi"]) {
    t.match(await apache.request(path), { status: 200, body: "<p>static</p>\n" }, path);
  }
});

t.test("a static file, whole, with the headers of both", async (t) => {
  const reply = await apache.request("/a/page.html");
  t.match(reply, { status: 200, body: "<p>static</p>\n" });
  t.match(reply.headers, {
    "content-length": "14",
    "content-type": "text/html",
    etag: /./,
    "last-modified": /GMT/,
    "cache-control": "private",
    "x-first": /\d/,
  });
  t.notOk(
    reply.rawHeaders.some((name) => /mod-ts/i.test(name)),
    "nothing of ours leaks",
  );
  t.equal(reply.headers["vary"], undefined);
  t.match(await apache.request("/alone/page.html"), { status: 200, body: "<p>static</p>\n" });
});

t.test("conditions, ranges, HEAD", async (t) => {
  const { headers } = await apache.request("/a/page.html");
  const unchanged = { "if-none-match": headers.etag as string };
  t.match(await apache.request("/a/page.html", { headers: unchanged }), { status: 304, body: "" });
  const part = await apache.request("/a/page.html", { headers: { range: "bytes=3-8" } });
  t.match(part, { status: 206, body: "static", headers: { "content-range": "bytes 3-8/14" } });
  const head = await apache.request("/a/page.html", { method: "HEAD" });
  t.match(head, { status: 200, body: "", headers: { "content-length": "14" } });
});

t.test("mod_dir and mod_autoindex", async (t) => {
  t.match(await apache.request("/a/folder"), {
    status: 301,
    headers: { location: /\/a\/folder\/$/ },
  });
  t.match(await apache.request("/a/folder/"), { status: 200, body: "the index" });
  t.match(await apache.request("/a/list/"), { status: 200, body: /Index of \/a\/list/ });
});

t.test("CGI: method, query, body, the client's address, several headers of a name", async (t) => {
  const body = "x".repeat(100_000);
  const reply = await apache.request("/a/echo.cgi?q=%2F", { method: "POST", body });
  t.equal(reply.status, 200);
  t.equal(reply.body, `POST q=%2F 100000 127.0.0.1 []\n${body}`);
  t.equal(reply.headers["x-script"], "a, b");
  const headers = { "transfer-encoding": "chunked" };
  const chunked = await apache.request("/a/echo.cgi", { method: "PUT", body: "parts", headers });
  t.match(chunked.body, /^PUT .*\nparts$/);
});

t.test("statuses and error pages of Apache", async (t) => {
  t.match(await apache.request("/a/fail.cgi"), { status: 418, body: "short\n" });
  t.match(await apache.request("/a/none"), { status: 404, body: "not in Apache either" });
  t.match(await apache.request("/a/page.html?no"), { status: 403 }, "and of a handler before it");
});

t.test("includes, and rewriting to another address, stay in one call", async (t) => {
  t.match(await apache.request("/a/part.shtml"), { body: "before <p>static</p>\n after" });
  const first = (await apache.request("/a/page.html")).headers["x-first"];
  const reply = await apache.request("/rewritten/some/post");
  t.match(reply, { status: 200, body: "/rewritten/some/post /some/post\n" });
  t.equal(Number(reply.headers["x-first"]), Number(first) + 1, "the handler ran once");
});

t.test("TsAroundHandler leaves the SetHandler of another section in force", async (t) => {
  t.match(await apache.request("/around/page.html"), { status: 200, body: "<p>static</p>\n" });
  const ran = await apache.request("/around/script.run");
  t.equal(ran.status, 500, "the script was run: it writes no headers");
  t.notMatch(ran.body, /PASSWORD/);
});

t.test("WebDAV, where Dav is on in the call back alone", async (t) => {
  const found = await apache.request("/dav/", { method: "PROPFIND", headers: { depth: "1" } });
  t.match(found, { status: 207, body: /<D:href>\/dav\/file\.txt<\/D:href>/ });
  t.ok(found.headers["x-first"], "a handler came first");
  const refused = await apache.request("/dav/?no", { method: "PROPFIND" });
  t.equal(refused.status, 403);
  t.match(await apache.request("/dav/file.txt"), { status: 200, body: "on the web" });
});

t.test("fetchOrigin: changed, unchanged, unread", async (t) => {
  const changed = await apache.request("/upper/page.html");
  t.match(changed, { status: 200, body: "<P>STATIC</P>\n!" });
  t.equal(changed.headers["content-length"], "15", "of what was sent");
  t.match(await apache.request("/upper/page.html?same"), {
    body: "<p>static</p>\n",
    headers: { "content-length": "14", "content-type": "text/html" },
  });
  t.match(await apache.request("/upper/page.html?unread"), { body: "own" });
  t.match(await apache.request("/upper/none"), { status: 404 });
  const head = await apache.request("/upper/page.html?same", { method: "HEAD" });
  t.match(head, { body: "", headers: { "content-length": "14" } });
});

t.test("what was written before stands before", async (t) => {
  const whole = { status: 200, body: "<top><p>static</p>\n" };
  t.match(await apache.request("/frame/page.html"), whole);
  const headers = { host: "x", range: "bytes=3-8" };
  t.match(await apache.request("/frame/page.html", { headers }), whole, "not a part of it");
  const coded = await fetch(`${apache.url}/frame/long.html`, {
    headers: { "accept-encoding": "gzip" },
  });
  t.equal(coded.headers.get("content-encoding"), "gzip");
  t.match(await coded.text(), /^<top><p>static<\/p>\n/, "one coding around all of it");
});

t.test("one line in the access log for a request", async (t) => {
  await apache.request("/a/page.html?once");
  // httpd writes it after the answer, and a child that is told to end may not get that far.
  await until(apache.accessLog, "?once");
  await apache.stop();
  t.equal(apache.accessLog().split("?once").length - 1, 1, "one line for one request");
});
