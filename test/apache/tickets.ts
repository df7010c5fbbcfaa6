/** `TsTicket`: the first OK costs a question, the next requests a file test of Apache's, and nothing gets through that a guard refuses. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { startAuthService } from "../fixtures/auth-service.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startHeaderEcho } from "../fixtures/header-echo.ts";
import { type Reply, startApache } from "../fixtures/httpd.ts";
import { childrenOf, haveEnded } from "../fixtures/processes.ts";
import { until } from "../fixtures/until.ts";

const secret = "0123456789abcdef";
const port = await startHeaderEcho(t);
const custom = "AuthType mod_ts";
const basic = 'AuthType Basic\nAuthName "Members"';
const ticket = "Use TsTicket\nRequire mod_ts_ticket";
const guard = `${custom}\nUse TsAuthenHandler guard.ts`;
const htpasswd = `${basic}\nUse TsAuthenHandler mod_ts/htpasswd
  Use TsOption mod_ts.htpasswd.file users`;
const service = await startAuthService(t, ({ cookie = "" }) =>
  cookie.includes("session=ann")
    ? { status: 200, headers: { "Remote-User": "ann", "Remote-Groups": "staff,admins" } }
    : { status: 401 },
);
const forward = `${custom}\nUse TsAuthenHandler mod_ts/forward-auth
  Use TsOption mod_ts.forward-auth.url ${service.url}`;
const login = `Use TsOption mod_ts.login.location /login
  Use TsOption mod_ts.login.store htpasswd\nUse TsOption mod_ts.htpasswd.file login-users`;

const sections: Record<string, string> = {
  plain: `${guard}\n${ticket}`,
  other: `${guard}\nUse TsOption role other\n${ticket}`,
  "other-guard": `${custom}\nUse TsAuthenHandler guard.ts::strict\n${ticket}`,
  nested: `${guard}\n${ticket}`,
  "nested/option": "Use TsOption role inner",
  "nested/guard": `Use TsAccessHandler guard.ts::never\nRequire mod_ts_ticket`,
  "if-option": `${guard}\n${ticket}\n<If "%{REQUEST_URI} =~ /secret/">\nUse TsOption role secret\n</If>`,
  "if-guard": `${guard}\n${ticket}\n<If "%{REQUEST_URI} =~ /secret/">
    Use TsAccessHandler guard.ts::never\nRequire mod_ts_ticket\n</If>`,
  ann: `${guard}\nUse TsTicket\nRequire user ann`,
  "all-ann": `${guard}\nUse TsTicket\n<RequireAll>\nRequire mod_ts_ticket\nRequire user ann\n</RequireAll>`,
  ip: `${guard}\nUse TsTicket\n<RequireAll>\nRequire mod_ts_ticket\nRequire not env BLOCKED\n</RequireAll>`,
  valid: `${guard}\nUse TsTicket\nRequire valid-user`,
  authz: `${guard}\nUse TsAuthzHandler guard.ts\n${ticket}`,
  access: `${custom}\nUse TsAccessHandler guard.ts\n${ticket}`,
  path: `${custom}\nUse TsAuthenHandler guard.ts::byPath\n${ticket}`,
  query: `${custom}\nUse TsAuthenHandler guard.ts::byQuery\n${ticket}`,
  referer: `${custom}\nUse TsAuthenHandler guard.ts::byReferer\n${ticket}`,
  head: `${custom}\nUse TsAuthenHandler guard.ts::headOnly\n${ticket}`,
  variable: `${custom}\nUse TsAuthenHandler guard.ts::variable\n${ticket}`,
  promised: `${custom}\nUse TsAuthenHandler guard.ts::logsPath\nUse TsOption mod_ts.ticket.scope section\n${ticket}`,
  short: `${guard}\nUse TsOption mod_ts.ticket.lifetime 10\n${ticket}`,
  wrong: `${guard}\nUse TsOption mod_ts.ticket.scope any\n${ticket}`,
  content: `${guard}\nUse TsHandler guard.ts\n${ticket}`,
  htpasswd: `${htpasswd}\n${ticket}`,
  members: `${custom}\nUse TsAuthenHandler mod_ts/login\n${ticket}`,
  imported: `${custom}\nUse TsAuthenHandler imports.ts\n${ticket}`,
  cgi: `${guard}\n${ticket}\nOptions +ExecCGI\nSetHandler cgi-script`,
  app: `${guard}\n${ticket}\nUse TsIdentityHeaders\nUse TsIdentityHeader X WEBAUTH USER REMOTE_USER\nUse TsHideCookies`,
  forward: `${forward}\n${ticket}`,
  "app-groups": `${forward}\n${ticket}\nUse TsIdentityHeaders\nUse TsOption mod_ts.ticket.scope section`,
  dav: `${guard}\n${ticket}`,
};

const apache = await startApache(t, {
  authorizer: true,
  modules: ["mod_cgid", "mod_dav", "mod_dav_fs", "mod_include"],
  before: `Define MOD_TS_SECRET ${secret}`,
  config: { secret, log: { level: "info" }, pools: { main: { workers: 2 } } },
  conf: `ScriptSock "\${FOLDER}/logs/cgisock"
    DAVLockDB "\${FOLDER}/locks/davlock"
    LimitRequestFieldSize 32000
    RemoteIPHeader X-Client
    RemoteIPInternalProxy 127.0.0.1
    AddOutputFilter INCLUDES .shtml
    SetEnvIf X-Blocked . BLOCKED=1
    ProxyPass "/app-groups" "http://127.0.0.1:${port}"
    ProxyPass "/app" "http://127.0.0.1:${port}"
    Header always set X-User "expr=%{REMOTE_USER}" "expr=-n %{REMOTE_USER}"
    ${login}
    <Location "/login">\nUse TsHandler mod_ts/login\n</Location>
    <Directory "\${FOLDER}/htdocs">\nRequire all granted\nOptions +Includes\n</Directory>
    <Directory "\${FOLDER}/htdocs/dav">\nDav On\n</Directory>
    <Files "own.html">
      AuthType mod_ts\nUse TsAccessHandler guard.ts::never\nRequire valid-user
    </Files>
    ${Object.entries(sections)
      .map(([name, lines]) => `<Location "/${name}">\n${lines}\n</Location>`)
      .join("\n")}`,
  files: {
    ...Object.fromEntries(
      Object.keys(sections).map((name) => [`htdocs/${name}/a.txt`, "SECRET\n"]),
    ),
    "htdocs/if-option/secret.txt": "SECRET\n",
    "htdocs/if-guard/secret.txt": "SECRET\n",
    "htdocs/path/public.txt": "SECRET\n",
    "htdocs/plain/index.html": "INDEX\n",
    "htdocs/plain/own/own.html": "OWN\n",
    "htdocs/plain/own/page.shtml": '[<!--#include virtual="own.html" -->]\n',
    "htdocs/plain/page.shtml": '[<!--#include virtual="a.txt" -->]\n',
    "htdocs/cgi/env.sh": handlerFile("env.sh"),
    "locks/readme.txt": "of mod_dav\n",
    // ann and bob, with the password "pass".
    users: "ann:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=\nbob:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=\n",
    "login-users": "ann:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=\n",
  },
  handlers: {
    "guard.ts": handlerFile("tickets.ts"),
    "imports.ts": 'export { authenHandler } from "./imported.ts";\n',
    "imported.ts": handlerFile("tickets.ts"),
  },
});
chmodSync(join(apache.folder, "htdocs/cgi/env.sh"), 0o755);
chmodSync(join(apache.folder, "locks"), 0o777);
chmodSync(join(apache.folder, "htdocs/dav"), 0o777);

type Headers = Record<string, string>;
const directory = join(apache.folder, "run/tickets");

/** A browser that keeps its cookies; `x-session` stands in for what a guard knows the visitor by. */
class Visitor {
  readonly cookies = new Map<string, string>();

