/** `mod_ts/forward-auth` and `mod_ts/jwt` in front of files, a CGI script, an application behind `ProxyPass`, and a handler. */
import { generateKeyPairSync } from "node:crypto";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { SignJWT } from "jose";
import t from "tap";
import { startAuthService } from "../fixtures/auth-service.ts";
import { startHeaderEcho } from "../fixtures/header-echo.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { until } from "../fixtures/until.ts";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const echo = await startHeaderEcho(t);
const service = await startAuthService(
  t,
  ({ cookie = "", "x-forwarded-uri": uri = "", accept }) => {
    if (cookie.includes("session=slow")) return { status: 200, silent: true };
    if (cookie.includes("session=broken"))
      return { status: 500, headers: { "Remote-User": "ann" } };
    if (!cookie.includes("session=ann")) {
      const location = `https://login.example/?rd=${encodeURIComponent(String(uri))}`;
      return {
        status: 302,
        headers: { Location: location, "Set-Cookie": ["state=1; Secure", "more=2"] },
        body: "<a>",
      };
    }
    if (String(uri).startsWith("/admin"))
      return { status: 403, headers: { "Content-Type": "text/html" }, body: "<p>not you" };
    return {
      status: 200,
      headers: {
        "Remote-User": "ann",
        "Remote-Groups": "staff,admins,dev team",
        "Remote-Email": "ann@example",
        "Set-Cookie": ["session=ann; renewed", "b=2"],
        "X-Internal": String(accept),
      },
    };
  },
);

const apache = await startApache(t, {
  authorizer: true,
  modules: ["mod_cgid"],
  conf: `LimitRequestFieldSize 30000
    ScriptSock "\${FOLDER}/logs/cgisock"
    ProxyPass "/app" "http://127.0.0.1:${echo}"
    <Location "/">
      AuthType mod_ts
      Use TsAuthenHandler mod_ts/forward-auth
      Use TsOption mod_ts.forward-auth.url ${service.url}
      Use TsOption mod_ts.forward-auth.timeout 500
      Require valid-user
    </Location>
    <Location "/cgi">\nOptions +ExecCGI\nSetHandler cgi-script\n</Location>
    <Location "/app">\nUse TsIdentityHeaders\n</Location>
    <Location "/own">\nUse TsHandler own.ts\n</Location>
    <Location "/staff">
      Use TsAuthzHandler mod_ts/forward-auth
      Use TsOption mod_ts.forward-auth.groups staff
    </Location>
    <Location "/devs">
      Use TsAuthzHandler mod_ts/forward-auth
      Use TsOption mod_ts.forward-auth.groups "wheel 'dev team'"
    </Location>
    <Location "/wheel">
      Use TsAuthzHandler mod_ts/forward-auth
      Use TsOption mod_ts.forward-auth.groups "wheel root"
    </Location>
    <Location "/misspelt">\nUse TsOption mod_ts.forward-auth.tiemout 5\n</Location>
    <Location "/api">
      Use TsPassAuthorization
      Use TsAuthenHandler mod_ts/jwt
      Use TsAuthzHandler mod_ts/jwt
      Require valid-user
      Use TsOption mod_ts.jwt.key key.pem
      Use TsOption mod_ts.jwt.issuer any
      Use TsOption mod_ts.jwt.audience api
      Use TsOption mod_ts.jwt.require "scope=read email_verified"
    </Location>`,
  files: {
    "key.pem": publicKey.export({ type: "spki", format: "pem" }) as string,
    "htdocs/cgi/env.sh": handlerFile("env.sh"),
    ...Object.fromEntries(
      ["", "admin/", "staff/", "devs/", "wheel/", "misspelt/", "api/"].map((name) => [
        `htdocs/${name}a.txt`,
        "SECRET FILE\n",
      ]),
    ),
  },
  handlers: {
    "own.ts": handlerFile("forward-auth-own.ts"),
  },
});
chmodSync(join(apache.folder, "htdocs/cgi/env.sh"), 0o755);
await until(apache.sidecarLog, /\bready\b/);

const ann = { cookie: "session=ann" };
const ask = (path: string, headers: Record<string, string> = ann) =>
  apache.request(path, { headers });

