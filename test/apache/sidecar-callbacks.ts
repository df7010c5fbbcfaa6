/** Callbacks of a sidecar with a name, in a virtual host of its own, beside those of the main one. */
import { request } from "node:http";
import { writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { text } from "node:stream/consumers";
import t from "tap";
import { originGuard } from "../../src/base/crypto.ts";
import { CallbackTokens } from "../../src/engine/callback-token.ts";
import { freePort } from "../../src/httpd/private-server.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { confFile, startApache, startFurtherSidecar } from "../fixtures/httpd.ts";
import { until } from "../fixtures/until.ts";

const secrets = { main: "the-secret-of-main", blog: "the-secret-of-blog" };
const port = await freePort("127.0.0.1");
const origin = { url: `http://127.0.0.1:${port}` };
const handlers = { "filters.ts": handlerFile("filters.ts"), "who.ts": handlerFile("who.ts") };

const blog = await startFurtherSidecar(t, {
  handlers,
  config: {
    name: "blog",
    secret: secrets.blog,
    pools: { main: { workers: 1 }, admin: { workers: 1 } },
    origin,
  },
});

const added = `
  Use TsAddSidecar blog ${blog.folder}/run ${secrets.blog}
  Use TsAddAuthorizer blog 127.0.0.1:${blog.port}
  Use TsAddPool blog admin`;
const callbacks = `Use TsAddCallbacks blog ${originGuard(secrets.blog)}`;

const before = `
  Listen 127.0.0.1:${port}
  Define MOD_TS_SECRET ${secrets.main}`;

const ofBlog = join(blog.folder, "sections.conf");
writeFileSync(
  ofBlog,
  `
  <Location /filtered/>
    Use TsOutputFilter filters.ts
    Header set X-Client "expr=%{REMOTE_ADDR}"
  </Location>
  <Location /filtered/guarded/>
    AuthType mod_ts
    Use TsAuthenHandler who.ts
    Require valid-user
  </Location>
  <Location /fixed/>
    Use TsInitHandler who.ts::fixupHandler
  </Location>
  <Location /filtered/admin/>
    Use TsInterpreter admin
  </Location>
  <Location /module/>
    AuthType mod_ts
    Use TsModule filters.ts
  </Location>
  <Location /content>
    Use TsHandler who.ts
    Use TsOutputFilter filters.ts::append
  </Location>
`,
);

const hostOfBlog = `
  <VirtualHost *>
    ServerName blog.example
    Use TsSidecarHost blog "${ofBlog}"
  </VirtualHost>`;

const apache = await startApache(t, {
  authorizer: true,
  guards: 1,
  handlers,
  modules: ["mod_proxy_scgi"],
  config: { secret: secrets.main, origin },
  before: `
    ${before}
    Define MOD_TS_ORIGIN ${originGuard(secrets.main)}`,
  files: Object.fromEntries(
    [
      "filtered/a.txt",
      "filtered/admin/a.txt",
      "filtered/guarded/a.txt",
      "fixed/a.txt",
      "filtered/a.ts",
      "module/a.txt",
      "local/a.txt",
    ].map((name) => [`htdocs/${name}`, "page 1"]),
  ),
  conf: `
    ${added}
    ${callbacks}
    <Location /local/>
      Require ip 10.9.9.9
    </Location>
    <VirtualHost *>
      ServerName main.example
      <Location /filtered/>
        Use TsOutputFilter filters.ts::append
      </Location>
    </VirtualHost>
    ${hostOfBlog}
  `,
});

interface Answer {
  status: number;
  body: string;
  client: string | undefined;
  fixedBy: string | undefined;
}

/** From another address of this machine than the sidecars'. */
async function ask(
  host: "main" | "blog",
  path: string,
  headers: Record<string, string> = {},
  method = "GET",
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const outgoing = request({
    host: "127.0.0.1",
    port,
    path,
    method,
    localAddress: "127.0.0.5",
    agent: false,
    headers: { host: `${host}.example`, ...headers },
  });
  outgoing.once("error", reject).once("response", (response) => {
    const { statusCode: status = 0, headers: got } = response;
    text(response).then(
      (body) =>
        resolve({
          status,
          body,
          client: got["x-client"] as string,
          fixedBy: got["x-fixed-by"] as string,
        }),
      reject,
    );
  });
  outgoing.end();
  return promise;
}

/** Headers of a callback, as a sidecar makes it for a client of this address. */
function call(of: "main" | "blog", path: string, client: string): Record<string, string> {
  const asked = { method: "GET", path, remoteAddress: client, scheme: "http" };
  return {
    [`Mod-Ts-Client-${originGuard(secrets[of])}`]: client,
    "Mod-Ts-Origin": new CallbackTokens(secrets[of]).issue({ kind: "pass", depth: 1 }, asked),
  };
}

t.test("filters of each in its own virtual host, for the client that asked", async (t) => {
  const filtered = await ask("blog", "/filtered/a.txt");
  t.match(filtered, { status: 200, body: "page #", client: "127.0.0.5" });
  t.match(await ask("blog", "/filtered/admin/a.txt"), { status: 200, body: "page #" }, "a pool");
  t.match(await ask("blog", "/module/a.txt"), { status: 200, body: /#/ }, "TsModule");
  const guarded = await ask("blog", "/filtered/guarded/a.txt");
  t.match(guarded, { status: 200, body: "page #" }, "behind a guard, which is asked for both");
  const content = await ask("blog", "/content");
  t.match(content, { status: 200, body: /"pool":"main".*\[\/content\]$/ }, "and of its content");
  const main = await ask("main", "/filtered/a.txt");
  t.match(main, { status: 200, body: "page 1[/filtered/a.txt]" });
});

t.test("phases before the content of a POST, which only a callback carries", async (t) => {
  const posted = await ask("blog", "/fixed/a.txt", {}, "POST");
  t.match(posted, { status: 200, body: "page 1", fixedBy: basename(blog.folder) });
});

t.test("no callback shows a source", async (t) => {
  t.equal((await ask("blog", "/filtered/a.ts")).status, 403);
  const forged = await ask("blog", "/filtered/a.ts", call("blog", "/filtered/a.ts", "10.9.9.9"));
  t.equal(forged.status, 403);
});

t.test("callbacks of one are refused in the virtual host of the other", async (t) => {
  const path = "/filtered/a.txt";
  for (const client of ["10.9.9.9", "127.0.0.5"]) {
    const own = await ask("blog", path, call("blog", path, client));
    t.match(own, { status: 200, body: "page 1", client }, "its own: without its filters");
    t.equal((await ask("main", path, call("blog", path, client))).status, 403);
  }
  t.equal((await ask("blog", path, call("main", path, "10.9.9.9"))).status, 403);
  const local = await ask("blog", path, call("main", path, "127.0.0.5"));
  t.match(local, { status: 200, body: "page #" }, "that of main turns no filter of blog off");
});

t.test("attack: it passes for another client, in its own virtual host only", async (t) => {
  const header = { [`Mod-Ts-Client-${originGuard(secrets.blog)}`]: "10.9.9.9" };
  t.equal((await ask("main", "/local/a.txt", header)).status, 403);
  t.equal(
    (await ask("main", "/local/a.txt", call("blog", "/local/a.txt", "10.9.9.9"))).status,
    403,
  );
});

t.test("httpd names mistakes when it reads its configuration", (t) => {
  const include = `Include "${confFile}"\n${added}`;
  const host = `<VirtualHost *>\nServerName x\nUse TsSidecarHost blog "${ofBlog}"\n</VirtualHost>`;
  const mistakes: [string, RegExp][] = [
    [`${callbacks}\nUse TsSidecarHost blog "${ofBlog}"`, /ServerAlias only used in <VirtualHost>/],
    [host, /The sidecar blog has no callbacks here/],
    [`${callbacks}\nUse TsSidecar blog "${ofBlog}"`, /need callbacks to Apache/],
  ];
  for (const [lines, message] of mistakes) {
    t.match(apache.server.reload(`${include}\n${lines}`), message, lines);
  }
  t.end();
});

t.test("callbacks of blog, where main has none", async (t) => {
  const rest = `
    <VirtualHost *>
      ServerName main.example
      # Tells that httpd has read this file.
      Header always set X-Client new
    </VirtualHost>`;
  const settings = `Define FOLDER "${apache.folder}"\nDefine MOD_TS_RUN "${apache.folder}/run"`;
  const include = `Include "${confFile}"`;
  const lines = [settings, before, include, added, callbacks, rest, hostOfBlog, ""];
  t.equal(apache.server.reload(lines.join("\n")), undefined);
  const path = "/filtered/a.txt";
  await until(async () => String((await ask("main", path)).client), "new");
  t.match(await ask("main", path), { status: 200, body: "page 1" });
  t.match(await ask("blog", path), { status: 200, body: "page #" });
  for (const client of ["10.9.9.9", "127.0.0.5"]) {
    t.equal((await ask("main", path, call("blog", path, client))).status, 403);
    t.equal((await ask("blog", path, call("main", path, client))).status, 403);
  }
});
