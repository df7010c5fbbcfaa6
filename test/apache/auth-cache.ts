/** mod_cache, which answers before any access check, keeps nothing that a cookie, a token or a rule let through. */
import { generateKeyPairSync } from "node:crypto";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { SignJWT } from "jose";
import t from "tap";
import { startAuthService } from "../fixtures/auth-service.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const token = await new SignJWT({ sub: "ann" })
  .setProtectedHeader({ alg: "EdDSA" })
  .setAudience("api")
  .setExpirationTime("1h")
  .sign(privateKey);
const service = await startAuthService(t, ({ cookie = "" }) =>
  cookie.includes("session=ann")
    ? { status: 200, headers: { "Remote-User": "ann" } }
    : { status: 401 },
);

const forward = `Use TsOption mod_ts.forward-auth.url ${service.url}\nRequire valid-user`;
const sections: Record<string, string> = {
  forward: `AuthType mod_ts\nUse TsAuthenHandler mod_ts/forward-auth\n${forward}`,
  "forward-access": `AuthType mod_ts\nUse TsAccessHandler mod_ts/forward-auth\n${forward}`,
  jwt: `AuthType mod_ts\nUse TsAuthenHandler mod_ts/jwt\nRequire valid-user
    Use TsOption mod_ts.jwt.key key.pem\nUse TsOption mod_ts.jwt.issuer any
    Use TsOption mod_ts.jwt.audience api\nUse TsOption mod_ts.jwt.cookie token`,
  rule: "AuthType mod_ts\nUse TsAccessHandler guard.ts\nRequire valid-user",
  cookie: "AuthType mod_ts\nUse TsAuthenHandler guard.ts\nRequire valid-user",
  content:
    "AuthType mod_ts\nUse TsAuthenHandler guard.ts\nUse TsHandler guard.ts\nRequire valid-user",
  "rule-public": "AuthType mod_ts\nUse TsAccessHandler guard.ts::open\nRequire valid-user",
  basic: `AuthType Basic\nAuthName "Basic"\nUse TsAuthenHandler guard.ts::basic\nRequire valid-user`,
  file: `AuthType Basic\nAuthName "File"\nAuthUserFile "\${FOLDER}/htpasswd"
    Use TsAuthzHandler guard.ts\nRequire valid-user`,
};

const apache = await startApache(t, {
  authorizer: true,
  modules: ["mod_cache", "mod_cache_disk", "mod_expires"],
  conf: `
    CacheRoot "\${FOLDER}/cache"
    CacheEnable disk /
    CacheHeader On
    ExpiresActive On
    ExpiresDefault A600
    DirectoryIndex a.txt
    <Directory "\${FOLDER}/htdocs">\nRequire all granted\n</Directory>
    <Location "/decided">\nUse TsFixupHandler guard.ts\n</Location>
    <VirtualHost *>\nServerName usual\n</VirtualHost>
    <VirtualHost *>\nServerName late\nCacheQuickHandler Off\n</VirtualHost>
    <VirtualHost *>
      ServerName sections
      CacheDisable /
      <Files "a.txt">\nHeader set X-File yes\n</Files>
    </VirtualHost>
    ${Object.entries(sections)
      .map(([name, lines]) => `<Location "/${name}">\n${lines}\n</Location>`)
      .join("\n")}`,
  files: {
    ...Object.fromEntries(Object.keys(sections).map((name) => [`htdocs/${name}/a.txt`, "SECRET"])),
    "htdocs/plain/a.txt": "for everybody",
    "htdocs/decided/a.txt": "SECRET",
    "cache/README": "",
    "key.pem": String(publicKey.export({ type: "spki", format: "pem" })),
    // ann:pass
    htpasswd: "ann:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=\n",
  },
  handlers: {
    "guard.ts": handlerFile("auth-cache-guard.ts"),
  },
});
chmodSync(join(apache.folder, "cache"), 0o777);

const right = {
  cookie: `session=ann; token=${token}`,
  "x-open": "yes",
  authorization: `Basic ${Buffer.from("ann:pass").toString("base64")}`,
};
const { authorization: _, ...withoutPassword } = right;
const headersFor = (name: string): Record<string, string> =>
  name === "basic" || name === "file" ? right : withoutPassword;

for (const name of Object.keys(sections)) {
  const headers = headersFor(name);
  const isPublic = name === "rule-public";
  t.test(
    `${name}: ${isPublic ? "the handler said so" : "the page stays with its reader"}`,
    async (t) => {
      // mod_cache finds no index file that it has kept itself, with or without a guard.
      for (const path of isPublic ? [`/${name}/a.txt`] : [`/${name}/a.txt`, `/${name}/`]) {
        const first = await apache.request(path, { headers });
        t.match(first, { status: 200, body: "SECRET" }, path);
        const parts = first.headers["cache-control"]?.split(/,\s*/) ?? [];
        t.same(new Set(parts).size, parts.length, `no directive comes twice: ${parts}`);
        t.ok(parts.includes("max-age=600"), "what Apache adds is still there");
        const stranger = await apache.request(path);
        if (isPublic) t.match(stranger, { status: 200, headers: { "x-cache": /^HIT/ } });
        else t.ok(stranger.status >= 400, `${path}: ${stranger.status}`);
      }
    },
  );
}

// httpd does not know the port of <VirtualHost *> in a sub-request.
t.test("guards let their reader see an index file with sections of its own", async (t) => {
  for (const name of Object.keys(sections)) {
    const headers = { ...headersFor(name), host: "sections:8080" };
    t.match(await apache.request(`/${name}/`, { headers }), { status: 200 }, name);
  }
});

t.test("pages without a guard are kept", async (t) => {
  await apache.request("/plain/a.txt");
  t.match(await apache.request("/plain/a.txt"), {
    headers: { "x-cache": /^HIT/, "cache-control": "max-age=600" },
  });
});

for (const host of ["usual", "late"]) {
  t.test(`${host}: what a fixup handler let through is not kept`, async (t) => {
    const open = { host, "x-open": "yes" };
    for (const path of ["/decided/a.txt", "/decided/page"]) {
      t.match(await apache.request(path, { headers: open }), { status: 200 });
      t.match(await apache.request(path, { headers: { host } }), { status: 403 }, path);
      t.notMatch(await apache.request(path, { headers: open }), { headers: { "x-cache": /^HIT/ } });
    }
  });
}

t.test("behind access control, a guard is asked about what is kept", async (t) => {
  const open = { host: "late", "x-open": "yes" };
  await apache.request("/rule-public/a.txt", { headers: open });
  const again = await apache.request("/rule-public/a.txt", { headers: open });
  t.match(again, { status: 200, headers: { "x-cache": /^HIT/ } });
  t.match(await apache.request("/rule-public/a.txt", { headers: { host: "late" } }), {
    status: 403,
  });
});