  constructor(...cookies: [string, string][]) {
    for (const [name, value] of cookies) this.cookies.set(name, value);
  }

  get ticket(): string | undefined {
    return this.cookies.get("mod_ts_ticket");
  }

  async get(
    path: string,
    headers: Headers = {},
    method = "GET",
  ): Promise<Reply & { asked: boolean }> {
    const cookie = Array.from(this.cookies, ([name, value]) => `${name}=${value}`).join("; ");
    const reply = await apache.request(path, {
      method,
      headers: { ...(cookie && { cookie }), ...headers },
    });
    for (const line of reply.headers["set-cookie"] ?? []) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (/Max-Age=0/.test(line)) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    // Apache has a user of its own only where the sidecar was asked for it.
    return { ...reply, asked: reply.headers["x-user"] !== undefined };
  }

  /** Asks until Apache passes by itself; the file test must then decide alone. */
  async holding(path: string, headers: Headers = {}): Promise<this> {
    for (let tries = 0; tries < 100; tries += 1) {
      const { status, asked } = await this.get(path, headers);
      if (status !== 200) throw new Error(`${path}: ${status}`);
      if (!asked) return this;
    }
    throw new Error(`${path}: no ticket\n${apache.sidecarLog()}`);
  }
}

const ann = (): Visitor => new Visitor(["session", "ann"]);
const bob = (): Visitor => new Visitor(["session", "bob"]);

