/** Phases before Apache's own content, for methods with a body, and where Apache cannot ask the decider. */
import { chmodSync, copyFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { createCallCounter, secret, startDecided } from "../fixtures/decider.ts";
import { freePort } from "../../src/httpd/private-server.ts";
import { threads } from "../../src/httpd/server-root.ts";
import { originGuard } from "../../src/base/crypto.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import type { SidecarOptions } from "../fixtures/httpd.ts";
import { RawClient } from "../fixtures/raw-client.ts";

const count = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nwc -c\n";
/** Shows the method, two variables, and the body. */
const cat = `#!/bin/sh
printf 'Content-Type: text/plain\\n\\n%s %s user=%s fixed=%s x=%s\\n' "$REQUEST_METHOD" "$SCRIPT_NAME" "$REMOTE_USER" "$FIXED" "$HTTP_X_USER"
cat
`;

const files = {
  "htdocs/www/cat.cgi": cat,
  "htdocs/www/count.cgi": count,
  "htdocs/www/a.txt": "hello\n",
  "htdocs/www/dir/index.cgi": cat,
  "htdocs/gate/index.cgi": cat,
  "htdocs/gate/cat.cgi": cat,
  "htdocs/gate/index.html": "index\n",
  "htdocs/secret/cat.cgi": cat,
  "htdocs/cat.cgi": cat,
  "htdocs/moved/cat.cgi": cat,
  "htdocs/filtered/index.cgi": cat,
};

async function start(
  t: Test,
  options: SidecarOptions,
  without?: readonly string[],
): ReturnType<typeof startDecided> {
  const port = await freePort("127.0.0.1");
  return startDecided(
    t,
    {
      files,
      ...options,
      before: `Define MOD_TS_ORIGIN ${originGuard(secret)}\nListen 127.0.0.1:${port}\n${options.before ?? ""}`,
      config: {
        origin: { url: `http://127.0.0.1:${port}`, requestWorkers: threads },
        ...options.config,
      },
    },
    without,
  );
}

const all = `
  Use TsInitHandler h.ts
  Use TsHeaderParserHandler h.ts
  Use TsTypeHandler h.ts
  Use TsFixupHandler h.ts
  Use TsAcceptEnv FIXED
  Use TsAcceptHeader X-User`;

const post = (body: string, headers = {}) => ({ method: "POST", body, headers });

t.test("methods with a body pass through the gateway", async (t) => {
  const apache = await start(t, {
    conf: `
      DirectoryIndex index.cgi
      <Location /www>
        ${all}
      </Location>
      <Location /pretty>
        Use TsTransHandler h.ts
      </Location>
      <Location /to>
        Use TsTransHandler h.ts::toQuery
      </Location>
      <Location /secret>
        Require all denied
      </Location>
      ProxyPass /www/proxied http://127.0.0.1:1/
      <Directory "\${FOLDER}/htdocs/moved">
        RewriteEngine On
        RewriteRule ^plain$ /cat.cgi
        RewriteRule ^phased$ /www/cat.cgi
        RewriteRule ^back$ /moved/cat.cgi
      </Directory>
      <Location /moved>
        ${all}
      </Location>`,
    modules: ["mod_rewrite"],
  });
  const calls = createCallCounter(apache.sidecarLog);
  const reply = await apache.request("/www/cat.cgi", post("body"));
  t.match(reply, { status: 200, body: "POST /www/cat.cgi user= fixed=yes; a=b x=Ann; ü\nbody" });
  t.match(reply.headers, { "x-init": "1", "x-fixed": "yes", "content-type": "text/x-typed" });
  t.notMatch(JSON.stringify(reply.headers), /mod-ts/i, "no header of ours reaches the client");
  t.strictSame(
    await calls(4),
    ["init", "headerparser", "type", "fixup"].map((phase) => `${phase} of /www/cat.cgi`),
    "each handler runs once, in order",
  );
  // A RewriteRule of a directory: the handlers of the target run, as for GET; the environment that
  // they chose does not reach it.
  for (const [name, target] of [
    ["phased", "/www/cat.cgi"],
    ["back", "/moved/cat.cgi"],
  ] as const) {
    const moved = await apache.request(`/moved/${name}`, post("b"));
    t.match(moved, { status: 200, body: `POST ${target} user= fixed= x=Ann; ü\nb` });
    t.equal(moved.headers["x-fixed"], "yes");
    t.strictSame(
      await calls(4),
      ["init", "headerparser", "type", "fixup"].map((phase) => `${phase} of ${target}`),
    );
  }
  for (const method of ["PUT", "DELETE", "PATCH", "REPORT"]) {
    const { status, body } = await apache.request("/www/cat.cgi", {
      ...post("b", { "Content-Length": "1" }),
      method,
    });
    t.match(
      { status, body },
      { status: 200, body: new RegExp(`^${method} /www/cat\\.cgi .*\nb$`) },
    );
  }
  const large = await apache.request("/www/count.cgi", post("x".repeat(3_000_000)));
  t.equal(large.body.trim(), "3000000", "a large body");
  const chunked = { "Transfer-Encoding": "chunked" };
  t.match((await apache.request("/www/cat.cgi", post("chunks", chunked))).body, /\nchunks$/);

  const refused = await apache.request("/www/cat.cgi", post("b", { "x-refused": "1" }));
  t.match(refused, { status: 422, body: "refused\n" }, "a refusal with a body");
  t.equal((await apache.request("/www/cat.cgi?no", post("b"))).status, 403, "a refusal");
  t.match(await apache.request("/www/cat.cgi?own", post("b")), { status: 200, body: "own\n" });
  t.equal((await apache.request("/www/a.txt", { method: "PUT" })).status, 405, "a file");
  t.equal((await apache.request("/www/none", post("b"))).status, 404);
  t.equal((await apache.request("/www/proxied/x", post("b"))).status, 403, "ProxyPass");
  const index = await apache.request("/www/dir/", post("index"));
  t.match(index, {
    status: 200,
    body: /^POST \/www\/dir\/index\.cgi .* fixed=yes; a=b .*\nindex$/,
  });

  const asked = /^HTTP\/1.1 100 [^]*\r\n\r\nHTTP\/1.1 200 [^]*\n3\s/;
  for (const [path, framing, answer] of [
    ["/www/none.cgi", "Content-Length: 40000", /^HTTP\/1.1 404 /],
    ["/www/none.cgi", "Transfer-Encoding: chunked", /^HTTP\/1.1 404 /],
    ["/www/count.cgi", "Content-Length: 3", asked],
  ] as const) {
    const client = new RawClient(apache.port);
    client.head(`PUT ${path} HTTP/1.1`, "Expect: 100-continue", "Connection: close", framing);
    if ((await client.until(/\r\n\r\n/)).startsWith("HTTP/1.1 100 ")) client.send("abc");
    t.match(await client.closed, answer, `${path}: the body is sent only where Apache wants it`);
  }

  const get = { method: "GET", body: "body", headers: { "Content-Length": "4" } };
  t.equal((await apache.request("/www/cat.cgi", get)).status, 400, "Apache would lose the body");
  t.equal((await apache.request("/www/cat.cgi", { ...get, headers: chunked })).status, 411);
  t.match(await apache.request("/www/cat.cgi?own", get), { status: 200, body: "own\n" });

  const plain = await apache.request("/moved/plain", post("b"));
  t.match(plain, { status: 200, body: /^POST \/cat\.cgi / });
  t.notOk(plain.headers["x-fixed"], "a target without handlers");

  const latin1 = Buffer.from(join(apache.folder, "htdocs/www/caf\xe9.cgi"), "latin1");
  copyFileSync(join(apache.folder, "htdocs/www/cat.cgi"), latin1);
  const named = await apache.request("/www/caf%E9.cgi", post("latin1"));
  t.match(named, { status: 200, body: /fixed=yes; a=b .*\nlatin1$/ }, "a name that is not UTF-8");

  const pretty = await apache.request("/pretty/cat.cgi", post("translated"));
  t.match(pretty, { status: 200, body: /^POST \/www\/cat\.cgi .* fixed=yes; a=b .*\ntranslated$/ });
  t.equal((await apache.request("/to?/secret/cat.cgi", post("b"))).status, 403, "access control");
});

t.test("what a handler chooses for a page is not chosen for its parts", async (t) => {
  const apache = await start(t, {
    modules: ["mod_include"],
    files: {
      ...files,
      "htdocs/page/a.shtml": '<!--#include virtual="/www/cat.cgi" -->',
      "htdocs/page/go.cgi": "#!/bin/sh\nprintf 'Location: /www/cat.cgi\\n\\n'\n",
    },
    handlers: {
      "send.ts": `export const fixupHandler = (req) => {
        req.user = "ann";
        if (req.uri.endsWith(".shtml")) req.handler = "default-handler";
        return 0;
      };`,
    },
    conf: `
      <Location /page>
        Options +Includes
        AddOutputFilter INCLUDES .shtml
        Use TsFixupHandler send.ts
      </Location>`,
  });
  const page = await apache.request("/page/a.shtml", post("b"));
  t.match(page, { status: 200, body: /^GET .* user=ann / }, "the program runs, as a part");
  t.notMatch(page.body, "#!/bin/sh", "and is not shown");
  const moved = await apache.request("/page/go.cgi", post("b"));
  t.match(moved, { status: 200, body: /^GET .* user= / }, "a redirect inside Apache");
});

t.test("a callback leaves out no phase that has not run", async (t) => {
  const apache = await start(t, {
    conf: `
      DirectoryIndex index.cgi
      <Files "index.cgi">
        Use TsFixupHandler h.ts
      </Files>
      <Location /gate>
        Use TsInitHandler h.ts
      </Location>
      <Location /filtered>
        Use TsOutputFilter filter.ts
      </Location>`,
    handlers: {
      "filter.ts": "export const outputFilter = (text: string) => text.toUpperCase();",
    },
  });
  t.equal((await apache.request("/gate/cat.cgi", post("b"))).status, 200);
  t.equal((await apache.request("/gate/index.cgi?no", post("b"))).status, 403, "the file");
  t.equal((await apache.request("/gate/index.cgi", post("b"))).status, 200);
  t.equal((await apache.request("/gate/", post("b"))).status, 403, "its directory");
  const filtered = await apache.request("/filtered/", post("b"));
  t.match(filtered, { status: 200, body: /^POST .* X=ANN/, headers: { "x-fixed": "yes" } });
  t.equal((await apache.request("/filtered/?no", post("b"))).status, 403, "behind a filter");
  t.equal((await apache.request("/filtered/?no")).status, 403, "a GET that the handler refuses");
  t.match(await apache.request("/filtered/"), { status: 200, body: /^GET \/FILTERED/ });
});

const includes = '<!--#include virtual="closed.txt" -->|<!--#include file="closed.txt" -->';
const closedFiles = {
  "htdocs/www/index.shtml": includes,
  "htdocs/www/page.shtml": includes,
  "htdocs/www/closed.txt": "closed content\n",
  "htdocs/www/directory/closed.cgi": `${cat}echo closed content\n`,
  "htdocs/www/list/a.txt": "hello\n",
};
const gate = {
  "gate.ts": `export const initHandler = (req) => (req.uri.includes("closed") ? 403 : 0);`,
  "page.ts": `export const handler = (req) => {
    req.contentType = "text/html";
    req.write('<!--#include virtual="/www/closed.txt" -->');
    return 0;
  };`,
  "filter.ts": "export const outputFilter = (text: string) => text;",
};
const closed = `
  RewriteEngine On
  <Directory "\${FOLDER}/htdocs">
    Options +Includes
    AddOutputFilter INCLUDES .shtml
    DirectoryIndex index.shtml closed.cgi
    RewriteEngine On
    RewriteRule ^www/proxied$ http://127.0.0.1:1/ [P]
  </Directory>
  <Location /www>
    Use TsInitHandler gate.ts
  </Location>
  <Location /page>
    Use TsHandler page.ts
    SetOutputFilter INCLUDES
  </Location>
  <Location /around>
    Use TsOutputFilter filter.ts
  </Location>
  <Location /around/closed>
    Use TsInitHandler gate.ts
  </Location>
  <Files "go">
    SetHandler cgi-script
  </Files>`;

for (const without of [[], ["mod_proxy_scgi"]]) {
  const kind = without.length === 0 ? "with" : "without";
  t.test(`no way around a handler that refuses, ${kind} mod_proxy_scgi`, async (t) => {
    const apache = await start(
      t,
      {
        files: {
          ...closedFiles,
          "htdocs/around/closed/a.txt": "closed content\n",
          "htdocs/around/go": "#!/bin/sh\nprintf 'Location: /around/closed/a.txt\\n\\n'\n",
        },
        handlers: gate,
        modules: ["mod_include", "mod_rewrite"],
        conf: closed,
      },
      without,
    );
    chmodSync(join(apache.folder, "htdocs/around/go"), 0o755);
    for (const ask of [{}, post("b")]) {
      for (const [path, status] of [
        ["/www/closed.txt", 403],
        ["/www/directory/", 403],
        ["/www/directory/closed.cgi", 403],
        // Pages whose includes are refused.
        ["/www/", 200],
        ["/www/page.shtml", 200],
        ["/page", 200],
        ["/www/proxied", 400],
        ["/around/go", 403],
      ] as const) {
        const reply = await apache.request(path, ask);
        t.equal(reply.status, status, `${"method" in ask ? ask.method : "GET"} ${path}`);
        t.notMatch(reply.body, "closed content", path);
      }
    }
    t.match(await apache.request("/www/list/a.txt?"), { status: 200, body: "hello\n" }, "no query");
    t.match(await apache.request("/www/list/"), { status: 200, body: /a\.txt/ }, "a listing");
  });
}

t.test("beside a guard, type and fixup run with the access check", async (t) => {
  const apache = await start(t, {
    authorizer: true,
    modules: ["mod_include"],
    files: { ...files, "htdocs/www/page.shtml": '<!--#include virtual="a.txt" -->' },
    handlers: { "ann.ts": handlerFile("ann.ts") },
    conf: `
      <Location /www>
        Options +Includes
        AddOutputFilter INCLUDES .shtml
        AuthType mod_ts
        Use TsAuthenHandler ann.ts
        Require valid-user
        ${all}
      </Location>`,
  });
  const calls = createCallCounter(apache.sidecarLog);
  const reply = await apache.request("/www/cat.cgi", post("b"));
  t.match(reply, { status: 200, body: /^POST \/www\/cat\.cgi user=ann fixed=yes; a=b .*\nb$/ });
  const phases = (await calls(6)).map((call) => call.split(" ")[0]);
  t.strictSame(
    phases.filter((phase) => phase === "init"),
    ["init"],
  );
  t.strictSame(
    phases.filter((phase) => phase === "fixup"),
    ["fixup", "fixup"],
    "with the access check of the request, and of the callback",
  );
  t.equal((await apache.request("/www/cat.cgi?no", post("b"))).status, 403);

  const page = await apache.request("/www/page.shtml");
  t.match(page, { status: 200, body: /403 Forbidden/ }, "a part of a page is refused");
  const head = "HEAD /www/page.shtml HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  t.match(await apache.raw(head), /^HTTP\/1.1 200 [^<]*\r\n\r\n$/, "and nothing follows a head");
  t.match(apache.sidecarLog(), /MODTS_SUBREQUEST_GUARDED/);
});

t.test("without mod_proxy_scgi, all methods pass through the gateway", async (t) => {
  const apache = await start(
    t,
    {
      conf: `
      <Location /www>
        ${all}
      </Location>
      <Location /pretty>
        Use TsTransHandler h.ts
      </Location>`,
    },
    ["mod_proxy_scgi"],
  );
  const calls = createCallCounter(apache.sidecarLog);
  t.match(await apache.request("/www/a.txt"), { status: 200, body: "hello\n" });
  t.strictSame(
    await calls(4),
    ["init", "headerparser", "type", "fixup"].map((phase) => `${phase} of /www/a.txt`),
  );
  const head = await apache.request("/www/a.txt", { method: "HEAD" });
  t.match(head, { status: 200, body: "", headers: { "content-length": "6", "x-fixed": "yes" } });
  t.equal((await apache.request("/www/a.txt?no")).status, 403);
  t.match((await apache.request("/www/cat.cgi", post("b"))).body, /^POST .* fixed=yes; a=b .*\nb$/);
  t.match(await apache.request("/pretty/a.txt"), { status: 200, body: "hello\n" });
  t.equal((await apache.request("/www/none")).status, 404);
});
