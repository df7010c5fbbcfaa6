/** `AuthBasicProvider mod_ts`: Apache asks for the password, a handler judges it. */
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { until } from "../fixtures/until.ts";

const provider = `AuthType Basic
  AuthName "Provider"
  Use TsAuthBasicProvider count.ts
  Require valid-user`;

const apache = await startApache(t, {
  authorizer: true,
  modules: ["mod_authn_socache", "mod_socache_shmcb"],
  conf: `<Directory "\${FOLDER}/htdocs">
      Require all granted
    </Directory>
    AuthnCacheSOCache shmcb
    <Location "/plain">
      ${provider}
      AuthBasicProvider mod_ts
    </Location>
    <Location "/cached">
      ${provider}
      AuthBasicProvider socache mod_ts
      AuthnCacheProvideFor mod_ts
    </Location>
    <Location "/only-access">
      AuthType Basic
      AuthName "Provider"
      AuthBasicProvider mod_ts
      Use TsTellAuthorizer
      SetEnvIfExpr "true" MOD_TS_ACCESS=count.ts::yes
      Require valid-user
    </Location>
    <Location "/only-authz">
      AuthType Basic
      AuthName "Provider"
      AuthBasicProvider mod_ts
      Use TsAuthzHandler count.ts::yes
      Require mod_ts
    </Location>
    <Location "/behind-file">
      AuthType Basic
      AuthName "Provider"
      Use TsAuthBasicProviderAmong count.ts "user ann"
      AuthBasicProvider file mod_ts
      AuthUserFile "\${FOLDER}/htpasswd"
      Require valid-user
    </Location>
    <Location "/unnamed">
      ${provider}
      AuthBasicProvider file mod_ts
      AuthUserFile "\${FOLDER}/htpasswd"
    </Location>`,
  files: {
    "htdocs/plain/a.txt": "plain\n",
    "htdocs/cached/a.txt": "cached\n",
    "htdocs/only-access/a.txt": "secret\n",
    "htdocs/only-authz/a.txt": "secret\n",
    "htdocs/behind-file/a.txt": "behind\n",
    "htdocs/unnamed/a.txt": "unnamed\n",
    // ann:pass
    htpasswd: "ann:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=\n",
  },
  handlers: {
    "count.ts": handlerFile("auth-provider-count.ts"),
  },
});

const ask = (path: string, user: string, password = "pass") =>
  apache.request(path, {
    headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` },
  });

t.test("the handler judges the password that Apache asked for", async (t) => {
  t.match(await apache.request("/plain/a.txt"), {
    status: 401,
    headers: { "www-authenticate": 'Basic realm="Provider"' },
  });
  t.match(await ask("/plain/a.txt", "bob", "wrong"), { status: 401 });
  t.match(await ask("/plain/a.txt", "bob"), { status: 200, body: "plain\n" });
  const line = / bob \[.*\/plain\/a\.txt.* 200 /;
  t.match(await until(apache.accessLog, line), line);
});

t.test("one provider among others: first the file, then the handler", async (t) => {
  const before = Number((await ask("/plain/a.txt", "bob")).headers["x-asked"]);
  t.match(await ask("/behind-file/a.txt", "ann"), { status: 200 });
  t.match(await ask("/behind-file/a.txt", "bob"), { status: 200 });
  const after = Number((await ask("/plain/a.txt", "bob")).headers["x-asked"]);
  t.equal(after - before, 2, "ann is in the file, so the handler was asked for bob alone");
  t.match(await ask("/behind-file/a.txt", "ann", "wrong"), { status: 401 });
  t.match(await ask("/unnamed/a.txt", "bob"), { status: 200 });
  t.match(
    await ask("/unnamed/a.txt", "ann"),
    { status: 401 },
    "no answer of the handler proves her",
  );
});

t.test("no other phase can vouch for a password", async (t) => {
  for (const name of ["access", "authz"]) {
    const reply = await ask(`/only-${name}/a.txt`, "root", "anything");
    t.ok(reply.status >= 400, `${name}: ${reply.status}`);
  }
  t.notMatch(apache.accessLog(), / root \[.*\/only-.* 200 /);
});

t.test("mod_authn_socache does no harm, and remembers nothing", async (t) => {
  const first = Number((await ask("/cached/a.txt", "bob")).headers["x-asked"]);
  const second = Number((await ask("/cached/a.txt", "bob")).headers["x-asked"]);
  t.equal(
    second - first,
    1,
    "its cache is filled by the module of a provider, and mod_authnz_fcgi does not",
  );
  t.match(await ask("/cached/a.txt", "bob", "wrong"), { status: 401 });
});