// On a busy machine the first decision of a worker can take longer than Apache waits.
for (let status = 0; status !== 404;) ({ status } = await ann().get("/plain/missing"));

t.test("the first request is asked, the next ones are not", async (t) => {
  const visitor = ann();
  const first = await visitor.get("/plain/a.txt");
  t.match(first, { status: 200, body: "SECRET\n", asked: true });
  const line = first.headers["set-cookie"]?.[0] ?? "";
  t.match(
    line,
    /^mod_ts_ticket=\d{10}\/[0-9a-f]{16}\/[\w-]{43}\/[\w+/=]*; Max-Age=300; Path=\/; HttpOnly; SameSite=Lax$/,
  );
  for (const method of ["GET", "HEAD", "GET"]) {
    const next = await visitor.get("/plain/a.txt", {}, method);
    t.match(next, { status: 200, asked: false, headers: { "cache-control": "private" } }, method);
    t.notOk(next.headers["set-cookie"], "the cookie is sent once");
  }
  t.match(await visitor.get("/plain/missing"), { status: 404, asked: false });
});

t.test("a ticket of one section opens no other one", async (t) => {
  const visitor = await ann().holding("/plain/a.txt");
  for (const path of ["other", "other-guard", "nested/option", "nested/guard"]) {
    t.not((await visitor.get(`/${path}/a.txt`)).status, 200, path);
  }
  await visitor.holding("/nested/a.txt");
  t.not((await visitor.get("/nested/option/a.txt")).status, 200, "an option of an inner section");
  t.not((await visitor.get("/nested/guard/a.txt")).status, 200, "a guard of an inner section");
  for (const name of ["if-option", "if-guard"]) {
    await visitor.holding(`/${name}/a.txt`);
    t.not((await visitor.get(`/${name}/secret.txt`)).status, 200, name);
  }
  t.match(
    await visitor.get("/plain/a.txt"),
    { status: 200, asked: false },
    "one cookie for several",
  );
});

t.test("what an OK depended on decides whether there is a ticket", async (t) => {
  const cases: [string, string, string, Headers][] = [
    ["path", "/path/public.txt", "/path/a.txt", {}],
    ["query", "/query/a.txt?open", "/query/a.txt", {}],
    ["header", "/referer/a.txt", "/referer/a.txt", { referer: "x" }],
  ];
  for (const [name, open, closed, headers] of cases) {
    const visitor = ann();
    t.match(await visitor.get(open, headers), { status: 200, asked: true }, name);
    t.equal(visitor.ticket, undefined, `${name}: no ticket`);
    t.equal((await visitor.get(closed)).status, 403, name);
  }
  const visitor = ann();
  t.equal((await visitor.get("/head/a.txt", {}, "HEAD")).status, 200);
  t.equal((await visitor.get("/head/a.txt")).status, 403, "an OK for HEAD is none for GET");
  await visitor.get("/variable/a.txt");
  await visitor.get("/content/a.txt");
  t.equal(visitor.ticket, undefined, "variables of its own, content of ours");
  await until(
    apache.sidecarLog,
    /TsTicket gives no ticket for \/path\/public.txt: .*looked at uri/,
  );
  await ann().holding("/promised/a.txt");
  t.equal((await ann().get("/wrong/a.txt")).status, 500, "an option that does not exist");
});

