/**
 * The path that a handler judges is the path that Apache serves: however the client writes it, whatever Alias, mod_rewrite,
 * DirectoryIndex, ErrorDocument and mod_include make of it.
 */
import { chmodSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { until } from "../fixtures/until.ts";

const script =
  '#!/bin/sh\necho Content-Type: text/plain\necho\necho "FILE $SCRIPT_FILENAME"\necho "INFO $PATH_INFO"\n';

/** Virtual hosts, each with its own idea of slashes. */
const hosts: Record<string, string> = {
  plain: "",
  on: "AllowEncodedSlashes On",
  nodecode: "AllowEncodedSlashes NoDecode",
  unmerged: "MergeSlashes Off",
  both: "AllowEncodedSlashes On\nMergeSlashes Off",
};

const rules = `
  Alias "/alias" "\${FOLDER}/htdocs/secret"
  Alias "/elsewhere" "\${FOLDER}/other"
  RewriteEngine On
  RewriteRule ^/rewritten$ /secret/a.txt [PT]
  RewriteRule ^/file$ "\${FOLDER}/htdocs/secret/a.txt" [L]
  ErrorDocument 404 /errors/missing.txt
  <Location "/">
    AuthType mod_ts
    Use TsAccessHandler judge.ts
    Require valid-user
    Options +Includes +ExecCGI +FollowSymLinks
  </Location>
  <Directory "\${FOLDER}/other">
    Require all granted
  </Directory>
  <Directory "\${FOLDER}/htdocs/directory-rules">
    RewriteEngine On
    RewriteRule ^hidden$ /secret/a.txt
  </Directory>
  # A section of its own: see the last test.
  <Location "/errors">
    Header set X-Section errors
  </Location>
  <Location "/same">
    ErrorDocument 404 /same/missing.txt
  </Location>
  <Location "/negotiated">
    Options +MultiViews
  </Location>
  # Open: nothing here is judged, but what it includes must be.
  <Location "/ssi">
    Require all granted
  </Location>
  # Another section with handlers than what it includes.
  <Location "/including">
    Use TsOption a b
  </Location>`;

const apache = await startApache(t, {
  authorizer: true,
  modules: ["mod_cgid", "mod_include"],
  conf: `ScriptSock "\${FOLDER}/logs/cgisock"
    AddHandler cgi-script .sh
    AddOutputFilter INCLUDES .shtml
    ${Object.entries(hosts)
      .map(
        ([name, lines]) =>
          `<VirtualHost *>\nServerName ${name}.example\n${lines}\n${rules}\n</VirtualHost>`,
      )
      .join("\n")}`,
  files: Object.fromEntries([
    ...[
      "public/a.txt",
      "secret/a.txt",
      "errors/missing.txt",
      "same/missing.txt",
      "secret/index.html",
      "negotiated/n.html",
      "a%2fb.txt",
    ].map((path) => [`htdocs/${path}`, `FILE htdocs/${path}\n`]),
    ["htdocs/directory-rules/a.txt", "FILE htdocs/directory-rules/a.txt\n"],
    ["other/a.txt", "FILE other/a.txt\n"],
    ["htdocs/secret/env.sh", script],
    ["htdocs/public/env.sh", script],
    [
      "htdocs/ssi/page.shtml",
      'before <!--#include virtual="/secret/a.txt" --> after <!--#include virtual="/public/a.txt" -->\n',
    ],
    [
      "htdocs/public/page.shtml",
      'FILE htdocs/public/page.shtml <!--#include virtual="/secret/a.txt" -->\n',
    ],
    [
      "htdocs/including/page.shtml",
      'FILE htdocs/including/page.shtml <!--#include virtual="/secret/a.txt" -->\n',
    ],
  ]),
  handlers: {
    "judge.ts": handlerFile("auth-path-judge.ts"),
  },
});
for (const name of ["secret", "public"])
  chmodSync(join(apache.folder, "htdocs", name, "env.sh"), 0o755);

await until(() => apache.sidecarLog(), /\bready\b/);

interface Outcome {
  status: number;
  body: string;
  judged: Judged | undefined;
  /** All judgements: one for each redirect and sub-request inside Apache. */
  all: Judged[];
}

interface Judged {
  uri: string;
  filename: string;
  pathInfo: string;
}

async function ask(host: string, target: string, policy: string): Promise<Outcome> {
  const head = [
    `GET ${target} HTTP/1.1`,
    `Host: ${host}.example`,
    `X-Policy: ${policy}`,
    "Connection: close",
  ];
  const text = await apache.raw(Buffer.from(`${head.join("\r\n")}\r\n\r\n`, "latin1"));
  const encoded = [...text.matchAll(/^X-Judged: (.*)\r$/gm)].flatMap(([, list = ""]) =>
    list.split(", "),
  );
  const all = encoded.map((one) => JSON.parse(Buffer.from(one, "base64").toString()) as Judged);
  return {
    status: Number(text.slice(9, 12)),
    body: text.slice(text.indexOf("\r\n\r\n") + 4),
    // Of several judgements, the last one counts.
    judged: all.at(-1),
    all,
  };
}

/** Ways to write a path that might lead into /secret. */
const targets = [
  "/secret/a.txt",
  "//secret/a.txt",
  "///secret///a.txt",
  "/secret//a.txt",
  "/./secret/a.txt",
  "/secret/./a.txt",
  "/public/../secret/a.txt",
  "/public/..//secret/a.txt",
  "//public/../secret/a.txt",
  "/public/%2e%2e/secret/a.txt",
  "/public/.%2E/secret/a.txt",
  "/%2e/secret/a.txt",
  "/%73ecret/a.txt",
  "/%73%65%63%72%65%74/%61.txt",
  "/secret/a%2etxt",
  "/secret%2Fa.txt",
  "/secret%2fa.txt",
  "/%2Fsecret/a.txt",
  "/%2Fsecret%2F%2Fa.txt",
  "/public%2F..%2Fsecret%2Fa.txt",
  "/public/%2E%2E%2Fsecret/a.txt",
  "/public/x%2F..%2F..%2Fsecret/a.txt",
  "/public/..%252fsecret/a.txt",
  "/public/%252e%252e/secret/a.txt",
  "/secret%5Ca.txt",
  "/secret\\a.txt",
  "/\\secret/a.txt",
  "/secret/a.txt%00",
  "/secret/a.txt%00.html",
  "/public/%00/../../secret/a.txt",
  "/secret;x/a.txt",
  "/secret/;x/a.txt",
  "/secret/a.txt;x",
  "/public/..;/secret/a.txt",
  "/secret/a.txt/",
  "/secret/a.txt/extra",
  "/secret/a.txt%20",
  "/secret/a.txt.",
  "/secret/env.sh",
  "/secret/env.sh/extra",
  "/secret/env.sh/extra/..",
  "/secret/env.sh/extra//more",
  "/public/env.sh/../../secret/env.sh",
  "/public/env.sh/%2e%2e/../secret/env.sh/x",
  "/secret/",
  "/secret",
  "/SECRET/a.txt",
  "/secret/a.txt?",
  "/secret/a.txt?/public/a.txt",
  "/secret/a.txt#/public/a.txt",
  "/public/a.txt#/../../secret/a.txt",
  "/public/a.txt?/../../secret/a.txt",
  "http://plain.example/secret/a.txt",
  "http://plain.example//secret/a.txt",
  "http://user@plain.example/secret/a.txt",
  "//plain.example/secret/a.txt",
  "secret/a.txt",
  "/sécret/../secret/a.txt",
  "/\xff/../secret/a.txt",
  "/%ff/../secret/a.txt",
  "/%c0%ae%c0%ae/secret/a.txt",
  "/secret/a.txt%",
  "/secret/%zz/../a.txt",
  "/rewritten",
  "//rewritten",
  "/%72ewritten",
  "/directory-rules/hidden",
  "/directory-rules/../directory-rules//hidden",
  "/nothing-here",
  "/public/nothing-here",
  "/ssi/page.shtml",
  "/including/page.shtml",
];

/** By the path of the URL an alias cannot be known; by the file it is. */
const fileTargets = [
  ...targets,
  "/alias/a.txt",
  "//alias//a.txt",
  "/alias/../secret/a.txt",
  "/alias",
  "/alias/",
  "/file",
  "/alias%2Fa.txt",
];

for (const host of Object.keys(hosts)) {
  t.test(`${host}: what a policy forbids is never served`, async (t) => {
    for (const [policy, list] of [
      ["uri", targets],
      ["file", fileTargets],
    ] as const) {
      for (const target of list) {
        const { status, body } = await ask(host, target, policy);
        t.notMatch(body, /FILE .*(?:secret|errors)/, `${policy} ${target}: ${status}`);
      }
    }
  });

  t.test(`${host}: what is served is what was judged`, async (t) => {
    let served = 0;
    for (const target of [
      ...fileTargets,
      "/elsewhere/a.txt",
      "/a%2fb.txt",
      "/public/env.sh/x%2Fy/z",
    ]) {
      const { status, body, judged } = await ask(host, target, "none");
      const [, file] = /^FILE (?:\S*\/)?((?:htdocs|other)\/\S+)/m.exec(body) ?? [];
      if (file === undefined || target.endsWith(".shtml")) continue;
      served += 1;
      const where = `${target}: ${status} ${JSON.stringify(judged)}`;
      // Apache looks for index.html itself, with the permission for the folder.
      const seen = (judged?.filename ?? "").replace(/\/secret\/?$/, "/secret/index.html");
      t.equal(seen, join(apache.folder, file), where);
      const [, info] = /^INFO (.*)$/m.exec(body) ?? [];
      if (info !== undefined) t.equal(judged?.pathInfo, info, where);
      t.notMatch(judged?.uri, /\/\.\.?(?:\/|$)|\0/, where);
      if (!/unmerged|both/.test(host)) t.notMatch(judged?.uri, /\/\//, where);
    }
    t.ok(served > 25, `${served} were served`);
  });
}

t.test("a redirect inside Apache is judged anew, by where it leads", async (t) => {
  const hidden = await ask("plain", "/directory-rules/hidden", "none");
  t.match(hidden, { status: 200, judged: { uri: "/secret/a.txt" } });
  // Its status is lost: the 200 of the permission takes its place. So pages for errors belong into an open section.
  const missing = await ask("plain", "/nothing-here", "none");
  t.match(missing, { body: /errors\/missing/, judged: { uri: "/errors/missing.txt" } });
});

t.test("what a page includes needs a permission of its own", async (t) => {
  for (const [target, policy] of [
    ["/ssi/page.shtml", "none"],
    ["/including/page.shtml", "uri"],
    ["/including/page.shtml", "file"],
  ] as const) {
    const { status, body } = await ask("plain", target, policy);
    t.equal(status, 200);
    t.match(body, /an error occurred/, target);
    t.notMatch(body, /FILE htdocs\/(?:secret|public\/a)/, target);
  }
  const { body } = await ask("plain", "/including/page.shtml", "none");
  t.match(body, /FILE htdocs\/secret/, "which the handler gives");
});

t.test(
  "what leads to the same section has its permission: Apache does not ask again",
  async (t) => {
    const { body } = await ask("plain", "/same/nothing", "uri");
    t.match(body, /same\/missing/, "an ErrorDocument");
    t.equal((await ask("plain", "/same/missing.txt", "uri")).status, 403, "asked for by itself");
    t.match(
      (await ask("plain", "/public/page.shtml", "uri")).body,
      /FILE htdocs\/secret/,
      "an include",
    );
  },
);

t.test("a file that MultiViews finds is judged by itself, or not served", async (t) => {
  const { body, all } = await ask("plain", "/negotiated/n", "none");
  t.match(body, /FILE htdocs\/negotiated/);
  const judged = all.find(({ filename }) => filename.endsWith("/negotiated/n.html"));
  t.equal(judged?.uri, "/negotiated/n.html");
});
