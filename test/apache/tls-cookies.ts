/** Cookies of logins, sessions and tickets over TLS: no neighboring host and no page over plain HTTP can set them. */
import { request as httpsRequest } from "node:https";
import t from "tap";
import { freePort } from "../../src/httpd/private-server.ts";
import { createCertificate } from "../fixtures/certificate.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { type Reply, startApache, temporaryFolder } from "../fixtures/httpd.ts";

const secret = "0123456789abcdef";
const port = await freePort("127.0.0.1");
const { cert, key } = createCertificate(temporaryFolder(t), "localhost");

const apache = await startApache(t, {
  authorizer: true,
  modules: ["mod_ssl", "mod_socache_shmcb"],
  before: `Define MOD_TS_SECRET ${secret}`,
  config: { secret },
  conf: `Listen 127.0.0.1:${port}
    <VirtualHost *:${port}>
      SSLEngine on
      SSLCertificateFile "${cert}"
      SSLCertificateKeyFile "${key}"
    </VirtualHost>
    # Apache has a user of its own only where the sidecar was asked for it.
    Header always set X-User "expr=%{REMOTE_USER}" "expr=-n %{REMOTE_USER}"
    Use TsOption mod_ts.login.location /login
    Use TsOption mod_ts.login.store htpasswd
    Use TsOption mod_ts.htpasswd.file users
    <Location "/login">\nUse TsHandler mod_ts/login\n</Location>
    <Location "/members">
      AuthType mod_ts\nUse TsAuthenHandler mod_ts/login\nRequire valid-user
    </Location>
    <Location "/quick">
      AuthType mod_ts\nUse TsAuthenHandler mod_ts/login\nUse TsTicket\nRequire mod_ts_ticket
    </Location>
    <Location "/count">\nUse TsHandler count.ts\n</Location>`,
  files: {
    // ann, with the password "pass".
    users: "ann:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=\n",
    "htdocs/members/a.txt": "SECRET\n",
    "htdocs/quick/a.txt": "SECRET\n",
  },
  handlers: { "count.ts": handlerFile("session-stores-counter.ts") },
});

type Cookies = ReadonlyMap<string, string>;

/** Over TLS. */
function ask(path: string, cookies: Cookies, form?: Record<string, string>): Promise<Reply> {
  const cookie = Array.from(cookies, (pair) => pair.join("=")).join("; ");
  const headers = {
    accept: "text/html",
    ...(cookie && { cookie }),
    ...(form && { "content-type": "application/x-www-form-urlencoded" }),
  };
  const method = form ? "POST" : "GET";
  return new Promise((resolve, reject) => {
    const options = { port, path, method, headers, rejectUnauthorized: false, agent: false };
    const request = httpsRequest({ host: "127.0.0.1", ...options }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
      response.once("error", reject).once("end", () => {
        const { statusCode: status = 0, rawHeaders } = response;
        resolve({ status, headers: response.headers, rawHeaders, body });
      });
    });
    request.once("error", reject).end(form && new URLSearchParams(form).toString());
  });
}

/** The cookies that an answer sets, and how. */
function setBy({ headers }: Reply): { lines: readonly string[]; cookies: Cookies } {
  const lines = headers["set-cookie"] ?? [];
  const pairs = lines.map((line) => /^([^=]+)=([^;]*)/.exec(line)!.slice(1) as [string, string]);
  return { lines, cookies: new Map(pairs) };
}

/** The same values under the names that plain HTTP has. */
function planted(cookies: Cookies): Cookies {
  return new Map(Array.from(cookies, ([name, value]) => [name.replace("__Host-", ""), value]));
}

const hostOnly = /^__Host-\w+=[^;]+;(?=.* Path=\/;)(?=.* Secure(?:;|$))(?!.* Domain=)/;

async function logIn(): Promise<Cookies> {
  const form = setBy(await ask("/login", new Map()));
  const page = await ask("/login", form.cookies);
  const token = /name="token" value="([^"]+)"/.exec(page.body)?.[1] ?? "";
  const fields = { token, action: "login", user: "ann", password: "pass" };
  const { lines, cookies } = setBy(await ask("/login", form.cookies, fields));
  for (const line of [...form.lines, ...lines]) t.match(line, hostOnly);
  t.ok(cookies.has("__Host-mod_ts_session"));
  return cookies;
}

t.test("a login", async (t) => {
  const cookies = await logIn();
  t.match(await ask("/members/a.txt", cookies), { status: 200, body: "SECRET\n" });
  const names = planted(cookies);
  t.equal((await ask("/members/a.txt", names)).status, 302, "set by a neighboring host");
  for (const each of [cookies, names]) {
    const cookie = Array.from(each, (pair) => pair.join("=")).join("; ");
    const plain = await apache.request("/members/a.txt", {
      headers: { cookie, accept: "text/html" },
    });
    t.equal(plain.status === 200, each === names, "plain HTTP has names of its own");
  }
});

t.test("a ticket", async (t) => {
  const login = await logIn();
  const first = await ask("/quick/a.txt", login);
  t.match(first, { status: 200, headers: { "x-user": "ann" } });
  const { lines, cookies } = setBy(first);
  t.same([...cookies.keys()], ["__Host-mod_ts_ticket"]);
  t.match(lines[0], hostOnly);
  const next = await ask("/quick/a.txt", new Map([...login, ...cookies]));
  t.match(next, { status: 200, body: "SECRET\n" });
  t.notOk(next.headers["x-user"], "Apache passes by itself");
  t.equal((await ask("/quick/a.txt", cookies)).status, 302, "no ticket without its login");
  const neighbor = new Map([...planted(login), ...planted(cookies)]);
  t.equal((await ask("/quick/a.txt", neighbor)).status, 302, "set by a neighboring host");
});

t.test("a session", async (t) => {
  const { lines, cookies } = setBy(await ask("/count", new Map()));
  t.match(lines[0], hostOnly);
  const second = await ask("/count", cookies);
  const fresh = await ask("/count", new Map());
  t.not(second.body, fresh.body, "it goes on");
  const other = await ask("/count", planted(cookies));
  t.equal(other.body, fresh.body, "not under the name of plain HTTP");
});