t.test("a ticket is that of a visitor: cookies, password, address, virtual host", async (t) => {
  const visitor = await ann().holding("/plain/a.txt");
  const asked = async (cookies: [string, string][], headers: Headers = {}): Promise<boolean> => {
    const reply = await new Visitor(...cookies).get("/plain/a.txt", headers);
    return reply.asked || reply.status !== 200;
  };
  const own: [string, string] = ["mod_ts_ticket", visitor.ticket ?? ""];
  t.notOk(await asked([["session", "ann"], own]));
  t.ok(await asked([own]), "without the session");
  t.ok(await asked([["session", "bob"], own]), "with the session of somebody else");
  t.equal((await new Visitor(own).get("/plain/a.txt")).status, 401);
  t.equal((await new Visitor(["session", "nobody"], own).get("/plain/a.txt")).status, 401);
  t.ok(await asked([["session", "ann"], own], { authorization: "Bearer x" }), "other credentials");
  t.ok(await asked([["session", "ann"], own], { "x-client": "192.0.2.7" }), "another address");
  t.ok(await asked([["session", "ann"], own], { host: "other.example" }), "another host");
  const reader = await new Visitor().holding("/access/a.txt");
  const elsewhere = await reader.get("/access/a.txt", { "x-client": "192.0.2.66" });
  t.equal(elsewhere.status, 403, "an address that the access handler refuses");
});

t.test("forged, cut and doubled cookies are asked like none", async (t) => {
  const visitor = await ann().holding("/plain/a.txt");
  const good = visitor.ticket ?? "";
  const [end = "", owner = "", key = "", user = ""] = good.split("/");
  const root = Buffer.from("root").toString("base64");
  const forged = [
    `${good}x`,
    good.slice(0, -1),
    `${good}~`,
    `${good}/`,
    [end, owner, `${key}A`, user].join("/"),
    [end, owner, key.slice(1), user].join("/"),
    [end, owner, "A".repeat(43), user].join("/"),
    [end, owner, key, root].join("/"),
    ["9999999999", owner, key, user].join("/"),
    [end, "0".repeat(16), key, user].join("/"),
    ["../../../../..", owner, key, user].join("/"),
    [end, "../../../../../x", key, user].join("/"),
    "../../key",
    "../../../htdocs/plain/a.txt",
    `${end}/../key`,
    "",
  ];
  for (const value of forged) {
    const reply = await new Visitor(["session", "nobody"], ["mod_ts_ticket", value]).get(
      "/plain/a.txt",
    );
    t.equal(reply.status, 401, value);
    const legal = await new Visitor(["session", "ann"], ["mod_ts_ticket", value]).get(
      "/plain/a.txt",
    );
    t.match(legal, { status: 200, asked: true }, `${value} beside a session`);
  }
  const lines = [
    `mod_ts_ticket=${good}; mod_ts_ticket=${good}; session=ann`,
    `session=ann; MOD_TS_TICKET=${good}`,
    `session=ann; xmod_ts_ticket=${good}`,
    `session=ann; mod_ts_ticket=${good}; a=${"b".repeat(9000)}`,
  ];
  for (const cookie of lines) {
    const reply = await apache.request("/plain/a.txt", { headers: { cookie } });
    t.match(reply, { status: 200, headers: { "x-user": "ann" } }, cookie.slice(0, 60));
    const nobody = cookie.replace("session=ann", "session=nobody");
    t.equal(
      (await apache.request("/plain/a.txt", { headers: { cookie: nobody } })).status,
      401,
      "a cookie of nobody is no login",
    );
  }
  const huge = `session=ann; mod_ts_ticket=${good}; a=${"b".repeat(17_000)}`;
  t.equal((await apache.request("/plain/a.txt", { headers: { cookie: huge } })).status, 431);
  for (const cookies of [["a=1", "b=2"], ["x=y"], []]) {
    for (const at of [0, 1, 2]) {
      const others = new Visitor(
        ["session", "ann"],
        ...cookies.map((one) => one.split("=") as [string, string]),
      );
      await others.holding("/plain/a.txt");
      const all = [...others.cookies].filter(([name]) => name !== "mod_ts_ticket");
      all.splice(at, 0, ["mod_ts_ticket", others.ticket ?? ""]);
      const moved = new Visitor(...all);
      t.equal((await moved.get("/plain/a.txt")).status, 200, `between other cookies, at ${at}`);
      await moved.holding("/plain/a.txt");
    }
  }
});

