/** Attacks on the form of `mod_ts/login`: ways to other sites, scripts in fields, forged cookies, guesses. */
import t from "tap";
import { type Reply, startApache } from "../fixtures/httpd.ts";

const users = "john:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\nann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n";
const page = (name: string, more = ""): string => `<Location "/${name}">
    Use TsHandler mod_ts/login
    Use TsOption mod_ts.login.location /${name}
    ${more}
  </Location>`;
const apache = await startApache(t, {
  authorizer: true,
  conf: `
    Use TsOption mod_ts.login.store htpasswd
    Use TsOption mod_ts.htpasswd.file users
    ${page("login", "Use TsOption mod_ts.login.attempts 1000")}
    ${page("limited", "Use TsOption mod_ts.login.attempts 3")}
    <Location "/members">
      AuthType mod_ts
      Use TsAuthenHandler mod_ts/login
      Use TsOption mod_ts.login.location /login
      Require valid-user
    </Location>`,
  files: { users, "htdocs/members/a.txt": "the secret\n" },
});
const origin = `http://127.0.0.1:${apache.port}`;

class Browser {
  readonly cookies = new Map<string, string>();

  async ask(
    path: string,
    fields?: Record<string, string>,
    more: Record<string, string> = {},
  ): Promise<Reply> {
    const cookie = Array.from(this.cookies, (pair) => pair.join("=")).join("; ");
    const headers = { accept: "text/html", ...(cookie && { cookie }), ...more };
    const type = { "content-type": "application/x-www-form-urlencoded" };
    const reply = await apache.request(
      path,
      fields
        ? {
            method: "POST",
            headers: { ...type, ...headers },
            body: new URLSearchParams(fields).toString(),
          }
        : { headers },
    );
    for (const line of reply.headers["set-cookie"] ?? []) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === "") this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return reply;
  }

  async token(path = "/login"): Promise<string> {
    return /name="token" value="([^"]+)"/.exec((await this.ask(path)).body)?.[1] ?? "";
  }

  async logIn(more: Record<string, string> = {}, path = "/login", headers = {}): Promise<Reply> {
    const token = await this.token(path);
    const fields = { token, action: "login", user: "john", password: "secret", ...more };
    return this.ask(path, fields, headers);
  }
}

/** Addresses of other sites and of nothing, as return addresses. */
const elsewhere = [
  "http://evil.example/",
  "https://evil.example",
  "//evil.example/",
  "///evil.example/",
  "////evil.example/",
  "/\\evil.example/",
  "\\\\evil.example/",
  "\\/evil.example/",
  "/\\/evil.example/",
  "/\t/evil.example/",
  "/\n/evil.example/",
  "/\r/evil.example/",
  "\t//evil.example/",
  " //evil.example/",
  "\u0000//evil.example/",
  "/%09/evil.example/",
  "/.//evil.example/",
  "/..//evil.example/",
  "/x/..//evil.example/",
  "/%2e//evil.example/",
  "/;//evil.example/",
  "/?//evil.example/",
  "http:evil.example",
  "http:/evil.example",
  "http:\\\\evil.example",
  "HTTP://evil.example",
  "javascript:alert(1)",
  "JaVaScRiPt:alert(1)",
  "\u0001javascript:alert(1)",
  "data:text/html,<script>alert(1)</script>",
  "vbscript:x",
  "file:///etc/passwd",
  "ftp://evil.example/",
  "@evil.example/",
  "/@evil.example/",
  ".evil.example/",
  ":80@evil.example/",
  "evil.example",
  "?//evil.example",
  "#//evil.example",
  "/\u2028/evil.example/",
  "/\uff0fevil.example/",
  "\u3002evil.example/",
  "/x\r\nLocation: http://evil.example/",
  "/x\r\n\r\n<script>alert(1)</script>",
  "",
  "/".repeat(900),
  `/${"x".repeat(20_000)}`.slice(0, 6000),
];

