/** `mod_ts/forward-auth` with LemonLDAP::NG itself: its portal, its handler, its sessions. */
import { chmodSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startHeaderEcho } from "../fixtures/header-echo.ts";
import { type Ask, type Reply, startApache } from "../fixtures/httpd.ts";
import { lemonldapPorts, noLemonldap, startLemonldap } from "../fixtures/lemonldap.ts";
import { until } from "../fixtures/until.ts";

t.test("LemonLDAP::NG", { skip: noLemonldap }, async (t) => {
  const ports = await lemonldapPorts();
  const echo = await startHeaderEcho(t);
  const apache = await startApache(t, {
    authorizer: true,
    modules: ["mod_cgid"],
    conf: `ScriptSock "\${FOLDER}/logs/cgisock"
      <VirtualHost *>
        ServerName auth.example.com
        ProxyPreserveHost On
        RequestHeader unset X-Forwarded-Host early
        ProxyPass "/" "http://127.0.0.1:${ports.portal}/"
      </VirtualHost>
      <VirtualHost *>
        ServerName app.example.com
        ProxyPass "/app" "http://127.0.0.1:${echo}"
        <Location "/">
          AuthType mod_ts
          Use TsAccessHandler mod_ts/forward-auth
          Use TsOption mod_ts.forward-auth.preset lemonldap
          Use TsOption mod_ts.forward-auth.url http://127.0.0.1:${ports.handler}/
          Use TsOption mod_ts.forward-auth.timeout 4500
          Require valid-user
        </Location>
        <Location "/app">
          Use TsIdentityHeaders
          Use TsUnsetSpellings Auth User
          RequestHeader set Auth-User "expr=%{REMOTE_USER}" "expr=-n %{REMOTE_USER}"
        </Location>
        <Location "/timelords">
          Use TsAuthzHandler mod_ts/forward-auth
          Use TsOption mod_ts.forward-auth.groups timelords
        </Location>
        <Location "/cgi">\nOptions +ExecCGI\nSetHandler cgi-script\n</Location>
      </VirtualHost>`,
    files: {
      ...Object.fromEntries(
        ["", "admin/", "public/", "timelords/"].map((name) => [`htdocs/${name}a.txt`, "SECRET\n"]),
      ),
      "htdocs/cgi/env.sh": handlerFile("env.sh"),
    },
  });
  chmodSync(join(apache.folder, "htdocs/cgi/env.sh"), 0o755);
  const [app, auth] = ["app", "auth"].map((name) => `${name}.example.com:${apache.port}`) as [
    string,
    string,
  ];
  const folder = join(apache.folder, "lemonldap");
  await startLemonldap(t, {
    folder,
    ports,
    changes: {
      portal: `http://${auth}/`,
      port: apache.port,
      locationRules: {
        "app.example.com": {
          "^/logout": "logout_sso",
          "^/admin/": "$uid eq 'dwho'",
          "^/public/": "skip",
          default: "accept",
        },
      },
      exportedHeaders: {
        "app.example.com": {
          "Auth-User": "$uid",
          "Auth-Groups": "$groups",
          "Auth-Mail": "$mail",
          "Auth-Cn": "$cn",
        },
      },
    },
  });

  /** A browser with one list of cookies: those of the portal are for the whole domain. */
  class Browser {
    readonly cookies = new Map<string, string>();

    async ask(host: string, path: string, ask: Ask & { headers?: Fields } = {}): Promise<Reply> {
      const cookie = [...this.cookies].map((pair) => pair.join("=")).join("; ");
      const headers = { host, accept: "text/html", ...(cookie && { cookie }), ...ask.headers };
      const reply = await apache.request(path, { ...ask, headers });
      for (const line of reply.headers["set-cookie"] ?? []) {
        const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
        this.cookies.set(name, value);
      }
      return reply;
    }

    get(path: string, headers: Fields = {}): Promise<Reply> {
      return this.ask(app, path, { headers });
    }

    /** Fills in the form of the portal that a redirect has led to. */
    async logIn(location: string, user: string, password: string): Promise<Reply> {
      const { host, pathname, search } = new URL(location);
      const form = await this.ask(host, pathname + search);
      const hidden = form.body.matchAll(
        /<input[^>]*type="hidden" name="(\w+)"(?: value="([^"]*)")?/g,
      );
      const fields = Object.fromEntries(
        Array.from(hidden, ([, name, value = ""]) => [name, value]),
      );
      return this.ask(host, pathname, {
        method: "POST",
        body: new URLSearchParams({ ...fields, user, password }).toString(),
        headers: { "content-type": "application/x-www-form-urlencoded" },
      });
    }
  }

  /** Logged in, on the page that was asked for first. */
  async function loggedIn(user: string): Promise<Browser> {
    const browser = new Browser();
    const { headers } = await browser.get("/a.txt");
    const welcome = await browser.logIn(headers.location ?? "", user, user);
    t.match(welcome, { status: 302, headers: { location: `http://${app}/a.txt` } });
    return browser;
  }

  await t.test("without a session: a browser is led to the portal, a script is told", async (t) => {
    const browser = new Browser();
    const page = await browser.get("/a.txt?x=1&y=%C3%A9");
    t.equal(page.status, 302);
    const { origin, searchParams } = new URL(page.headers.location ?? "");
    t.equal(origin, `http://${auth}`);
    const back = Buffer.from(searchParams.get("url") ?? "", "base64").toString();
    t.equal(back, `http://${app}/a.txt?x=1&y=%C3%A9`);
    const script = await browser.get("/a.txt", { "x-requested-with": "XMLHttpRequest" });
    t.match(script, { status: 401, headers: { location: new RegExp(`^http://${auth}/`) } });
    for (const { body } of [page, script]) t.notMatch(body, "SECRET");
  });

  await t.test("a wrong password opens nothing, the right one leads back", async (t) => {
    const browser = new Browser();
    const { headers } = await browser.get("/a.txt?x=1");
    await browser.logIn(headers.location ?? "", "dwho", "wrong");
    t.equal((await browser.get("/a.txt")).status, 302);
    const welcome = await browser.logIn(headers.location ?? "", "dwho", "dwho");
    t.match(welcome, { status: 302, headers: { location: `http://${app}/a.txt?x=1` } });
    const page = await browser.get("/a.txt?x=1");
    t.match(page, { status: 200, body: "SECRET\n", headers: { "cache-control": "private" } });
    const line = / dwho \[.*"GET \/a\.txt\?x=1 HTTP\/1\.1" 200/;
    t.match(await until(apache.accessLog, line), line);
  });

  await t.test("the user, for a CGI script and for an application", async (t) => {
    const browser = await loggedIn("dwho");
    const script = (await browser.get("/cgi/env.sh")).body;
    t.match(script, /^REMOTE_USER=dwho$/m);
    t.match(script, /^REMOTE_NAME=Doctor Who$/m);
    t.match(script, /^REMOTE_EMAIL=dwho@badwolf\.org$/m);
    const groups = /^REMOTE_GROUPS=(.*)$/m.exec(script)?.[1]?.split(",").toSorted();
    t.same(groups, ["timelords", "users"]);
    const told = JSON.parse((await browser.get("/app/x")).body) as string[];
    t.equal(told[told.indexOf("remote-user") + 1], "dwho");
    t.equal(told[told.indexOf("auth-user") + 1], "dwho");
  });

  await t.test("what a client claims to be", async (t) => {
    const claims = {
      "Remote-User": "root",
      Remote_User: "root",
      "Auth-User": "root",
      Auth_User: "root",
      "Auth-Groups": "timelords",
      "Lm-Remote-User": "root",
      "X-Forwarded-User": "root",
    };
    const places = { "X-Forwarded-Uri": "/public/a.txt", "X-Forwarded-Host": "evil.example.com" };
    const stranger = new Browser();
    t.equal((await stranger.get("/a.txt", { ...claims, ...places })).status, 302);
    stranger.cookies.set("lemonldap", "0".repeat(64));
    t.equal((await stranger.get("/a.txt", claims)).status, 302, "a session that does not exist");
    const browser = await loggedIn("rtyler");
    t.equal((await browser.get("/timelords/a.txt", claims)).status, 403);
    const { body } = await browser.get("/app/x", claims);
    const told = JSON.parse(body) as string[];
    const users = told.filter((_, at) => /^(?:remote|auth).user$/.test(told[at - 1] ?? ""));
    t.same(users, ["rtyler", "rtyler"]);
  });

  await t.test("rules of the portal, and groups", async (t) => {
    const [doctor, rose] = [await loggedIn("dwho"), await loggedIn("rtyler")];
    for (const path of ["/admin/a.txt", "/timelords/a.txt"]) {
      t.match(await doctor.get(path), { status: 200, body: "SECRET\n" }, path);
      const refused = await rose.get(path);
      t.equal(refused.status, 403, path);
      t.notMatch(refused.body, "SECRET");
    }
    for (const path of ["/public/../admin/a.txt", "/public/%2e%2e/admin/a.txt", "//admin/a.txt"]) {
      t.not((await rose.get(path)).status, 200, path);
    }
    t.match(await new Browser().get("/public/a.txt"), { status: 200, body: "SECRET\n" });
  });

  await t.test(
    "after the logout the session opens nothing, a copy of its cookie neither",
    async (t) => {
      const browser = await loggedIn("dwho");
      const thief = new Browser();
      thief.cookies.set("lemonldap", browser.cookies.get("lemonldap") ?? "");
      t.equal((await thief.get("/a.txt")).status, 200);
      const out = await browser.get("/logout");
      t.equal(out.status, 302);
      const { origin, pathname, search, searchParams } = new URL(out.headers.location ?? "");
      t.same([origin, searchParams.get("logout")], [`http://${auth}`, "1"]);
      await browser.ask(auth, pathname + search);
      for (const each of [browser, thief]) t.equal((await each.get("/a.txt")).status, 302);
    },
  );
});

type Fields = Record<string, string>;
