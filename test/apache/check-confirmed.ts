/** What `mod-ts check` warns of does happen: the mistakes of other modules on a real Apache. */
import { chmodSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { startApache } from "../fixtures/httpd.ts";

const handlers = {
  "guard.ts": `export function authenHandler(req) {
    if (req.headersIn.get("cookie") !== "ann") return 401;
    req.user = "ann";
    return 0;
  }`,
  "hello.ts": `export function handler(req) { req.write(req.method + " by the handler"); }`,
};

const guarded = (path: string, more = ""): string =>
  `<Location "${path}">\nAuthType mod_ts\nUse TsAuthenHandler guard.ts\nRequire valid-user\n${more}\n</Location>`;

const apache = await startApache(t, {
  authorizer: true,
  modules: ["mod_cache", "mod_cache_disk", "mod_dav", "mod_dav_fs"],
  conf: `
    DavLockDB "\${FOLDER}/cache/lock"
    <Directory "\${FOLDER}/htdocs">\nRequire all granted\n</Directory>
    CacheRoot "\${FOLDER}/cache"
    CacheEnable disk "/shared"
    CacheEnable disk "/kept"
    CacheEnable disk "/stored"
    CacheEnable disk "/success"
    CacheHeader On
    <Location "/stored">\nCacheStorePrivate On\n</Location>
    CacheDefaultExpire 600
    RewriteEngine On
    RewriteRule "^/around(.*)" "/files$1" [PT]
    RewriteRule "^/other(.*)" "/files$1"
    Redirect "/moved" "http://other.example/"
    ${guarded("/kept")}
    ${guarded("/stored")}
    ${guarded("/success", 'Header set Cache-Control "max-age=600"')}
    ${guarded("/shared", 'Header always set Cache-Control "max-age=600"')}
    ${guarded("/around")}
    ${guarded("/other")}
    ${guarded("/reports", "ErrorDocument 401 /members/login.html")}
    ${guarded("/members", "ErrorDocument 401 /members/login.html")}
    <Location "/moved">\nUse TsHandler hello.ts\n</Location>
    <Location "/stripped">\nUse TsHandler hello.ts\nRequestHeader unset Mod-Ts-Config\n</Location>
    <Location "/dav">\nUse TsHandler hello.ts\nDav On\n</Location>`,
  files: {
    "htdocs/kept/a.txt": "SECRET",
    "htdocs/shared/a.txt": "SECRET",
    "htdocs/stored/a.txt": "SECRET",
    "htdocs/success/a.txt": "SECRET",
    "htdocs/files/a.txt": "SECRET",
    "htdocs/members/login.html": "PAGE",
    "htdocs/dav/README": "",
    "cache/README": "",
  },
  handlers,
});
chmodSync(join(apache.folder, "cache"), 0o777);
chmodSync(join(apache.folder, "htdocs/dav"), 0o777);

t.test("cache-shares: a page of one user is served to everybody", async (t) => {
  for (const [path, status] of [
    ["/kept/a.txt", 401],
    ["/success/a.txt", 401],
    ["/stored/a.txt", 200],
    ["/shared/a.txt", 200],
  ] as const) {
    const own = await apache.request(path, { headers: { cookie: "ann" } });
    t.equal(own.status, 200, path);
    t.equal((await apache.request(path)).status, status, path);
  }
});

t.test("address-taken: by a rule, and by a redirect", async (t) => {
  t.match(await apache.request("/around/a.txt"), { status: 200, body: "SECRET" });
  t.equal((await apache.request("/other/a.txt")).status, 401, "the address stays");
  t.match(await apache.request("/moved"), { status: 302 });
});

t.test("error-page-refused: the page is shown in its own section only", async (t) => {
  for (const [path, isShown] of [
    ["/members/a.txt", true],
    ["/reports/a.txt", false],
  ] as const) {
    const { status, body } = await apache.request(path);
    t.equal(status, 401, path);
    t.equal(body.includes("PAGE"), isShown, path);
  }
});

t.test("header-ours: no handler runs", async (t) => {
  const reply = await apache.request("/stripped");
  t.not(reply.status, 200);
  t.notMatch(reply.body, "by the handler");
});

t.test("dav-beside-handler: mod_dav takes its methods", async (t) => {
  t.match(await apache.request("/dav/a.txt"), { status: 200, body: "GET by the handler" });
  t.match(await apache.request("/dav/a.txt", { method: "POST" }), { body: "POST by the handler" });
  const put = await apache.request("/dav/a.txt", { method: "PUT", body: "x" });
  t.equal(put.status, 201, put.body);
});
