/** Ways to a guarded file other than its address: headers, methods, negotiation, includes, copies, spellings. */
import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { type Ask, startApache } from "../fixtures/httpd.ts";

const require = "Require valid-user";
/** Guards of a directory each; nobody passes any of them. */
const guards: Record<string, string> = {
  directory: `AuthType Basic\nAuthName x\nUse TsAuthenHandler refuse.ts\n${require}`,
  files: `<Files "a.txt">\nAuthType Basic\nAuthName x\nUse TsAuthenHandler refuse.ts\n${require}\n</Files>`,
  access: `AuthType mod_ts\nUse TsAccessHandler refuse.ts\n${require}`,
  authz: `AuthType mod_ts\nUse TsAuthenHandler user.ts\nUse TsAuthzHandler refuse.ts\nRequire mod_ts`,
  condition: `<If "true">\nAuthType mod_ts\nUse TsAccessHandler refuse.ts\n${require}\n</If>`,
  provider: `AuthType Basic\nAuthName x\nAuthBasicProvider mod_ts\nUse TsAuthBasicProvider refuse.ts\n${require}`,
};
const names = Object.keys(guards);
const apache = await startApache(t, {
  authorizer: true,
  modules: [
    "mod_include",
    "mod_negotiation",
    "mod_speling",
    "mod_dav",
    "mod_dav_fs",
    "mod_rewrite",
    "mod_actions",
  ],
  conf: `
    DavLockDB "\${FOLDER}/locks/dav"
    <Directory "\${FOLDER}/htdocs">
      Options +Includes +MultiViews +Indexes
      Require all granted
      Dav On
      CheckSpelling On
      CheckCaseOnly Off
      AddOutputFilter INCLUDES .shtml
      AddHandler type-map .var
      RewriteEngine On
      RewriteRule "^to/(.*)$" "/$1" [PT]
    </Directory>
    ${names.map((name) => `Alias "/other-${name}" "\${FOLDER}/htdocs/${name}"`).join("\n")}
    AliasMatch "^/match/(.*)$" "\${FOLDER}/htdocs/$1"
    ${names.map((name) => `<Directory "\${FOLDER}/htdocs/${name}">\n${guards[name]}\n</Directory>`).join("\n")}`,
  files: {
    ...Object.fromEntries(names.map((name) => [`htdocs/${name}/a.txt`, "the secret\n"])),
    ...Object.fromEntries(
      names.flatMap((name) => [
        [`htdocs/open/virtual-${name}.shtml`, `[<!--#include virtual="/${name}/a.txt" -->]`],
        [`htdocs/open/alias-${name}.shtml`, `[<!--#include virtual="/other-${name}/a.txt" -->]`],
        [`htdocs/open/dots-${name}.shtml`, `[<!--#include virtual="../${name}//./a.txt" -->]`],
        [`htdocs/open/query-${name}.shtml`, `[<!--#include virtual="/${name}/a.txt?x" -->]`],
        [`htdocs/open/file-${name}.shtml`, `[<!--#include file="../${name}/a.txt" -->]`],
        [
          `htdocs/open/map-${name}.var`,
          `URI: /${name}/a.txt\nContent-Type: text/plain\n\nURI: ../${name}/a.txt\nContent-Type: text/html\n`,
        ],
      ]),
    ),
    "locks/readme.txt": "of mod_dav\n",
  },
  handlers: {
    "refuse.ts": handlerFile("attacks/refuse.ts"),
    "user.ts": handlerFile("attacks/user.ts"),
  },
});
mkdirSync(join(apache.folder, "htdocs/target"));
for (const path of ["locks", "htdocs/target", ...names.map((name) => `htdocs/${name}`)]) {
  chmodSync(join(apache.folder, path), 0o777);
}

