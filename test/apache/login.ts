/** `mod_ts/login`: a form and a session in front of static files. */
import { existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { type Ask, type Reply, startApache } from "../fixtures/httpd.ts";
import { until } from "../fixtures/until.ts";

// {SHA} of "secret": no time is lost with hashing here.
const users = "john:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\nann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n";
const page = (name: string, more = ""): string =>
  `<Location "/${name}">\nUse TsOption mod_ts.login.location /${name}\nUse TsHandler mod_ts/login\n${more}\nRequire all granted\n</Location>`;
const guarded = (name: string, login: string, more = ""): string =>
  `<Location "/${name}">\nAuthType mod_ts\nUse TsAuthenHandler mod_ts/login
  Use TsOption mod_ts.login.location /${login}\n${more}\nRequire valid-user\n</Location>`;

const apache = await startApache(t, {
  authorizer: true,
  conf: `<Directory "\${FOLDER}/htdocs">\nRequire all granted\nDirectoryIndex index.html\n</Directory>
    Use TsOption mod_ts.login.store htpasswd
    Use TsOption mod_ts.htpasswd.file users
    Use TsOption mod_ts.login.title "Members <only>"
    ${page("login")}\n${page("other-login")}
    ${page("limited", "Use TsOption mod_ts.login.attempts 3")}
    <Location "/tls-login">
      Use TsOption mod_ts.login.secure on\nUse TsOption mod_ts.login.location /tls-login\nUse TsHandler mod_ts/login
    </Location>
    <Location "/short">
      Use TsHandler mod_ts/login\nUse TsOption mod_ts.login.location /short\nUse TsOption mod_ts.login.key_file short-key
    </Location>
    ${guarded("members", "login")}\n${guarded("others", "other-login")}
    ${guarded("inside", "inside/login")}\n${guarded("evil", "/evil.example")}
    ${guarded("nostore", "login", "Use TsNoOption mod_ts.login.store")}`,
  files: {
    users,
    "short-key": "0123456789",
    "htdocs/members/index.html": "the members\n",
    ...Object.fromEntries(
      ["members", "others", "inside", "evil", "nostore"].map((name) => [
        `htdocs/${name}/a.txt`,
        `${name}\n`,
      ]),
    ),
  },
});

/** A browser that keeps cookies. */
class Browser {
  readonly cookies = new Map<string, string>();

  async ask(path: string, ask: Ask & { headers?: Record<string, string> } = {}): Promise<Reply> {
    const cookie = [...this.cookies].map((pair) => pair.join("=")).join("; ");
    const headers = { accept: "text/html", ...(cookie && { cookie }), ...ask.headers };
    const reply = await apache.request(path, { ...ask, headers });
    for (const line of reply.headers["set-cookie"] ?? []) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === "") this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return reply;
  }

  post(
    path: string,
    fields: Record<string, string>,
    headers: Record<string, string> = {},
  ): Promise<Reply> {
    const type = "application/x-www-form-urlencoded";
    const body = new URLSearchParams(fields).toString();
    return this.ask(path, { method: "POST", body, headers: { "content-type": type, ...headers } });
  }

  /** The token of the form at a path. */
  async token(path: string): Promise<string> {
    return /name="token" value="([^"]+)"/.exec((await this.ask(path)).body)?.[1] ?? "";
  }

  async logIn(path = "/login", fields: Record<string, string> = {}): Promise<Reply> {
    const token = await this.token(path);
    return this.post(path, { token, action: "login", user: "john", password: "secret", ...fields });
  }
}

const sessionIn = (reply: Reply): string =>
  reply.headers["set-cookie"]?.find((line) => /mod_ts_session=/.test(line)) ?? "";

t.test("from the page to the form and back", async (t) => {
  const browser = new Browser();
  const refused = await browser.ask("/members/a.txt?q=1&r=%C3%A4%20");
  t.match(refused, {
    status: 302,
    headers: { "cache-control": "no-store", "content-type": /^text\/html/ },
  });
  const login = String(refused.headers.location);
  t.equal(login, `/login?return=${encodeURIComponent("/members/a.txt?q=1&r=%C3%A4%20")}`);
  const form = await browser.ask(login);
  t.match(form, {
    status: 200,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "x-frame-options": "DENY",
      "content-security-policy": /frame-ancestors 'none'/,
    },
  });
  t.match(form.body, "<h1>Members &lt;only&gt;</h1>");
  t.match(
    form.headers["set-cookie"]?.[0],
    /^mod_ts_form=[0-9a-f]{32}; Path=\/; HttpOnly; SameSite=Lax$/,
  );
  const back = /name="return" value="([^"]+)"/.exec(form.body)?.[1]?.replaceAll("&amp;", "&") ?? "";
  const done = await browser.logIn("/login", { return: back });
  t.match(done, { status: 303, headers: { location: "/members/a.txt?q=1&r=%C3%A4%20" } });
  t.match(sessionIn(done), /^mod_ts_session=[\w.-]+; Path=\/; HttpOnly; SameSite=Lax$/);
  const reply = await browser.ask("/members/a.txt");
  t.match(reply, { status: 200, body: "members\n", headers: { "cache-control": "private" } });
  t.notOk(reply.headers["set-cookie"], "a fresh session needs no new cookie");
  t.match(await browser.ask("/members/"), { status: 200, body: "the members\n" });
  const line = / john \[.*"GET \/members\/a\.txt HTTP\/1\.1" 200/;
  t.match(await until(apache.accessLog, line), line);
  t.match(await browser.ask("/login?return=/members/"), {
    body: /logged in as <strong>john<.*href="\/members\/"/s,
  });
});