t.test("Require lines beside a ticket stay as they are", async (t) => {
  for (const name of ["ann", "all-ann"]) {
    const right = await ann().holding("/plain/a.txt");
    for (const round of [1, 2, 3]) {
      t.match(await right.get(`/${name}/a.txt`), { status: 200, asked: true }, `${name}, ${round}`);
    }
    const wrong = await bob().holding("/plain/a.txt");
    for (const round of [1, 2, 3]) {
      t.not((await wrong.get(`/${name}/a.txt`)).status, 200, `${name}, bob, ${round}`);
    }
  }
  const visitor = await ann().holding("/ip/a.txt");
  t.equal((await visitor.get("/ip/a.txt", { "x-blocked": "1" })).status, 403, "another condition");
  const valid = ann();
  for (const round of [1, 2]) t.ok((await valid.get("/valid/a.txt")).asked, `valid-user, ${round}`);
  await ann().holding("/authz/a.txt");
  const refused = await bob().holding("/plain/a.txt");
  t.equal((await refused.get("/authz/a.txt")).status, 403, "authorization");
});

t.test("other methods, and what they lead to, are asked", async (t) => {
  const visitor = await ann().holding("/dav/a.txt");
  for (const method of ["OPTIONS", "PROPFIND", "POST", "PUT", "DELETE", "TRACE", "get"]) {
    const { cookies } = new Visitor(["session", "nobody"], ["mod_ts_ticket", visitor.ticket ?? ""]);
    const reply = await new Visitor(...cookies).get("/dav/a.txt", {}, method);
    t.ok(reply.status >= 400, `${method}: ${reply.status}`);
  }
  for (const method of ["COPY", "MOVE"]) {
    const destination = `${apache.url}/other-guard/b.txt`;
    const reply = await visitor.get("/dav/a.txt", { destination }, method);
    t.ok(reply.status >= 400, `${method}: ${reply.status}`);
    t.notOk(existsSync(join(apache.folder, "htdocs/other-guard/b.txt")), "nothing was copied");
  }
});

t.test("sub-requests are answered as without a ticket", async (t) => {
  const paths = [
    "/plain/",
    "/plain/own/",
    "/plain/own/own.html",
    "/plain/own/page.shtml",
    "/plain/page.shtml",
  ];
  const fresh = await Promise.all(paths.map((path) => ann().get(path)));
  const visitor = await ann().holding("/plain/a.txt");
  for (const [index, path] of paths.entries()) {
    const { status, body } = await visitor.get(path);
    t.same({ status, body }, { status: fresh[index]?.status, body: fresh[index]?.body }, path);
  }
  t.match(fresh[0], { status: 200, body: "INDEX\n" });
  t.match(fresh[4], { status: 200, body: "[SECRET\n]\n" });
  t.notMatch(fresh[3]?.body, "OWN");
});

