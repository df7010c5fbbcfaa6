/** A stopped sidecar: every guarded resource is a 503, and nothing of it is served or run. */
import { chmodSync, existsSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";

const sections: Record<string, string> = {
  access: "AuthType mod_ts\nUse TsAccessHandler guard.ts\nRequire valid-user",
  authen: 'AuthType Basic\nAuthName "x"\nUse TsAuthenHandler guard.ts\nRequire valid-user',
  user: 'AuthType Basic\nAuthName "x"\nUse TsAuthenHandler guard.ts\nRequire user ann',
  all: `AuthType mod_ts\nUse TsAccessHandler guard.ts\nUse TsAuthenHandler guard.ts
    Use TsAuthzHandler guard.ts\nRequire valid-user`,
  ours: "AuthType mod_ts\nUse TsAccessHandler guard.ts\nUse TsHandler guard.ts\nRequire valid-user",
  page: "AuthType mod_ts\nUse TsAccessHandler guard.ts\nRequire valid-user\nErrorDocument 503 /page/a.html",
  none: "AuthType mod_ts\nUse TsAccessHandler guard.ts",
  rewritten: `AuthType mod_ts\nUse TsAccessHandler guard.ts\nRequire valid-user
    RewriteEngine On\nRewriteRule ^/?(.*)b[.]html$ /rewritten/a.html`,
};
const directory = (name: string): string =>
  `<Directory "\${FOLDER}/htdocs/${name}">\n${sections[name]}\n</Directory>`;

const apache = await startApache(t, {
  authorizer: true,
  modules: ["mod_cgid", "mod_include", "mod_dav", "mod_dav_fs", "mod_autoindex", "mod_rewrite"],
  conf: `ScriptSock "\${FOLDER}/logs/cgisock"
    DavLockDB "\${FOLDER}/logs/dav"
    <Directory "\${FOLDER}/htdocs">
      Options +Includes +Indexes +ExecCGI +MultiViews
      AddHandler cgi-script .sh
      AddOutputFilter INCLUDES .shtml
      Dav On
      Require all granted
    </Directory>
    ${Object.keys(sections).map(directory).join("\n")}
    <Directory "\${FOLDER}/htdocs/provider">
      AuthType Basic
      AuthName "x"
      AuthUserFile "\${FOLDER}/htpasswd"
      AuthBasicProvider file mod_ts
      Use TsAuthBasicProviderAmong guard.ts "user ann"
      Require valid-user
    </Directory>`,
  files: {
    ...Object.fromEntries(
      Object.keys(sections).flatMap((name) => [
        [`htdocs/${name}/a.html`, "SECRET\n"],
        [`htdocs/${name}/index.html`, "SECRET\n"],
        [`htdocs/${name}/listed/secret.txt`, "SECRET\n"],
        [`htdocs/${name}/run.sh`, '#!/bin/sh\ntouch "$(dirname "$0")/ran"\nprintf "\\nSECRET"\n'],
      ]),
    ),
    "htdocs/open.shtml": Object.keys(sections)
      .flatMap((name) =>
        ["virtual", "file"].map((kind) => `<!--#include ${kind}="${name}/a.html" -->`),
      )
      .join("\n"),
    "htdocs/provider/a.html": "a\n",
    // ann:pass
    htpasswd: "ann:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=\n",
  },
  handlers: {
    "guard.ts": handlerFile("unavailable-guard.ts"),
  },
});
for (const name of Object.keys(sections)) {
  chmodSync(join(apache.folder, `htdocs/${name}/run.sh`), 0o755);
}

const authorization = `Basic ${Buffer.from("ann:pass").toString("base64")}`;
const ask = (path: string, method = "GET", more: Record<string, string> = {}) =>
  apache.request(path, { method, headers: { authorization, ...more } });

t.test("while it runs, all of this is served", async (t) => {
  for (const name of Object.keys(sections).filter((found) => found !== "none")) {
    t.match(await ask(`/${name}/a.html`), { status: 200, body: /SECRET/ }, name);
  }
});

t.test("once it is stopped, each guarded resource is a 503", async (t) => {
  apache.sidecar.kill("SIGTERM");
  await new Promise((resolve) => apache.sidecar.once("exit", resolve));
  const paths = ["a.html", "", "listed/", "run.sh", "b.html", "absent", "a.html?x"];
  const requests: [string, string, Record<string, string>][] = [
    ...paths.map((path): [string, string, Record<string, string>] => [path, "GET", {}]),
    ["a.html", "POST", {}],
    ["", "PROPFIND", { depth: "1" }],
    ["put.txt", "PUT", {}],
    ["a.html", "DELETE", {}],
    ["a.html", "COPY", { destination: "/copied.txt" }],
  ];
  for (const name of Object.keys(sections)) {
    for (const [path, method, headers] of requests) {
      const { status, body } = await ask(`/${name}/${path}`, method, headers);
      t.equal(status, 503, `${method} /${name}/${path}`);
      t.notMatch(body, /SECRET|secret\.txt/);
    }
    t.notMatch(await ask(`/${name}/index`), { status: 200 }, "MultiViews finds no variant");
    t.notOk(existsSync(join(apache.folder, `htdocs/${name}/ran`)), "the program did not run");
  }
  t.notOk(existsSync(join(apache.folder, "htdocs/copied.txt")));
});

t.test("an open page includes nothing guarded, and lists it without its contents", async (t) => {
  const page = await ask("/open.shtml");
  t.equal(page.status, 200);
  t.notMatch(page.body, /SECRET/);
  t.notMatch((await ask("/", "PROPFIND", { depth: "infinity" })).body, /secret\.txt/);
});

t.test("another provider of the section still lets its users in", async (t) => {
  t.match(await ask("/provider/a.html"), { status: 200, body: "a\n" });
});