t.test("allow: the resource, the renewed cookies, the user in Apache's log", async (t) => {
  const reply = await ask("/a.txt");
  t.match(reply, {
    status: 200,
    body: "SECRET FILE\n",
    headers: { "set-cookie": ["session=ann; renewed", "b=2"], "content-type": "text/plain" },
  });
  t.notOk(reply.headers["x-internal"], "nothing else of the service's answer");
  await until(apache.accessLog, / ann \[.*GET \/a\.txt/);
});

t.test("user and groups, wherever the content comes from", async (t) => {
  const forged = {
    ...ann,
    "Remote-User": "root",
    "Remote-Groups": "wheel",
    Remote_Groups: "wheel",
  };
  const script = (await ask("/cgi/env.sh", forged)).body;
  t.match(script, /^REMOTE_USER=ann$/m);
  t.match(script, /^REMOTE_GROUPS=staff,admins,dev team$/m);
  t.match(script, /^REMOTE_EMAIL=ann@example$/m);
  t.notMatch(script, /^REMOTE_NAME=/m);
  const headers = JSON.parse((await ask("/app/x", forged)).body) as string[];
  const identity = headers.filter((_, index) => headers[index & ~1]?.startsWith("remote"));
  t.strictSame(identity, [
    "remote-user",
    "ann",
    "remote-groups",
    "staff,admins,dev team",
    "remote-email",
    "ann@example",
  ]);
  t.equal((await ask("/own/x", forged)).body, "ann staff,admins,dev team ann@example");
});

t.test("the service is told what Apache knows", async (t) => {
  await ask("/public/..//a%2etxt?x=1", {
    ...ann,
    Host: "wiki.example",
    "X-Forwarded-Uri": "/public",
    "X-Forwarded-For": "192.0.2.1",
    "X-Forwarded-Method": "OPTIONS",
    "X-Original-Url": "http://evil.example/",
    "Remote-User": "root",
  });
  t.match(service.last(), {
    "x-forwarded-uri": "/a.txt?x=1",
    "x-forwarded-host": "wiki.example",
    "x-forwarded-proto": "http",
    "x-forwarded-for": "127.0.0.1",
    "x-forwarded-method": "GET",
    "x-original-url": "http://wiki.example/a.txt?x=1",
    cookie: "session=ann",
    "remote-user": undefined,
  });
});

t.test("deny: a browser is sent to the login, with cookies; a script is told", async (t) => {
  const page = await ask("/a.txt?q=1", { accept: "text/html" });
  t.match(page, {
    status: 302,
    headers: {
      location: "https://login.example/?rd=%2Fa.txt%3Fq%3D1",
      "set-cookie": ["state=1; Secure", "more=2"],
    },
  });
  const script = await ask("/a.txt", { accept: "text/html", "x-requested-with": "XMLHttpRequest" });
  t.match(script, {
    status: 401,
    headers: { "www-authenticate": "Cookie", location: "https://login.example/?rd=%2Fa.txt" },
  });
  for (const { body } of [page, script]) t.notMatch(body, /SECRET/);
  t.match(await ask("/admin/a.txt"), { status: 403, body: /^<p>not you/ });
});

t.test("groups", async (t) => {
  t.match(await ask("/staff/a.txt"), { status: 200, headers: { "cache-control": "private" } });
  t.match(await ask("/devs/a.txt"), { status: 200 });
  t.match(await ask("/wheel/a.txt"), { status: 403 });
});

t.test("the URL of a login that Apache cannot pass on", async (t) => {
  const reply = await ask(`/a.txt?${"%2F".repeat(2000)}`, { accept: "text/html" });
  t.equal(reply.status, 414);
});

t.test("cookies that Apache does not pass on are no endless login", async (t) => {
  for (const [length, status] of [
    [16_368, 200],
    [16_369, 431],
    [28_000, 431],
  ] as const) {
    const cookie = "session=ann; x=".padEnd(length, "y");
    t.equal((await ask("/a.txt", { cookie, accept: "text/html" })).status, status, `${length}`);
  }
  await until(apache.sidecarLog, "MODTS_COOKIES_LOST");
});

t.test("everything else is no pass", async (t) => {
  for (const [path, cookie, status] of [
    ["/a.txt", "session=slow", 503],
    ["/a.txt", "session=broken", 502],
    ["/misspelt/a.txt", "session=ann", 500],
  ] as const) {
    const reply = await ask(path, { cookie });
    t.equal(reply.status, status, `${path} ${cookie}`);
    t.notMatch(reply.body, /SECRET/);
  }
  t.match(
    await until(
      apache.sidecarLog,
      /MODTS_BAD_OPTION: invalid option mod_ts\.forward-auth\.tiemout: /,
    ),
    /MODTS_BAD_OPTION: invalid option mod_ts\.forward-auth\.tiemout: /,
  );
});

t.test("bearer tokens", async (t) => {
  const sign = (claims: Record<string, unknown>): Promise<string> =>
    new SignJWT({ sub: "bot", aud: "api", ...claims })
      .setProtectedHeader({ alg: "EdDSA" })
      .setExpirationTime("1h")
      .sign(privateKey);
  const bearer = async (claims: Record<string, unknown>) =>
    await ask("/api/a.txt", { authorization: `Bearer ${await sign(claims)}` });
  t.match(await bearer({ scope: "read", email_verified: true }), {
    status: 200,
    body: "SECRET FILE\n",
  });
  t.match(await bearer({ scope: "write", email_verified: true }), {
    status: 403,
    headers: { "www-authenticate": /insufficient_scope/ },
  });
  t.match(await bearer({ scope: "read", aud: "other" }), {
    status: 401,
    headers: { "www-authenticate": /^Bearer .*invalid_token/ },
  });
  t.match(await ask("/api/a.txt"), {
    status: 401,
    headers: { "www-authenticate": /^Bearer realm="[^"]+"$/ },
  });
  await until(apache.accessLog, / bot \[.*GET \/api/);
});

t.test("with the service down nobody passes", async (t) => {
  await service.close();
  const reply = await ask("/a.txt");
  t.equal(reply.status, 503);
  t.notMatch(reply.body, /SECRET/);
});