const to = (path: string, headers: Record<string, string> = {}, method = "GET"): [string, Ask] => [
  path,
  { method, headers },
];
const basic = { authorization: `Basic ${Buffer.from("ann:pass").toString("base64")}` };
/** By the name of the guard; `a` is the file. */
const ways: Record<string, (name: string) => [path: string, ask: Ask]> = {
  "as it is": (name) => to(`/${name}/a.txt`),
  "with a password": (name) => to(`/${name}/a.txt`, basic),
  "with a ticket of nobody": (name) =>
    to(`/${name}/a.txt`, {
      cookie: `mod_ts_ticket=9999999990/${"0".repeat(16)}/${"A".repeat(43)}/YW5u`,
    }),
  "X-Original-URL": (name) => to("/open/none", { "x-original-url": `/${name}/a.txt` }),
  "X-Rewrite-URL": (name) => to("/open/none", { "x-rewrite-url": `/${name}/a.txt` }),
  "X-Forwarded-Uri": (name) => to(`/${name}/a.txt`, { "x-forwarded-uri": "/open/" }),
  "X-Forwarded-For": (name) => to(`/${name}/a.txt`, { "x-forwarded-for": "127.0.0.1" }),
  "X-Forwarded-User": (name) => to(`/${name}/a.txt`, { "x-forwarded-user": "ann" }),
  "Remote-User": (name) => to(`/${name}/a.txt`, { "remote-user": "ann" }),
  "Variable-REMOTE_USER": (name) => to(`/${name}/a.txt`, { "variable-remote_user": "ann" }),
  "Mod-Ts-Proof": (name) => to(`/${name}/a.txt`, { "mod-ts-proof": "0".repeat(40) }),
  "our headers": (name) =>
    to(`/${name}/a.txt`, { "mod-ts-context": "2;t", "mod-ts-config": "\tpass" }),
  "a method in a header": (name) =>
    to(`/${name}/a.txt`, { "x-http-method-override": "OPTIONS" }, "POST"),
  "a range": (name) => to(`/${name}/a.txt`, { range: "bytes=0-3" }),
  "two ranges": (name) => to(`/${name}/a.txt`, { range: "bytes=0-3,5-6" }),
  "If-None-Match": (name) => to(`/${name}/a.txt`, { "if-none-match": "*" }),
  "If-Modified-Since": (name) =>
    to(`/${name}/a.txt`, { "if-modified-since": "Fri, 01 Jan 2100 00:00:00 GMT" }),
  Expect: (name) => to(`/${name}/a.txt`, { expect: "200-ok" }),
  "a slash behind it": (name) => to(`/${name}/a.txt/`),
  "a path behind it": (name) => to(`/${name}/a.txt/b/c`),
  "an alias": (name) => to(`/other-${name}/a.txt`),
  "an alias with dots": (name) => to(`/open/../other-${name}/a.txt`),
  AliasMatch: (name) => to(`/match/${name}/a.txt`),
  "AliasMatch with slashes": (name) => to(`/match//${name}//a.txt`),
  RewriteRule: (name) => to(`/to/${name}/a.txt`),
  MultiViews: (name) => to(`/${name}/a`),
  "a misspelt name": (name) => to(`/${name}/A.TXT`),
  "a misspelt directory": (name) => to(`/${name.toUpperCase()}/a.txt`),
  "another suffix": (name) => to(`/${name}/a.html`),
  "a type map": (name) => to(`/open/map-${name}.var`),
  "a type map by name": (name) => to(`/open/map-${name}`, { accept: "text/html" }),
  "an include by address": (name) => to(`/open/virtual-${name}.shtml`),
  "an include by alias": (name) => to(`/open/alias-${name}.shtml`),
  "an include with dots": (name) => to(`/open/dots-${name}.shtml`),
  "an include with a query": (name) => to(`/open/query-${name}.shtml`),
  "an include by file": (name) => to(`/open/file-${name}.shtml`),
  HEAD: (name) => to(`/${name}/a.txt`, {}, "HEAD"),
  POST: (name) => to(`/${name}/a.txt`, {}, "POST"),
  PROPFIND: (name) => to(`/${name}/a.txt`, { depth: "0" }, "PROPFIND"),
  OPTIONS: (name) => to(`/${name}/a.txt`, {}, "OPTIONS"),
  "COPY to an open place": (name) =>
    to(`/${name}/a.txt`, { destination: `${apache.url}/target/${name}.txt` }, "COPY"),
  "MOVE to an open place": (name) =>
    to(`/${name}/a.txt`, { destination: `${apache.url}/target/${name}.txt` }, "MOVE"),
  LOCK: (name) => to(`/${name}/a.txt`, {}, "LOCK"),
  "an unknown method": (name) => to(`/${name}/a.txt`, {}, "FOO"),
  "a method in lower case": (name) => to(`/${name}/a.txt`, {}, "get"),
  TRACE: (name) => to(`/${name}/a.txt`, {}, "TRACE"),
};

/** Right answers other than that of the guard. Names may be told: only what is in a file is guarded. */
const others: Record<string, readonly number[]> = {
  "X-Original-URL": [404],
  "X-Rewrite-URL": [404],
  Expect: [417],
  TRACE: [405],
  "a misspelt name": [301, 401, 403],
  "a misspelt directory": [301],
  "another suffix": [300, 401, 403],
  MultiViews: [401, 403, 404],
  "a type map": [404],
  "a type map by name": [404],
  "an include by address": [200],
  "an include by alias": [200],
  "an include by file": [200],
  "an include with a query": [200],
  "an include with dots": [200],
};