t.test(
  "the user reaches CGI programs and applications, and nothing that the client claims",
  async (t) => {
    const script = await ann().holding("/cgi/env.sh");
    const { body } = await script.get("/cgi/env.sh");
    t.match(body, /^REMOTE_USER=ann$/m);
    t.notMatch(body, /^(?:REDIRECT_)?MOD_TS_(?:POLICY|TICKET_KEY|LINE|COOKIES)=.+$/m);
    t.match((await bob().holding("/cgi/env.sh")).cookies.size, 2);
    const claims = { "remote-user": "root", remote_user: "root", "x-webauth-user": "root" };
    const app = ann();
    await app.holding("/app/x", claims);
    const told = await app.get("/app/x", claims);
    t.match(told.body, '"remote-user","ann"');
    t.match(told.body, '"x-webauth-user","ann"');
    t.notMatch(told.body, /root|mod_ts_ticket/i);
  },
);

t.test(
  "a login service that is told the path decides for the section only if that is said",
  async (t) => {
    const visitor = ann();
    t.match(await visitor.get("/forward/a.txt"), { status: 200, asked: true });
    t.equal(visitor.ticket, undefined);
    const app = await ann().holding("/app-groups/x");
    const told = await app.get("/app-groups/x", { "remote-groups": "root" });
    t.match(told, { asked: false, body: '"remote-groups","staff,admins"' });
    t.notMatch(told.body, "root");
  },
);

t.test("files: tested by httpd, read by no list, and bounded", async (t) => {
  const { mode } = statSync(directory);
  t.equal(mode & 0o7777, 0o710);
  t.equal(statSync(join(directory, "key")).mode & 0o777, 0o600);
  const visitor = await ann().holding("/plain/a.txt");
  const [end = "", owner = ""] = visitor.ticket?.split("/") ?? [];
  const own = join(directory, end, owner);
  t.equal(statSync(own).mode & 0o7777, 0o710);
  for (const name of readdirSync(own)) t.equal(statSync(join(own, name)).mode & 0o777, 0o640);
  const before = count();
  for (let index = 0; index < 60; index += 1)
    await new Visitor(["session", "carl"]).get("/plain/a.txt");
  t.ok(count() - before <= 20, "a client that keeps no cookies");
  for (let index = 0; index < 80; index += 1) {
    await new Visitor(["session", "dora"], ["n", String(index)]).get("/plain/a.txt");
  }
  for (const slot of slots()) {
    for (const name of readdirSync(join(directory, slot))) {
      t.ok(readdirSync(join(directory, slot, name)).length <= 32, "changing cookies");
    }
  }
});

const slots = (): string[] => readdirSync(directory).filter((name) => /^\d{10}$/.test(name));
const count = (): number => Number(modTs("tickets", "count"));

/** The command line, as root or the user of the sidecar. */
function modTs(...args: string[]): string {
  const program = join(import.meta.dirname, "../../src/cli/cli.ts");
  const run = spawnSync(process.execPath, [program, ...args, apache.folder], { encoding: "utf8" });
  if (run.status !== 0) throw new Error(run.stderr);
  return run.stdout;
}

/** Revoked: the very next request is asked. */
async function isAsked(visitor: Visitor, path: string): Promise<boolean> {
  const { asked, status } = await visitor.get(path);
  return asked || status !== 200;
}

t.test("mod-ts tickets revoke", async (t) => {
  const [one, other] = [await ann().holding("/plain/a.txt"), await bob().holding("/plain/a.txt")];
  modTs("tickets", "revoke", "--user", "ann");
  t.ok(await isAsked(one, "/plain/a.txt"), "ann");
  t.notOk(await isAsked(other, "/plain/a.txt"), "bob");
  await one.holding("/plain/a.txt");
  modTs("tickets", "revoke", "--all");
  t.ok(await isAsked(one, "/plain/a.txt"), "ann");
  t.ok(await isAsked(other, "/plain/a.txt"), "bob");
  t.throws(() => modTs("tickets", "revoke"));
});

