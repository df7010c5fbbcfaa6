/** The call back: nobody but the sidecar can make one, and it opens nothing that Apache would keep shut. */
import t from "tap";
import { CallbackTokens } from "../../src/engine/callback-token.ts";
import { originGuard } from "../../src/base/crypto.ts";
import { freePort } from "../../src/httpd/private-server.ts";
import { handlerFile, handlerFiles } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { until } from "../fixtures/until.ts";
import { originDefines, secret, startOrigin } from "../fixtures/origin.ts";

const apache = await startOrigin(t, {
  authorizer: true,
  files: {
    "htdocs/a/page.html": "static",
    "htdocs/a/hello.ts": "export const SOURCE = 1;",
    "htdocs/a/config.php": "<?php $password",
    "htdocs/a/hello.ts~": "export const SOURCE = 1;",
    "htdocs/a/View.TSP.bak": "export const SOURCE = 1;",
    "htdocs/a/mod-ts.config.json": "SOURCE",
    "htdocs/a/notes.tsv": "a table",
    "htdocs/gate/page.html": "behind a gate",
    "htdocs/local/page.html": "for this machine",
    "htdocs/members/page.html": "for members",
    "htdocs/basic/page.html": "for ann",
    ".htpasswd": "ann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n",
  },
  handlers: {
    "gate.ts": handlerFile("open-sesame.ts"),
    ...handlerFiles("origin-trust"),
  },
  conf: `
    <FilesMatch "\\.php$">
      SetHandler application/x-httpd-php
    </FilesMatch>
    <Location "/a">
      Use TsHandler mod_ts/origin
    </Location>
    <Location "/gate">
      Use TsAroundHandler "gate.ts mod_ts/origin"
    </Location>
    <Location "/to">
      Use TsHandler to.ts
    </Location>
    <Location "/local">
      Require local
    </Location>
    <Location "/members">
      Use TsAroundHandler mod_ts/origin
      AuthType mod_ts
      Use TsAuthenHandler users.ts
      Require valid-user
    </Location>
    <Location "/who">
      Use TsHandler who.ts
      AuthType mod_ts
      Use TsAuthenHandler users.ts
      Require valid-user
    </Location>
    <Location "/basic">
      Use TsAroundHandler mod_ts/origin
      AuthType Basic
      AuthName Ann
      AuthUserFile "\${FOLDER}/.htpasswd"
      Require user ann
    </Location>
    # Whoever comes by way of this header is somewhere else.
    RemoteIPInternalProxy 127.0.0.1
  `,
});

const tokens = new CallbackTokens(secret);
const clientHeader = `mod-ts-client-${originGuard(secret)}`;

/** A call back as the sidecar makes it, on behalf of a client of this address. */
function call(
  path: string,
  remoteAddress: string,
  tokenPath = path,
): ReturnType<typeof apache.request> {
  const asked = { method: "GET", path: tokenPath, remoteAddress, scheme: "http" };
  return apache.request(path, {
    headers: {
      host: "localhost",
      [clientHeader]: remoteAddress,
      "Mod-Ts-Origin": tokens.issue({ kind: "pass", depth: 1 }, asked),
    },
  });
}

t.test("a client cannot make one", async (t) => {
  t.equal((await apache.request("/gate/page.html")).status, 403);
  t.equal((await apache.request("/gate/page.html?open")).body, "behind a gate");
  const forged = [
    "pass;1;;" + "0".repeat(40),
    "pass;1;",
    "x",
    "redirect;1;;" + "f".repeat(40),
    ";;;",
  ];
  for (const token of forged) {
    for (const name of ["Mod-Ts-Origin", "mod-ts-origin"]) {
      const reply = await apache.request("/gate/page.html", {
        headers: { host: "x", [name]: token },
      });
      t.equal(reply.status, 403, token);
      t.notMatch(reply.body, /behind/);
    }
    const open = await apache.request("/a/page.html", {
      headers: { host: "x", "Mod-Ts-Origin": token },
    });
    t.equal(open.status, 403, "not even where everybody may look");
  }
  const twice = ["Host", "x", "Mod-Ts-Origin", "pass;1;;", "Mod-Ts-Origin", "0".repeat(40)];
  t.equal((await apache.request("/gate/page.html", { headers: twice })).status, 403);
});

t.test("a token is for one address, one client and this machine", async (t) => {
  t.equal((await call("/gate/page.html", "192.0.2.7")).body, "behind a gate", "the sidecar can");
  t.equal((await call("/gate/page.html", "192.0.2.7", "/a/page.html")).status, 403);
  t.equal((await call("/gate/page.html?x", "192.0.2.7", "/gate/page.html")).status, 403);
  const path = "/gate/page.html";
  const token = tokens.issue(
    { kind: "pass", depth: 1 },
    { method: "GET", path, remoteAddress: "192.0.2.7", scheme: "http" },
  );
  const headers = { host: "x", "Mod-Ts-Origin": token };
  t.equal((await apache.request(path, { headers })).status, 403, "another client");
  const posted = { ...headers, [clientHeader]: "192.0.2.7" };
  t.equal((await apache.request(path, { method: "POST", headers: posted })).status, 403);
  const changed = { ...posted, "Mod-Ts-Origin": token.replace("pass;1", "pass;2") };
  t.equal((await apache.request(path, { headers: changed })).status, 403);
});

t.test("the client stays who it is: Require ip and Require local", async (t) => {
  t.equal((await call("/local/page.html", "192.0.2.7")).status, 403);
  t.equal((await call("/local/page.html", "127.0.0.1")).body, "for this machine");
  const guessed = { host: "x", "Mod-Ts-Client": "127.0.0.1", "Mod-Ts-Client-x": "192.0.2.7" };
  t.equal((await apache.request("/local/page.html", { headers: guessed })).status, 200);
  t.equal((await apache.request("/to?/local/page.html")).body, "for this machine");
});

