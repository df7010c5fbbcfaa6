// The source of a handler or a page is never shown: not without a handler, not while the sidecar is down, not in any section.
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache, startEcho } from "../fixtures/httpd.ts";
import { harmlessNames, pythonNames, sourceNames } from "../fixtures/source-names.ts";

const source = "export const password = 'SOURCE';";

const leaks = [
  ...sourceNames,
  "mod-ts.config.ts",
  "mod-ts.config.json",
  "mod-ts.config.mjs",
  ".mod-ts/run/main.log",
  ".mod-ts/cache/hello.js",
];

const harmless = [...harmlessNames, "mod-ts.conf.txt"];

const files = Object.fromEntries(
  [...leaks, ...harmless].flatMap((name) => [
    [`htdocs/${name}`, source],
    [`htdocs/static/${name}`, source],
  ]),
);

const conf = `
  AddType text/plain .tsx
  <Location /static>
    SetHandler None
    Require all granted
  </Location>
  Alias "/alias" "\${FOLDER}/htdocs"
  <Location /alias>
    SetHandler default-handler
  </Location>
  <Directory "\${FOLDER}/htdocs">
    Options +MultiViews +Includes
    AddHandler server-parsed .shtml
    AddOutputFilter INCLUDES .shtml
  </Directory>
`;

t.test("with the sidecar", async (t) => {
  const apache = await startEcho(t, {
    conf,
    modules: ["mod_include"],
    files: {
      ...files,
      "htdocs/inc.shtml": '[<!--#include virtual="hello.ts"-->]',
      "htdocs/file.shtml": '[<!--#include file="hello.ts"-->]',
    },
  });
  for (const folder of ["", "/static", "/alias", "/static/../static", "//static"]) {
    for (const name of leaks) {
      const path = `${folder}/${name.split("/").map(encodeURIComponent).join("/")}`;
      const reply = await apache.request(path);
      t.equal(reply.status, 403, path);
      t.notMatch(reply.body, /SOURCE/);
    }
    for (const name of harmless) {
      const path = `${folder}/${name}`;
      t.equal((await apache.request(path)).body, source, `${path} is served as ever`);
    }
  }
  const tricks = [
    "/hello.ts/x",
    "/hello%2ets",
    "/hello.ts?x",
    "/hello.ts%20",
    "/hello.ts.",
    "/hello.ts/",
  ];
  for (const path of [...tricks, "/hello", "/view"]) {
    const reply = await apache.request(path, { headers: { accept: "*/*", range: "bytes=0-3" } });
    t.notMatch(reply.body, /SOU|expo/, `${path} shows nothing (${reply.status})`);
    t.ok(reply.status >= 400, path);
  }
  t.notMatch((await apache.request("/inc.shtml")).body, /SOURCE/, "SSI virtual");
  t.notMatch((await apache.request("/file.shtml")).body, /SOURCE/, "SSI file");
  for (const method of ["HEAD", "OPTIONS", "POST", "PROPFIND"]) {
    t.equal((await apache.request("/hello.ts", { method })).status, 403, method);
  }
});

t.test("without the sidecar", async (t) => {
  const apache = await startEcho(t, { conf, files });
  await apache.backend.close();
  for (const name of leaks) {
    const reply = await apache.request(
      `/static/${name.split("/").map(encodeURIComponent).join("/")}`,
    );
    t.equal(reply.status, 503, name);
    t.notMatch(reply.body, /SOURCE/);
  }
  t.equal((await apache.request("/static/a.txt")).body, source);
});

t.test("a development server behind ProxyPass may still serve .ts", async (t) => {
  const apache = await startEcho(t, {
    pools: ["vite"],
    conf: 'ProxyPass "/vite" "unix:${FOLDER}/run/vite.sock|http://vite"',
  });
  await apache.request("/vite/src/main.ts");
  t.equal(apache.pools["vite"]?.last().url, "/src/main.ts");
});

t.test("a .ts file of a section with a handler goes to the handler", async (t) => {
  const apache = await startEcho(t, {
    files,
    pools: ["admin"],
    conf: `
      Use TsPool admin
      <Directory "\${FOLDER}/htdocs">
        Use TsHandler mod_ts/publisher
      </Directory>
      <Location /static>
        Use TsInterpreter admin
      </Location>
    `,
  });
  t.equal((await apache.request("/hello.ts")).status, 200);
  t.strictSame(apache.backend.last().all("mod-ts-config"), ["handler mod_ts/publisher"]);
  t.equal((await apache.request("/static/hello.ts")).status, 200);
  t.equal(apache.pools["admin"]?.seen.length, 1, "of the pool that the section names");
});

t.test("video keeps working where it is asked for", async (t) => {
  const apache = await startEcho(t, {
    before: 'Define MOD_TS_SERVE_TS_MEDIA\nDefine MOD_TS_HANDLERS "${FOLDER}/htdocs/static"',
    files,
    conf: "",
  });
  t.equal((await apache.request("/hello.ts")).body, source);
  for (const path of [
    "/view.tsx",
    "/page.tsp",
    "/static/hello.ts",
    "/static/hello.ts~",
    "/a.mts",
  ]) {
    t.equal((await apache.request(path)).status, 403, path);
  }
});

t.test("a handler that declines shows no source, Python's included", async (t) => {
  const names = [...sourceNames, ...pythonNames];
  const apache = await startApache(t, {
    conf: `
      <Directory "\${FOLDER}/htdocs/publisher">
        Use TsHandler mod_ts/publisher
      </Directory>
      <Directory "\${FOLDER}/htdocs/pages">
        Use TsHandler mod_ts/pages
      </Directory>
      <Directory "\${FOLDER}/htdocs/declines">
        Use TsHandler declines.ts
      </Directory>
    `,
    files: Object.fromEntries(
      ["publisher", "pages", "declines"].flatMap((directory) =>
        [...names, "a.txt"].map((name) => [`htdocs/${directory}/${name}`, source]),
      ),
    ),
    handlers: { "declines.ts": handlerFile("declines.ts") },
  });
  for (const directory of ["publisher", "pages", "declines"]) {
    for (const name of names) {
      const path = `/${directory}/${encodeURIComponent(name)}`;
      const reply = await apache.request(path);
      t.ok(reply.status >= 400, `${path}: ${reply.status}`);
      t.notMatch(reply.body, "SOURCE");
    }
  }
  t.equal((await apache.request("/declines/a.txt")).body, source);
});