t.test("a logout ends the tickets of the user, copied cookies included", async (t) => {
  const visitor = new Visitor();
  const page = await visitor.get("/login");
  const token = /name="token" value="([^"]+)"/.exec(page.body)?.[1] ?? "";
  const send = async (fields: Headers): Promise<Reply> => {
    const cookie = Array.from(visitor.cookies, ([name, value]) => `${name}=${value}`).join("; ");
    const headers = { cookie, "content-type": "application/x-www-form-urlencoded" };
    const body = new URLSearchParams(fields).toString();
    return apache.request("/login", { method: "POST", headers, body });
  };
  const welcome = await send({ token, user: "ann", password: "pass" });
  const session = /mod_ts_session=([^;]+)/.exec(welcome.headers["set-cookie"]?.join() ?? "")?.[1];
  visitor.cookies.set("mod_ts_session", session ?? "");
  await visitor.holding("/members/a.txt");
  const account = await visitor.get("/login");
  const out = /name="token" value="([^"]+)"/.exec(account.body)?.[1] ?? "";
  t.equal((await send({ token: out, action: "logout" })).status, 303);
  t.equal((await visitor.get("/members/a.txt")).status, 302, "the copy of the browser before");
});

t.test("a change of users, handlers and imported files ends tickets", async (t) => {
  const authorization = `Basic ${Buffer.from("bob:pass").toString("base64")}`;
  const withPassword = new Visitor();
  await withPassword.holding("/htpasswd/a.txt", { authorization });
  apache.write("users", "ann:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=\n");
  await until(apache.sidecarLog, /users has changed: all tickets have been revoked/);
  t.equal((await withPassword.get("/htpasswd/a.txt", { authorization })).status, 401, "removed");
  const visitor = await ann().holding("/imported/a.txt");
  apache.write("handlers/imported.ts", "export const authenHandler = () => 403;\n");
  await until(apache.sidecarLog, /imported.ts has changed: all tickets have been revoked/);
  t.equal((await visitor.get("/imported/a.txt")).status, 403, "an imported file");
});

t.test("a reload ends all tickets", async (t) => {
  const visitor = await ann().holding("/plain/a.txt");
  modTs("reload");
  t.ok(await isAsked(visitor, "/plain/a.txt"));
  await visitor.holding("/plain/a.txt");
});

/** Starts the sidecar of the folder again; resolves when it answers. */
async function restart(): Promise<ChildProcess> {
  const program = join(import.meta.dirname, "../../src/cli/cli.ts");
  const child = spawn(process.execPath, [program, "start", apache.folder], { stdio: "pipe" });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (log += text));
  t.teardown(() => child.kill("SIGTERM"));
  await until(() => log, /\] ready/);
  return child;
}

t.test("tickets end with the sidecar, however it ends", async (t) => {
  const first = await ann().holding("/plain/a.txt");
  apache.sidecar.kill("SIGKILL");
  await until(() => String(existsSync(directory)), "false");
  t.equal((await first.get("/plain/a.txt")).status, 500, "the workers end them");
  const second = await restart();
  t.match(await first.get("/plain/a.txt"), { status: 200, asked: true });
  const long = await ann().holding("/plain/a.txt");
  const short = await ann().holding("/short/a.txt");
  const end = short.ticket?.slice(0, 10) ?? "";
  const supervisor = second.pid ?? 0;
  // Workers first: without a supervisor they would end the tickets.
  const all = [...childrenOf(supervisor), supervisor];
  for (const pid of all) process.kill(pid, "SIGKILL");
  await haveEnded(all);
  t.match(await long.get("/plain/a.txt"), { status: 200, asked: false }, "without a sidecar");
  for (let status = 200; now() <= end; { status } = await short.get("/short/a.txt")) {
    if (now() < end) t.equal(status, 200, "until it expires");
    await sleep(300);
  }
  t.equal((await short.get("/short/a.txt")).status, 500, "nobody was left to unlink it");
  const third = await restart();
  t.match(await long.get("/plain/a.txt"), { status: 200, asked: true }, "not after a start");
  await long.holding("/plain/a.txt");
  third.kill("SIGTERM");
  await until(() => String(existsSync(directory)), "false");
  t.ok(await isAsked(long, "/plain/a.txt"), "not after a stop");
});

/** Seconds since 1970. */
function now(): string {
  return String(Math.floor(Date.now() / 1000));
}