t.test("no return address leads to another site", async (t) => {
  for (const back of elsewhere) {
    const name = encodeURIComponent(back.slice(0, 40));
    const browser = new Browser();
    const form = await browser.ask(`/login?return=${encodeURIComponent(back)}`);
    t.notMatch(form.body, /<script>alert|value="(?:http|\/\/|javascript)/i, name);
    const reply = await browser.logIn({ return: back });
    t.equal(reply.status, 303, name);
    const { location = "" } = reply.headers;
    t.equal(new URL(location, `${origin}/login`).origin, origin, `${name}: ${location}`);
    t.notMatch(location, /[\r\n\\]|^\/[\t/\\]/, name);
    t.equal(reply.headers["set-cookie"]?.length, 1, name);
  }
  const right = await new Browser().logIn({ return: "/members/a.txt?x=//y" });
  t.equal(right.headers.location, "/members/a.txt?x=//y");
});

t.test("what fields contain is text on the page", async (t) => {
  const scripts = [
    '"><script>alert(1)</script>',
    "'><img src=x onerror=alert(1)>",
    "</form><script>alert(1)</script>",
    "\u0000<script>alert(1)</script>",
    "javascript:alert(1)//",
    "{{constructor.constructor('alert(1)')()}}",
    '" autofocus onfocus="alert(1)',
    "&quot;><script>alert(1)</script>",
  ];
  for (const script of scripts) {
    for (const field of ["user", "return", "password", "token", "action", "x"]) {
      const { body, headers } = await new Browser().logIn({ password: "wrong", [field]: script });
      t.notMatch(
        body,
        /<script>alert|<img src=x|" (?:autofocus )?onfocus=/,
        `${field} ${encodeURIComponent(script)}`,
      );
      if (body) t.match(headers["content-security-policy"], /default-src 'none'|script-src/);
    }
  }
});

t.test("cookies that are no sessions", async (t) => {
  const john = new Browser();
  await john.logIn();
  const session = john.cookies.get("mod_ts_session") ?? "";
  const [payload = "", mac = ""] = session.split(".");
  const json = Buffer.from(payload, "base64url").toString();
  const forge = (text: string): string => `${Buffer.from(text).toString("base64url")}.${mac}`;
  const statusOf = async (cookie: string): Promise<number> => {
    const headers = { cookie, accept: "text/html" };
    return (await apache.request("/members/a.txt", { headers })).status;
  };
  t.equal(await statusOf(`mod_ts_session=${session}`), 200);
  const forged = [
    "",
    ".",
    "..",
    payload,
    `${payload}.`,
    `.${mac}`,
    `${payload}.${mac}A`,
    `${payload}.${mac.slice(0, -1)}`,
    `${payload}.${mac.toUpperCase()}`,
    `${payload}.${"A".repeat(mac.length)}`,
    `${payload}=.${mac}`,
    `${payload}.${mac}.${mac}`,
    `${payload}${payload}.${mac}`,
    `${mac}.${payload}`,
    forge(json.replace("john", "ann")),
    forge(json.replaceAll(/\d{9,}/g, "9999999999")),
    forge("{}"),
    forge("null"),
    forge('{"user":"john"}'),
    forge(`${json} `),
    "x".repeat(7000),
    `${payload.slice(0, 4)}%00${payload.slice(4)}.${mac}`,
    `"${session}"x`,
    john.cookies.get("mod_ts_form") ?? "form",
  ];
  for (const value of forged) t.equal(await statusOf(`mod_ts_session=${value}`), 302, value);
  for (const name of [
    "mod_ts_sessio",
    "Mod_ts_session",
    "__Host-mod_ts_session",
    "mod_ts_session ",
  ]) {
    const status = await statusOf(`${name}=${session}`);
    // Spaces around a name do not belong to it (RFC 6265, section 5.2).
    t.equal(status, name.endsWith(" ") ? 200 : 302, name);
  }
  const planted = Array.from({ length: 10 }, () => `mod_ts_session=${forged[14]}`).join("; ");
  t.equal(await statusOf(`${planted}; mod_ts_session=${session}`), 302, "behind ten planted ones");
  t.equal(await statusOf(`mod_ts_session=${session}; ${planted}`), 200, "before them");
});

t.test("a form of another site does nothing", async (t) => {
  const browser = new Browser();
  const token = await browser.token();
  const fields = { action: "login", user: "john", password: "secret", token };
  for (const site of ["cross-site", "same-site"]) {
    t.equal((await browser.ask("/login", fields, { "sec-fetch-site": site })).status, 403, site);
  }
  for (const wrong of ["", "x", token.slice(1), `${token}0`, token.toUpperCase()]) {
    if (wrong === token) continue;
    t.equal((await browser.ask("/login", { ...fields, token: wrong })).status, 403, wrong);
  }
  t.equal((await new Browser().ask("/login", fields)).status, 403, "another browser");
  t.equal((await browser.ask(`/login?${new URLSearchParams(fields)}`)).status, 200, "by GET");
  t.notOk(browser.cookies.has("mod_ts_session"));
  t.equal((await browser.ask("/login", fields, { "sec-fetch-site": "same-origin" })).status, 303);
  const out = { action: "logout", token };
  t.equal((await browser.ask("/login", out)).status, 403, "the token of the form before");
  t.equal((await browser.ask("/members/a.txt")).status, 200, "still logged in");
});

t.test("guesses: no header and no spelling makes a new client or user", async (t) => {
  const claims = ["x-forwarded-for", "x-real-ip", "forwarded", "true-client-ip", "via"];
  const statuses: number[] = [];
  for (let at = 0; at < 8; at += 1) {
    const headers = { [claims[at % claims.length] as string]: `192.0.2.${at}` };
    const guess = { password: `wrong${at}` };
    statuses.push((await new Browser().logIn(guess, "/limited", headers)).status);
  }
  t.same(statuses, [403, 403, 403, 429, 429, 429, 429, 429]);
  for (const user of ["JOHN", "john ", " john", "john\u0000", "john\n", "j\u200bohn", "John"]) {
    const { status } = await new Browser().logIn({ user }, "/limited");
    t.ok(status === 403 || status === 429, `${encodeURIComponent(user)}: ${status}`);
  }
  t.equal((await new Browser().logIn({}, "/limited")).status, 429, "the right one comes too late");
});
