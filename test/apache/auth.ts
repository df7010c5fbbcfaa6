/** Access, authentication and authorization for what Apache itself serves. */
import { chmodSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { type Reply, startApache } from "../fixtures/httpd.ts";
import { killSidecar } from "../fixtures/processes.ts";
import { until } from "../fixtures/until.ts";

const basic = (user: string, password: string): { headers: Record<string, string> } => ({
  headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` },
});

const script = handlerFile("env.sh");

const sections: Record<string, string> = {
  basic: 'AuthType Basic\nAuthName "Members"\nUse TsAuthenHandler auth.ts\nRequire valid-user',
  one: 'AuthType Basic\nAuthName "One"\nUse TsAuthenHandler auth.ts\nRequire user ann',
  all: `AuthType mod_ts\nUse TsAccessHandler auth.ts\nUse TsAuthenHandler auth.ts
    Use TsAuthzHandler auth.ts\nUse TsTypeHandler auth.ts\nUse TsFixupHandler auth.ts\nRequire valid-user
    Header set X-Fixed "expr=%{reqenv:FIXED}"`,
  access: "AuthType mod_ts\nUse TsAccessHandler auth.ts\nRequire valid-user",
  behind: `AuthType Basic\nAuthName "File"\nAuthBasicProvider file
    AuthUserFile "\${FOLDER}/htpasswd"\nUse TsAuthzHandler auth.ts\nRequire mod_ts`,
  provider: `AuthType Basic\nAuthName "Provider"\nAuthBasicProvider mod_ts
    Use TsAuthBasicProvider auth.ts\nRequire valid-user`,
  broken: "AuthType mod_ts\nUse TsAuthenHandler broken.ts\nRequire valid-user",
  own: "AuthType mod_ts\nUse TsAuthenHandler auth.ts\nUse TsHandler auth.ts\nRequire valid-user",
  document: `AuthType mod_ts\nUse TsAccessHandler auth.ts::no\nUse TsOption password hunter2
    Require valid-user\nErrorDocument 403 /cgi/env.sh`,
  script: `AuthType mod_ts\nUse TsAccessHandler auth.ts\nUse TsOption password hunter2
    Require valid-user\nOptions +ExecCGI\nSetHandler cgi-script`,
  twice: `AuthType mod_ts\nUse TsAuthenHandler auth.ts\nUse TsAuthzHandler auth.ts::noted
    Use TsHandler auth.ts\nRequire mod_ts`,
  deny: "AuthType mod_ts\nUse TsAccessHandler auth.ts::deny\nRequire valid-user",
};

const apache = await startApache(t, {
  authorizer: true,
  modules: ["mod_cgid"],
  before: "Define MOD_TS_SECRET 0123456789abcdef",
  config: { secret: "0123456789abcdef" },
  conf: `ScriptSock "\${FOLDER}/logs/cgisock"
    <Location "/cgi">\nOptions +ExecCGI\nSetHandler cgi-script\n</Location>
    Use TsOption server-wide hunter3
    <Directory "\${FOLDER}/htdocs">\nRequire all granted\n</Directory>
    ${Object.entries(sections)
      .map(([name, lines]) => `<Location "/${name}">\n${lines}\n</Location>`)
      .join("\n")}`,
  files: {
    ...Object.fromEntries(
      Object.keys(sections).map((name) => [`htdocs/${name}/a.txt`, `${name}\n`]),
    ),
    "htdocs/basic/index.html": "the index\n",
    "htdocs/cgi/env.sh": script,
    "htdocs/script/env.sh": script,
    // ann:pass, bob:pass
    htpasswd: "ann:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=\nbob:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=\n",
  },
  handlers: {
    "auth.ts": handlerFile("auth.ts"),
    "broken.ts": "export function authenHandler( {",
  },
});

for (const name of ["cgi", "script"]) {
  chmodSync(join(apache.folder, "htdocs", name, "env.sh"), 0o755);
}

const ask = (headers: Record<string, string>) => apache.request("/all/a.txt", { headers });
const deny = (what: string) => apache.request(`/deny/a.txt?${what}`);

t.test("Basic: the password decides, Apache asks for it", async (t) => {
  t.match(await apache.request("/basic/a.txt"), {
    status: 401,
    headers: { "www-authenticate": /^Basic realm="Members"$/ },
  });
  t.match(await apache.request("/basic/a.txt", basic("ann", "wrong")), { status: 401 });
  t.match(await apache.request("/basic/a.txt", basic("ann", "pass")), {
    status: 200,
    body: "basic\n",
    headers: { "set-cookie": ["a=1", "b=2"], "content-type": "text/plain" },
  });
  t.match(await apache.request("/basic/", basic("ann", "pass")), { body: "the index\n" });
  const line = / ann \[.*GET \/basic\/a\.txt/;
  t.match(await until(apache.accessLog, line), line, "Apache's own log has the user");
});

t.test("Require user: Apache's rules on top", async (t) => {
  t.match(await apache.request("/one/a.txt", basic("ann", "pass")), { status: 200 });
  t.match(await apache.request("/one/a.txt", basic("bob", "pass")), { status: /40[13]/ });
});

t.test("access, authen, authz, type and fixup in one round trip", async (t) => {
  t.match(await ask({ "x-user": "ann" }), {
    status: 200,
    body: "all\n",
    headers: { "content-type": "text/x-typed", "x-fixed": "yes" },
  });
  t.match(await ask({ "x-user": "bob" }), { status: 403 });
  t.match(await ask({ "x-user": "ann", "x-blocked": "1" }), { status: 403 });
  t.match(await ask({}), { status: 401, headers: { "www-authenticate": /^Basic realm="[^"]+"$/ } });
});

t.test("an access handler alone: no user, no dialog", async (t) => {
  t.match(await apache.request("/access/a.txt"), { status: 200, body: "access\n" });
  const environment = (await apache.request("/script/env.sh")).body;
  t.match(environment, /^REQUEST_URI=/m);
  t.notMatch(environment, /^(?:REDIRECT_)?REMOTE_USER=./m, "CGI hears of no user");
  t.match(await apache.request("/access/a.txt", { headers: { "x-blocked": "1" } }), {
    status: 403,
  });
});

t.test("authz behind Apache's own authentication", async (t) => {
  t.match(await apache.request("/behind/a.txt"), { status: 401 });
  t.match(await apache.request("/behind/a.txt", basic("ann", "pass")), { status: 200 });
  t.match(await apache.request("/behind/a.txt", basic("bob", "pass")), { status: /40[13]/ });
  t.match(await apache.request("/behind/a.txt", basic("ann", "no")), { status: 401 });
});

t.test("as AuthBasicProvider", async (t) => {
  t.match(await apache.request("/provider/a.txt", basic("ann", "pass")), { status: 200 });
  t.match(await apache.request("/provider/a.txt", basic("ann", "no")), { status: 401 });
  t.match(await apache.request("/provider/a.txt"), { status: 401 });
});

t.test("user and notes reach the content handler", async (t) => {
  const reply = await apache.request("/own/a.txt", { headers: { "x-user": "ann" } });
  t.match(reply, { status: 200, body: "ann 7; a=b&c" });
});

t.test(
  "asked twice: the notes of the first question are there in the second, and after it",
  async (t) => {
    const reply = await apache.request("/twice/a.txt", { headers: { "x-user": "ann" } });
    t.match(reply, { status: 200, body: "ann 7; a=b&c" });
  },
);

t.test("keep-alive survives: no Connection header of a handler reaches the client", async (t) => {
  const reply = await apache.request("/basic/a.txt", basic("ann", "pass"));
  t.not(reply.headers.connection, "close, close");
});

t.test("refusals arrive as they were meant", async (t) => {
  t.match(await deny("slash"), { status: 403, body: "\n/etc/passwd" });
  t.match(await deny("url"), { status: 403, body: "\nhttp://evil.example/" });
  t.match(await deny("quote"), { status: 403, body: '\n"quoted"' });
  t.match(await deny("json"), {
    status: 429,
    body: '{"error":"later"}',
    headers: { "content-type": "application/json", "retry-after": "5" },
  });
  t.match(await deny("redirect"), {
    status: 302,
    headers: { location: "https://login.example/?rd=x", "set-cookie": ["s=1", "t=2"] },
  });
  t.match(await deny("umlaut"), {
    status: 403,
    body: "<p>für Jörg",
    headers: { "content-type": "text/html; charset=utf-8" },
  });
  t.match(await deny("page"), { status: 403, body: /Forbidden/ });
});

t.test(
  "a bare status gets Apache's ErrorDocument, which sees neither secret nor options",
  async (t) => {
    const reply = await apache.request("/document/a.txt");
    t.equal(reply.status, 403);
    t.match(reply.body, /^GATEWAY_INTERFACE=/m, "the script ran");
    t.match(reply.body, /REDIRECT_URL=\/document/);
    t.notMatch(reply.body, /hunter|0123456789abcdef/);
    const passed = await apache.request("/script/env.sh");
    t.match(passed.body, /^GATEWAY_INTERFACE=/m, "the script ran behind its own policy");
    t.notMatch(passed.body, /hunter|0123456789abcdef|auth\.ts/);
  },
);

t.test("everything that is not an OK keeps the door shut", async (t) => {
  for (const [what, status] of [
    ["throws", 500],
    ["undefined", 500],
    ["declined", 403],
    ["written", 403],
    ["slow", 503],
  ] as const) {
    const reply = await apache.request(`/deny/a.txt?${what}`);
    t.equal(reply.status, status, what);
    t.notMatch(reply.body, "deny\n", what);
  }
  t.match(await apache.request("/broken/a.txt"), { status: 500 });
});

t.test("headers of ours reach clients with refusals only, as apache.md says", async (t) => {
  const ours = ({ headers }: Reply): string[] =>
    Object.keys(headers).filter((name) => name.startsWith("mod-ts"));
  t.same(ours(await apache.request("/basic/a.txt", basic("ann", "pass"))), []);
  t.same(ours(await apache.request("/document/a.txt")), [], "the page of an ErrorDocument");
  for (const path of ["/basic/a.txt", "/deny/a.txt?json", "/deny/a.txt?declined"]) {
    const left = ours(await apache.request(path)).map((name) => name.replace("mod-ts-", ""));
    const known = left.filter((name) => /^(?:proof|type|location|declined)$/.test(name));
    t.same(left, known, path);
    t.ok(left.includes("proof"), "the day that Apache lets it be removed, apache.md can say so");
  }
});

t.test("with the sidecar down nothing is served", async (t) => {
  await killSidecar(apache.sidecar);
  for (const name of ["basic", "all", "access", "behind", "own", "deny"]) {
    const reply = await apache.request(`/${name}/a.txt`, basic("ann", "pass"));
    t.ok(reply.status >= 500, `${name}: ${reply.status}`);
    t.notMatch(reply.body, `${name}\n`);
  }
});