t.test("the attacks arrive: who may, gets the file in many of these ways", async (t) => {
  for (const name of names) {
    const arrived: string[] = [];
    for (const [what, way] of Object.entries(ways)) {
      const [path, ask] = way(name);
      if (ask.method === "MOVE") continue;
      const headers = { ...ask.headers, ...basic, "x-pass": "yes" };
      if ((await apache.request(path, { ...ask, headers })).body.includes("the secret"))
        arrived.push(what);
    }
    rmSync(join(apache.folder, `htdocs/target/${name}.txt`), { force: true });
    t.ok(arrived.length >= 19, `${name}: ${arrived.join(", ")}`);
  }
});

t.test("no way leads to the file", async (t) => {
  for (const name of names) {
    for (const [what, way] of Object.entries(ways)) {
      const [path, ask] = way(name);
      const { status, body } = await apache.request(path, ask);
      const right = others[what] ?? [name === "provider" ? 401 : 403];
      t.ok(right.includes(status), `${name}: ${what}: ${status}`);
      t.notMatch(body, "the secret", `${name}: ${what}`);
    }
    t.equal((await apache.request(`/target/${name}.txt`)).status, 404, `${name}: no copy`);
  }
});

t.test(
  "nor do variables that a page sets for its parts, repeated from a permitted request",
  async (t) => {
    for (const name of names) {
      apache.write(`htdocs/${name}/env.shtml`, "<pre><!--#printenv --></pre>");
      const headers = { ...basic, "x-pass": "yes" };
      const page = (await apache.request(`/${name}/env.shtml`, { headers })).body;
      const seen = [...page.matchAll(/^(MOD_TS[^=\n]*|REMOTE_USER|AUTH_TYPE)=(.+)$/gm)];
      // That of a file guards no page beside it.
      if (name !== "files") t.match(page, /^MOD_TS_PROOF=./m, name);
      const ticket = ["", "MOD_TS_TICKET", "/etc/passwd"];
      const sets = [
        seen,
        seen.filter(([, key]) => key !== "MOD_TS_POLICY"),
        [ticket],
        [...seen, ticket],
      ];
      for (const variables of sets) {
        const lines = variables.map(
          ([, key, value]) => `<!--#set var="${key}" value="${value}" -->`,
        );
        const include = `<!--#include virtual="/${name}/a.txt" -->`;
        apache.write("htdocs/open/set.shtml", `${lines.join("")}${include}`);
        for (const visitor of [{}, { authorization: `Basic ${btoa("bob:pass")}` }]) {
          const { status, body } = await apache.request("/open/set.shtml", { headers: visitor });
          t.equal(status, 200, name);
          t.notMatch(body, "the secret", `${name}: ${lines.join("")}`);
        }
      }
    }
  },
);

t.test("nor over the file: nobody writes what nobody may read", async (t) => {
  apache.write("htdocs/open/mine.txt", "mine\n");
  for (const name of names) {
    const destination = { destination: `${apache.url}/${name}/a.txt`, overwrite: "T" };
    for (const [method, path] of [
      ["PUT", `/${name}/a.txt`],
      ["DELETE", `/${name}/a.txt`],
      ["COPY", "/open/mine.txt"],
      ["MOVE", "/open/mine.txt"],
      ["PROPPATCH", `/${name}/a.txt`],
    ] as const) {
      const { status } = await apache.request(path, { method, headers: destination, body: "x" });
      t.equal(status, name === "provider" ? 401 : 403, `${name}: ${method}`);
    }
  }
});

t.test("odd hosts: refused by httpd, or judged like any other", async (t) => {
  const hosts = [
    "",
    "a b",
    "a/../b",
    "a\\b",
    "a?b",
    "a#b",
    "user@a",
    "a:b",
    "a:99999999",
    "[::1",
    "a,b",
    "a\u00e4",
    "%61",
    "-",
    "..",
    "localhost\r\nHost: other",
  ];
  for (const name of names) {
    for (const host of hosts) {
      const lines = [`GET /${name}/a.txt HTTP/1.1`, `Host: ${host}`, "Connection: close"];
      const text = await apache.raw(`${lines.join("\r\n")}\r\n\r\n`);
      const where = `${name}: ${encodeURIComponent(host)}`;
      t.match(text, /^HTTP\/1\.1 (?:400|401|403) /, where);
      t.notMatch(text, "the secret", where);
    }
  }
});