t.test("what is no page view is told 401, and no browser opens a dialog", async (t) => {
  const browser = new Browser();
  for (const headers of [
    { accept: "application/json" },
    { "x-requested-with": "XMLHttpRequest" },
    { "sec-fetch-mode": "no-cors" },
    { "sec-fetch-mode": "cors" },
  ] as Record<string, string>[]) {
    const reply = await browser.ask("/members/a.txt", { headers });
    t.match(reply, { status: 401, headers: { "content-type": "application/json" } });
    t.match(reply.headers["www-authenticate"], /^Cookie /);
    t.strictSame(JSON.parse(reply.body), { error: "login required", login: "/login" });
  }
  const reply = await browser.post("/members/a.txt", { a: "1" });
  t.match(reply, { status: 401, body: /what you sent was not taken/ });
  t.match(reply.headers["www-authenticate"], /^Cookie /);
});

t.test("a wrong password shows the form again", async (t) => {
  const browser = new Browser();
  const reply = await browser.logIn("/login", {
    user: '"><b>',
    password: "wrong",
    return: "/members/",
  });
  t.match(reply, { status: 403, body: /role="alert">User name or password is wrong/ });
  t.match(reply.body, 'value="&quot;&gt;&lt;b&gt;"');
  t.match(reply.body, 'name="return" value="/members/"');
  t.notOk(sessionIn(reply));
  for (const fields of [
    { user: "" },
    { password: "" },
    { user: "jo\nhn" },
    { user: "JOHN" },
  ] as Record<string, string>[]) {
    t.equal((await browser.logIn("/login", fields)).status, 403, JSON.stringify(fields));
  }
});

t.test("a form of somebody else's does nothing", async (t) => {
  const fields = { action: "login", user: "john", password: "secret" };
  const browser = new Browser();
  const token = await browser.token("/login");
  t.equal((await browser.post("/login", fields)).status, 403, "no token");
  t.equal((await browser.post("/login", { ...fields, token: `${token}x` })).status, 403);
  t.equal((await new Browser().post("/login", { ...fields, token })).status, 403, "no cookie");
  const victim = new Browser();
  await victim.token("/login");
  t.equal(
    (await victim.post("/login", { ...fields, token })).status,
    403,
    "another browser's token",
  );
  const other = await browser.token("/other-login");
  t.equal(
    (await browser.post("/login", { ...fields, token: other })).status,
    403,
    "another page's token",
  );
  const crossSite = { "sec-fetch-site": "cross-site" };
  t.equal((await browser.post("/login", { ...fields, token }, crossSite)).status, 403);
  t.equal((await browser.post("/login", { ...fields, token })).status, 303);
  t.equal(
    (await browser.post("/login", { action: "logout" })).status,
    403,
    "logged out by a stranger",
  );
  t.equal((await browser.ask("/members/a.txt")).status, 200);
});

t.test("logging out ends the session, not only the cookie", async (t) => {
  const browser = new Browser();
  await browser.logIn();
  const thief = new Browser();
  thief.cookies.set("mod_ts_session", browser.cookies.get("mod_ts_session") ?? "");
  t.equal((await thief.ask("/members/a.txt")).status, 200);
  const token = await browser.token("/login");
  const reply = await browser.post("/login", { action: "logout", token });
  t.match(reply, { status: 303, headers: { location: "/login" } });
  t.match(sessionIn(reply), /Max-Age=0/);
  t.equal((await browser.ask("/members/a.txt")).status, 302);
  t.equal((await thief.ask("/members/a.txt")).status, 302, "the copy is worth nothing any more");
  t.equal(readdirSync(join(apache.folder, "run/ended-sessions")).length, 1);
});

async function withCookie(value: string, path = "/members/a.txt"): Promise<number> {
  return (await apache.request(path, { headers: { cookie: `mod_ts_session=${value}` } })).status;
}

