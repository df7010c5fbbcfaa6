/** What a `TsAuthzHandler` answers where another module has established the user. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { type Reply, startApache } from "../fixtures/httpd.ts";
import { until } from "../fixtures/until.ts";

const asked: string[] = [];
const app = createServer((request, response) => {
  asked.push(request.url ?? "");
  response.end("the application");
}).listen(0, "127.0.0.1");
await once(app, "listening");
t.teardown(() => app.close());
const backend = `http://127.0.0.1:${(app.address() as AddressInfo).port}`;

const authz = `AuthType Basic\nAuthName "File"\nAuthUserFile "\${FOLDER}/htpasswd"
  Use TsAuthzHandler rights.ts`;
const exact = `${authz}\nUse TsRefusals\nRequire valid-user`;

const hosts: Record<string, string> = {
  plain: "",
  whole: `<Location "/">\n${exact}\n</Location>`,
  content: `<Location "/">\n${exact}\nUse TsHandler rights.ts::content\n</Location>`,
  proxied: `<Location "/">\nProxyPass ${backend}/\n${exact}\n</Location>`,
  excluded: `<Location "/">\nProxyPass ${backend}/\n${exact}\n</Location>
    <Location "/mod-ts-refusal">\nProxyPass !\n</Location>`,
};

const apache = await startApache(t, {
  authorizer: true,
  config: { secret: "0123456789abcdef" },
  before: "Define MOD_TS_SECRET 0123456789abcdef",
  modules: ["mod_rewrite"],
  conf: `
    ErrorDocument 403 /errors/403.html
    <Location "/lost">\n${authz}\nRequire valid-user\n</Location>
    <Location "/exact">\n${exact}\n</Location>
    <Location "/any">
      ${authz}\nUse TsRefusals
      <RequireAny>\nRequire mod_ts\nRequire user carol\n</RequireAny>
    </Location>
    <Directory "\${FOLDER}/htdocs">
      RewriteEngine On
      RewriteCond %{REQUEST_FILENAME} !-f
      RewriteRule . /front.html [L]
    </Directory>
    ${Object.entries(hosts)
      .map(([name, lines]) => `<VirtualHost *>\nServerName ${name}\n${lines}\n</VirtualHost>`)
      .join("\n")}`,
  files: {
    "htdocs/lost/a.txt": "a\n",
    "htdocs/exact/a.txt": "a\n",
    "htdocs/any/a.txt": "a\n",
    "htdocs/front.html": "front controller",
    "htdocs/errors/403.html": "page of the administrator",
    htpasswd: ["ann", "carol"]
      .map((name) => `${name}:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=\n`)
      .join(""),
  },
  handlers: { "rights.ts": handlerFile("auth-refusals.ts") },
});

const ask = (path: string, { user = "ann", host = "plain", method = "GET" } = {}): Promise<Reply> =>
  apache.request(path, {
    method,
    headers: { host, authorization: `Basic ${Buffer.from(`${user}:pass`).toString("base64")}` },
  });

t.test("refusals arrive as the handler gave them", async (t) => {
  for (const [host, place] of [
    ["plain", "/exact/a.txt"],
    ["whole", "/exact/a.txt"],
    ["whole", "/nowhere"],
    ["content", "/a"],
    ["excluded", "/x"],
  ] as const) {
    await t.test(`${host}${place}`, async (t) => {
      t.match(await ask(`${place}?page`, { host }), {
        status: 403,
        body: "Only editors may read this: häß",
        headers: { "content-type": "text/plain; charset=utf-8", "x-why": "rights" },
      });
      t.match(await ask(`${place}?type`, { host }), {
        status: 410,
        body: '{"gone":true}',
        headers: { "content-type": "application/problem+json" },
      });
      t.match(await ask(`${place}?redirect`, { host }), {
        status: 303,
        headers: { location: "/ask-for-access?page=%2Fx", "set-cookie": ["a=1", "b=2"] },
      });
      t.equal((await ask(`${place}?gone`, { host })).status, 410);
      const long = await ask(`${place}?long`, { host });
      t.match(long, { status: 403, body: "x".repeat(7_900) });
      t.notOk("mod-ts-refusal" in long.headers, "the sealed refusal stays inside");
      t.equal((await ask(`${place}?page`, { host, method: "POST" })).status, 403);
    });
  }
});

t.test("a 403 without a body has the ErrorDocument of the administrator", async (t) => {
  for (const place of ["/lost/a.txt", "/exact/a.txt"]) {
    t.match(await ask(`${place}?plain`), { status: 403, body: "page of the administrator" }, place);
  }
});

t.test("who may pass, passes; who is unknown, is asked; a failure is a 500", async (t) => {
  t.match(await ask("/exact/a.txt"), { status: 200, body: "a\n" });
  t.match(await ask("/any/a.txt?declines", { user: "carol" }), { status: 200, body: "a\n" });
  t.equal((await ask("/any/a.txt?declines")).status, 403);
  t.match(await apache.request("/exact/a.txt?page"), {
    status: 401,
    headers: { "www-authenticate": 'Basic realm="File"' },
  });
  const failed = await ask("/exact/a.txt?fails");
  t.equal(failed.status, 500);
  t.notMatch(failed.body, /of the handler/);
});

t.test("without the macro the client gets a 403, and the log says what is lost", async (t) => {
  t.match(await ask("/lost/a.txt?redirect"), { status: 403, body: "page of the administrator" });
  await until(apache.sidecarLog, /\(303\).*Use TsRefusals/);
});

t.test("a refused request never reaches the application behind ProxyPass", async (t) => {
  t.match(await ask("/x", { host: "proxied" }), { status: 200, body: "the application" });
  const before = asked.length;
  for (const kind of ["page", "redirect", "gone"]) {
    const reply = await ask(`/x?${kind}`, { host: "proxied" });
    t.equal(reply.status, 500, kind);
    t.notMatch(reply.body, /the application/, kind);
  }
  t.equal(asked.length, before, "not even with the address of the ErrorDocument");
});

t.test("the address of the ErrorDocument tells nothing to others", async (t) => {
  for (const headers of [{}, { "Mod-Ts-Refusal": "x" }, { "Mod-Ts-Env": "MOD_TS_REFUSAL=eA==" }]) {
    t.equal((await apache.request("/mod-ts-refusal", { headers })).status, 404);
  }
});