t.test("sources stay hidden", async (t) => {
  t.equal((await apache.request("/a/hello.ts")).status, 403);
  t.notMatch((await apache.request("/a/hello.ts")).body, /SOURCE/);
  for (const name of ["hello.ts", "hello.ts~", "View.TSP.bak", "mod-ts.config.json"]) {
    const hidden = await call(`/a/${name}`, "192.0.2.7");
    t.equal(hidden.status, 403, name);
    t.notMatch(hidden.body, /SOURCE/, name);
  }
  t.equal((await apache.request("/a/notes.tsv")).body, "a table");
  t.equal((await apache.request("/to?/a/hello.ts")).status, 403);
  const php = await apache.request("/a/config.php");
  t.equal(php.status, 500);
  t.notMatch(php.body, /password/);
  for (const range of ["bytes=0-9", "bytes=-9", "bytes=0-3,8-12"]) {
    const part = await apache.request("/a/config.php", { headers: { host: "x", range } });
    t.equal(part.status, 500, range);
  }
  t.match(
    await until(
      apache.sidecarLog,
      /MODTS_ORIGIN_HIDDEN: .*config\.php withheld; .*Use TsAroundHandler/,
    ),
    /MODTS_ORIGIN_HIDDEN: .*config\.php withheld; .*Use TsAroundHandler/,
  );
});

t.test("access control is asked again, and decides alike", async (t) => {
  const page = (headers: Record<string, string>) =>
    apache.request("/members/page.html", { headers: { host: "x", ...headers } });
  t.equal((await page({})).status, 401);
  t.match(await page({ "x-user": "ann" }), { status: 200, body: "for members" });
  const basic = (path: string, user: string) =>
    apache.request(path, { headers: { host: "x", authorization: `Basic ${btoa(user)}` } });
  t.equal((await basic("/basic/page.html", "ann:wrong")).status, 401);
  t.equal((await basic("/basic/page.html", "ann:secret")).body, "for ann");
  // A handler that sends everybody on opens nothing.
  t.equal((await apache.request("/to?/members/page.html")).status, 401);
  t.equal((await apache.request("/to?/basic/page.html")).status, 401);
  t.equal((await basic("/to?/basic/page.html", "ann:secret")).body, "for ann");
  const who = await apache.request("/to?/who", { headers: { host: "x", "x-user": "bob" } });
  t.match(JSON.parse(who.body), { user: "bob", notes: { asked: /\d/ } });
});

t.test("what the sidecar is refused is a 502 that says why, and serves nothing", async (t) => {
  const right = await freePort("127.0.0.1");
  const other = await freePort("127.0.0.1");
  const plain = await freePort("127.0.0.1");
  const misled = await startApache(t, {
    before: `${originDefines}Listen 127.0.0.1:${right}\nListen 127.0.0.1:${other}\n`,
    files: {
      "htdocs/page.html": "static",
      "other/page.html": "of another site",
      "other/a.cgi": "",
    },
    config: { secret, origin: { url: `http://127.0.0.1:${other}`, requestWorkers: 128 } },
    conf: `
      <VirtualHost *:${other}>
        DocumentRoot "\${FOLDER}/other"
        <Directory "\${FOLDER}/other">
          Require all granted
        </Directory>
      </VirtualHost>
      <Location "/page.html">
        Use TsHandler mod_ts/origin
        <If "%{QUERY_STRING} == 'nobody'">
          Use TsOption mod_ts.origin.apache http://127.0.0.1:${plain}
        </If>
        <If "%{QUERY_STRING} == 'right'">
          Use TsOption mod_ts.origin.apache http://127.0.0.1:${right}
        </If>
      </Location>`,
  });
  t.equal((await misled.request("/page.html?right")).body, "static");
  const wrong = await misled.request("/page.html");
  t.equal(wrong.status, 502);
  t.notMatch(wrong.body, /another/);
  t.match(
    await until(misled.sidecarLog, /MODTS_ORIGIN_REFUSED: .*another virtual host answered/),
    /MODTS_ORIGIN_REFUSED: .*another virtual host answered/,
  );
  t.equal((await misled.request("/page.html?nobody")).status, 502);
});

t.test("a RemoteIPHeader of the administrator's own", async (t) => {
  const conf = `
    RemoteIPHeader X-Forwarded-For
    RemoteIPInternalProxy 127.0.0.1
    <Location "/page.html">
      Use TsHandler mod_ts/origin
      Require ip 192.0.2.7
    </Location>`;
  const files = { "htdocs/page.html": "static" };
  const headers = { host: "x", "x-forwarded-for": "10.0.0.1, 192.0.2.7" };
  const unaware = await startOrigin(t, { conf, files });
  t.equal((await unaware.request("/page.html", { headers })).status, 502);
  t.match(
    await until(
      unaware.sidecarLog,
      /MODTS_ORIGIN_REFUSED: .*status 403; .*no other RemoteIPHeader/,
    ),
    /MODTS_ORIGIN_REFUSED: .*status 403; .*no other RemoteIPHeader/,
  );
  const port = await freePort("127.0.0.1");
  const origin = { url: `http://127.0.0.1:${port}`, clientHeader: "X-Forwarded-For" };
  const aware = await startApache(t, {
    before: `${originDefines}Define MOD_TS_ORIGIN_HEADER X-Forwarded-For\nListen 127.0.0.1:${port}\n`,
    config: { secret, origin },
    conf,
    files,
  });
  t.equal((await aware.request("/page.html", { headers })).body, "static");
  t.equal((await aware.request("/page.html")).status, 403);
});