t.test("cookies that we did not make, or not for this", async (t) => {
  const browser = new Browser();
  await browser.logIn();
  const cookie = browser.cookies.get("mod_ts_session") ?? "";
  const [payload = "", mac = ""] = cookie.split(".");
  const forged = Buffer.from(Buffer.from(payload, "base64url").toString().replace("john", "ann!"));
  t.equal(await withCookie(cookie), 200);
  for (const value of [
    "",
    ".",
    payload,
    `${payload}.`,
    `${payload}.${mac.slice(1)}`,
    `.${mac}`,
    `${forged.toString("base64url")}.${mac}`,
    `${cookie}.${mac}`,
    browser.cookies.get("mod_ts_form") ?? "",
    await browser.token("/other-login"),
  ]) {
    t.equal(await withCookie(value), 302, value);
  }
  t.equal(await withCookie(cookie, "/others/a.txt"), 302, "another login page's session");
  t.equal(
    await withCookie(`x; mod_ts_session=${cookie}`),
    200,
    "a planted one beside it does no harm",
  );
});

t.test("a changed password or a removed user ends the sessions", async (t) => {
  const browser = new Browser();
  await browser.logIn("/login", { user: "ann" });
  t.equal((await browser.ask("/members/a.txt")).status, 200);
  writeFileSync(join(apache.folder, "users"), users.replace("ann:{SHA}5e", "ann:{SHA}6e"));
  t.equal((await browser.ask("/members/a.txt")).status, 302);
  writeFileSync(join(apache.folder, "users"), users);
  t.equal((await browser.ask("/members/a.txt")).status, 200);
  writeFileSync(join(apache.folder, "users"), users.replace(/^ann.*\n/m, ""));
  t.equal((await browser.ask("/members/a.txt")).status, 302);
  writeFileSync(join(apache.folder, "users"), users);
});

t.test("the way back leads nowhere else", async (t) => {
  for (const path of [
    "//evil.example/",
    "/\\evil.example",
    "https://evil.example/",
    "/\t/evil.example",
    "javascript:x",
    "",
  ]) {
    const browser = new Browser();
    const form = await browser.ask(`/login?return=${encodeURIComponent(path)}`);
    t.notMatch(form.body, "evil");
    const reply = await browser.logIn("/login", { return: path });
    t.match(reply, { status: 303, headers: { location: "/login" } }, JSON.stringify(path));
  }
});

t.test("guessing is slowed down, by user and by address", async (t) => {
  const statuses: number[] = [];
  const browser = new Browser();
  for (let tries = 0; tries < 4; tries += 1) {
    statuses.push((await browser.logIn("/limited", { password: `${tries}` })).status);
  }
  t.strictSame(statuses, [403, 403, 403, 429]);
  const late = await browser.logIn("/limited");
  t.match(late, { status: 429, body: /Too many attempts/ }, "the right one comes too late");
  const seconds = Number(late.headers["retry-after"]);
  t.ok(seconds > 30 && seconds <= 60, `${seconds} s`);
  t.equal((await browser.logIn("/limited", { user: "ann" })).status, 303, "others log in");
  let last = 0;
  for (let tries = 0; tries < 15 && last !== 429; tries += 1) {
    last = (await new Browser().logIn("/limited", { user: `user${tries}` })).status;
  }
  t.equal(last, 429, "one address with many names");
});

t.test("with TLS the cookies are for TLS and this host alone", async (t) => {
  const browser = new Browser();
  const reply = await browser.logIn("/tls-login");
  t.match(
    sessionIn(reply),
    /^__Host-mod_ts_session=[\w.-]+; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
  );
});

t.test("forms that are none", async (t) => {
  const browser = new Browser();
  t.equal(
    (
      await browser.ask("/login", {
        method: "POST",
        body: "{}",
        headers: { "content-type": "application/json" },
      })
    ).status,
    415,
  );
  t.equal((await browser.post("/login", { user: "x".repeat(9000) })).status, 413);
  t.match(await browser.ask("/login", { method: "PUT", body: "x" }), {
    status: 405,
    headers: { allow: "GET, HEAD, POST" },
  });
  t.equal((await browser.ask("/login", { method: "HEAD" })).status, 200);
});

t.test("mistakes in the configuration let nobody in", async (t) => {
  const browser = new Browser();
  for (const [path, message] of [
    ["/inside/login", "the page lies inside the section it guards"],
    ["/evil/a.txt", "mod_ts.login.location: expected a path"],
    ["/nostore/a.txt", "mod_ts.login.store: missing"],
    ["/short", "short-key cannot be used: "],
  ] as const) {
    const reply = await browser.ask(path);
    t.equal(reply.status, 500, path);
    t.match(await until(apache.sidecarLog, message), message);
  }
});

t.test("the key is for the sidecar alone, and a new one ends all sessions", async (t) => {
  const browser = new Browser();
  await browser.logIn();
  const file = join(apache.folder, "run/login.key");
  t.ok(existsSync(file));
  t.equal(statSync(file).mode & 0o777, 0o600);
  t.equal((await browser.ask("/members/a.txt")).status, 200);
  writeFileSync(file, `${"0123456789abcdef".repeat(4)}\n`);
  t.equal((await browser.ask("/members/a.txt")).status, 302);
  t.equal((await browser.logIn()).status, 303);
  t.equal((await browser.ask("/members/a.txt")).status, 200);
});
