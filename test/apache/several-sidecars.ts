/**
 * Two sidecars behind one httpd, each with its run directory, secret, authorizer and decider; as
 * root also with a user of its own.
 */
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import t from "tap";
import { forgeRequests } from "../fixtures/forged.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { confFile, startApache, startFurtherSidecar } from "../fixtures/httpd.ts";
import { until } from "../fixtures/until.ts";
import { type Attempt, attemptAs, createUser, runAs } from "../fixtures/users.ts";

const cli = join(import.meta.dirname, "../../src/cli/cli.ts");

const users = { main: createUser(t, "main"), blog: createUser(t, "blog") };
const secrets = { main: "the-secret-of-main", blog: "the-secret-of-blog" };
const handlers = {
  "who.ts": handlerFile("who.ts"),
  "log.ts": handlerFile("access-log.ts"),
};
const log = { level: "info", format: "text" } as const;

const blog = await startFurtherSidecar(t, {
  handlers,
  user: users.blog,
  config: {
    name: "blog",
    secret: secrets.blog,
    pools: { main: { workers: 1 }, admin: { workers: 1 } },
    accessLog: "access.json",
    log,
  },
});

const guard = (macro = "TsAuthenHandler"): string => `
  AuthType mod_ts
  Use ${macro} who.ts
  Require valid-user`;

const added = `
  Use TsAddSidecar blog ${blog.folder}/run ${secrets.blog}
  Use TsAddAuthorizer blog 127.0.0.1:${blog.port}
  Use TsAddPool blog admin
  Use TsAddAccessLog blog ${blog.folder}/access.json`;

const htaccess = (handler: string): string => `SetHandler "%{reqenv:MOD_TS_BACKEND}"
RequestHeader append Mod-Ts-Config "\\thandler ${handler}"
`;

const ofBlog = join(blog.folder, "sections.conf");
writeFileSync(
  ofBlog,
  `
  <Location /blog/hello>
    Use TsHandler who.ts
  </Location>
  <Location /blog/hello/admin>
    Use TsInterpreter admin
  </Location>
  <Location /blog/guarded/>
    ${guard()}
  </Location>
  <Location /blog/ticket/>
    ${guard().replace("valid-user", "mod_ts_ticket")}
    Use TsTicket
    Use TsOption mod_ts.ticket.scope section
  </Location>
  <Location /blog/authz/>
    AuthType mod_ts
    Use TsAuthenHandler who.ts
    Use TsAuthzHandler who.ts
    <RequireAll>
      Require valid-user
      Require mod_ts-blog
    </RequireAll>
  </Location>
  <Location /blog/fixed/>
    Use TsFixupHandler who.ts
  </Location>
  <Directory "\${FOLDER}/htdocs/blog/people">
    AllowOverride FileInfo
    Use TsHtaccess
  </Directory>
  <Location /blog/logged/>
    Use TsLogHandler log.ts
  </Location>
  <Location /main/content>
    Use TsHandler who.ts
  </Location>
  # Handlers of both for one request.
  <Location /both/blog/>
    ${guard()}
  </Location>
  <Location /fixed/blog/>
    Use TsFixupHandler who.ts
  </Location>
  <Location /guarded-by-main/fixed/>
    Use TsFixupHandler who.ts
  </Location>
  <Location /wrong-provider/>
    AuthType mod_ts
    Use TsAuthenHandler who.ts
    Use TsAuthzHandler who.ts
    Require mod_ts
  </Location>
`,
);

const ofHost = join(blog.folder, "host.conf");
writeFileSync(
  ofHost,
  `
  <Location />
    Use TsHandler who.ts
    Use TsInitHandler who.ts::fixupHandler
  </Location>
`,
);

const apache = await startApache(t, {
  authorizer: true,
  guards: 1,
  modules: ["mod_proxy_scgi"],
  handlers,
  user: users.main,
  config: { secret: secrets.main, accessLog: "logs/access.json", log },
  before: `
    Define MOD_TS_SECRET ${secrets.main}
    Define MOD_TS_ACCESS_LOG "\${FOLDER}/logs/access.json"`,
  files: {
    "htdocs/blog/people/ann/.htaccess": htaccess("@blog who.ts"),
    "htdocs/blog/people/bob/.htaccess": htaccess("who.ts"),
    ...Object.fromEntries(
      [
        "main/a.txt",
        "both/blog/a.txt",
        "blog/guarded/a.txt",
        "blog/ticket/a.txt",
        "ticket/a.txt",
        "blog/authz/a.txt",
        "blog/fixed/a.txt",
        "blog/logged/a.txt",
        "logged/a.txt",
        "fixed/a.txt",
        "fixed/blog/a.txt",
        "guarded-by-main/fixed/a.txt",
        "wrong-provider/a.txt",
        "later/guarded/a.txt",
      ].map((name) => [`htdocs/${name}`, name]),
    ),
  },
  conf: `
    ${added}
    <Location /hello>
      Use TsHandler who.ts
    </Location>
    <Location /logged/>
      Use TsLogHandler log.ts
    </Location>
    <Location /main/>
      ${guard()}
    </Location>
    <Location /guarded-by-main/>
      ${guard()}
    </Location>
    <Location /both/>
      ${guard("TsAccessHandler")}
    </Location>
    <Location /ticket/>
      ${guard().replace("valid-user", "mod_ts_ticket")}
      Use TsTicket
      Use TsOption mod_ts.ticket.scope section
    </Location>
    <Location /fixed/>
      Use TsFixupHandler who.ts
    </Location>
    Use TsSidecar blog "${ofBlog}"
    <VirtualHost *>
      ServerName main.example
    </VirtualHost>
    <VirtualHost *>
      ServerName blog.example
      Use TsSidecar blog "${ofHost}"
    </VirtualHost>
    # Read after the files, so these are of main again.
    <Location /later/content>
      Use TsHandler who.ts
    </Location>
    <Location /later/guarded/>
      Use TsNoHandler
      ${guard()}
    </Location>
  `,
});

const placeOf = { main: basename(apache.folder), blog: basename(blog.folder) };
const answers = async (path: string): Promise<unknown> => {
  const { status, body } = await apache.request(path);
  return status === 200 ? (JSON.parse(body) as unknown) : status;
};

t.test("content comes from the sidecar of the file that its section is in", async (t) => {
  t.match(await answers("/hello"), { place: placeOf.main, pool: "main" });
  t.match(await answers("/later/content"), { place: placeOf.main }, "a section behind the file");
  t.match(await answers("/blog/hello"), { place: placeOf.blog, pool: "main" });
  t.match(await answers("/blog/hello/admin"), { place: placeOf.blog, pool: "admin" });
});

t.test("an .htaccess file names the sidecar of its section", async (t) => {
  t.match(await answers("/blog/people/ann/any"), { place: placeOf.blog, pool: "main" });
  t.equal(await answers("/blog/people/bob/any"), 500, "one that names none is refused");
});

t.test("a virtual host is one of the sidecar that it names", async (t) => {
  const ask = (path: string, host: string) => apache.request(path, { headers: { Host: host } });
  const own = await ask("/any", "blog.example");
  t.match(own, { status: 200, headers: { "x-fixed-by": placeOf.blog } });
  t.match(JSON.parse(own.body), { place: placeOf.blog });
  const inherited = await ask("/hello", "blog.example");
  t.match(JSON.parse(inherited.body), { place: placeOf.blog }, "its section is the inner one");
  const other = await ask("/hello", "main.example");
  t.match(JSON.parse(other.body), { place: placeOf.main });
});

t.test("log handlers of each hear what Apache serves in its own sections", async (t) => {
  for (const path of ["/blog/logged/a.txt", "/logged/a.txt", "/blog/logged/none", "/logged/none"]) {
    await apache.request(path);
  }
  const seenBy = (folder: string) => async (): Promise<string> => {
    const lines = await readFile(join(folder, "seen.txt"), "utf8").catch(() => "");
    const entries = lines.split("\n").filter(Boolean);
    return entries.map((line) => (JSON.parse(line) as { uri: string }).uri).join(" ");
  };
  await until(seenBy(blog.folder), /^\/blog\/logged\/a\.txt \/blog\/logged\/none$/);
  await until(seenBy(apache.folder), /^\/logged\/a\.txt \/logged\/none$/);
  t.pass("and nothing of the other one");
});

t.test("httpd names mistakes when it reads its configuration", (t) => {
  const nested = join(blog.folder, "nested.conf");
  writeFileSync(nested, `Use TsSidecar blog ${ofHost}`);
  const filtered = join(blog.folder, "filtered.conf");
  writeFileSync(filtered, "<Location /x>\n  Use TsOutputFilter log.ts\n</Location>\n");
  const mistakes: [string, RegExp][] = [
    [`Use TsSidecar blog ${filtered}`, /need callbacks to Apache, which the sidecar blog does not/],
    [`Use TsSidecar shop ${ofHost}`, /There is no sidecar shop/],
    [`Use TsSidecar blog ${nested}`, /stands in the file of the sidecar blog/],
    [`Use TsAddSidecar blog /run/x ${secrets.blog}`, /this name is taken/],
  ];
  for (const [line, message] of mistakes) {
    t.match(apache.server.reload(`Include "${confFile}"\n${added}\n${line}`), message, line);
  }
  t.end();
});

t.test("guards ask their own sidecar only", async (t) => {
  const seen = () => [apache.sidecarLog().length, blog.sidecarLog().length] as const;
  const asked = ([main, other]: readonly [number, number]): string[] =>
    [apache.sidecarLog().slice(main), blog.sidecarLog().slice(other)].map((text) =>
      [...text.matchAll(/\] (\w+ of \S+)/g)].map(([, call]) => call).join(),
    );
  let before = seen();
  t.match(await apache.request("/main/a.txt"), { status: 200, body: "main/a.txt" });
  t.match(await apache.request("/later/guarded/a.txt"), { status: 200 });
  await until(apache.sidecarLog, "authen of /later/guarded/a.txt");
  t.same(asked(before), ["authen of /main/a.txt,authen of /later/guarded/a.txt", ""]);
  before = seen();
  t.match(await apache.request("/blog/guarded/a.txt"), { status: 200, body: "blog/guarded/a.txt" });
  t.match(await apache.request("/blog/authz/a.txt"), { status: 200 });
  await until(blog.sidecarLog, "authz of /blog/authz/a.txt");
  const [main, other] = asked(before);
  t.equal(main, "", "main is not asked about what blog guards");
  t.match(other, /authen of \/blog\/guarded.*authz of \/blog\/authz/);
});

t.test("a guard of main may stand before content of the other one", async (t) => {
  const seen = { place: placeOf.blog, user: placeOf.main };
  t.match(await answers("/main/content"), seen, "the user is the one that main named");
});

t.test("the decider of each runs its own phases", async (t) => {
  const main = await apache.request("/fixed/a.txt");
  t.match(main, { status: 200, body: "fixed/a.txt", headers: { "x-fixed-by": placeOf.main } });
  const other = await apache.request("/blog/fixed/a.txt");
  t.match(other, {
    status: 200,
    body: "blog/fixed/a.txt",
    headers: { "x-fixed-by": placeOf.blog },
  });
});

t.test("handlers of two sidecars for one request are refused", async (t) => {
  for (const path of ["/both/blog/a.txt", "/fixed/blog/a.txt", "/guarded-by-main/fixed/a.txt"]) {
    const { status, body } = await apache.request(path);
    t.ok(status >= 500, `${path}: ${status}`);
    t.notMatch(body, "a.txt", "the file is not sent");
  }
  const { status } = await apache.request("/wrong-provider/a.txt");
  t.ok(status >= 400, `a provider of main does not decide for blog: ${status}`);
});

t.test("tickets of one are nothing to the other", async (t) => {
  const first = await apache.request("/blog/ticket/a.txt");
  const cookie = first.headers["set-cookie"]?.find((line) => line.includes("mod_ts_ticket="));
  t.equal(first.status, 200);
  const pair = cookie?.split(";")[0] ?? "";
  t.match(pair, /mod_ts_ticket=./, "the first answer brings a ticket");
  const before = blog.sidecarLog().length;
  const again = await apache.request("/blog/ticket/a.txt", { headers: { Cookie: pair } });
  t.match(again, { status: 200, body: "blog/ticket/a.txt" });
  t.notMatch(blog.sidecarLog().slice(before), "authen of", "Apache asks nobody");
  const main = apache.sidecarLog().length;
  const other = await apache.request("/ticket/a.txt", { headers: { Cookie: pair } });
  t.match(other, { status: 200, body: "ticket/a.txt" });
  const asked = await until(() => apache.sidecarLog().slice(main), "authen of /ticket/a.txt");
  t.match(asked, "authen of /ticket/a.txt", "main is asked all the same");
});

const skip = users.blog ? {} : { skip: "only root has several users" };

t.test("the user of one reads, changes and signals nothing of the other", skip, async (t) => {
  const run = join(apache.folder, "run");
  const pid = Number(readFileSync(join(run, "mod-ts.pid"), "utf8").split("\n")[0]);
  const attempts: Attempt[] = [
    ["readFileSync", join(apache.folder, "mod-ts.config.json")],
    ["readFileSync", join(apache.folder, "httpd.conf")],
    ["readFileSync", `/proc/${pid}/environ`],
    ["readFileSync", join(run, "tickets/key")],
    ["readdirSync", join(run, "tickets")],
    ["readdirSync", join(run, "versions")],
    // There is none where NODE_COMPILE_CACHE names another place.
    ...[join(run, "code")].filter(existsSync).map((path): Attempt => ["readdirSync", path]),
    ["writeFileSync", join(run, "new"), ""],
    ["writeFileSync", join(run, "mod-ts.pid"), ""],
    ["unlinkSync", join(run, "main.sock")],
    ["chmodSync", join(run, "main.sock"), 0o666],
    ["send", { path: join(run, ".control") }, ""],
    ...["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGTERM"].map((name): Attempt => ["kill", pid, name]),
  ];
  const results = attemptAs(users.blog!, attempts);
  for (const [index, attempt] of attempts.entries())
    t.match(results[index], /^(?:EACCES|EPERM)$/, attempt.join(" "));
  const before = apache.sidecarLog().length;
  for (const command of ["reload", "upgrade", "status"]) {
    const printed = runAs(users.blog!, [cli, command, apache.folder]);
    t.match(printed, /MODTS_CONFIG.*EACCES: permission denied/, command);
  }
  t.match(await answers("/hello"), { place: placeOf.main });
  t.notMatch(apache.sidecarLog().slice(before), /SIG|reload|generation|upgrade/);
});

t.test("the secret of one opens nothing of the other", skip, (t) => {
  const run = join(apache.folder, "run");
  const [, port] = /listening on 127\.0\.0\.1:(\d+)/.exec(apache.sidecarLog()) ?? [];
  const answersTo = (secret: string): string[] =>
    attemptAs(users.blog!, forgeRequests(secret, run, Number(port)));
  const [content, decision, check] = answersTo(secrets.blog);
  t.match(content, /^HTTP\/1\.1 403 /);
  t.match(decision, /^Status: 403/);
  t.match(check, /Status: 403/);
  const granted = answersTo(secrets.main);
  t.match(granted[0], /^HTTP\/1\.1 200 /, "with the right secret all would be answered");
  t.notMatch(granted[1], /403|500/);
  t.match(granted[2], /Status: 200/);
  t.end();
});

t.test("while one is stopped, the other serves", async (t) => {
  blog.sidecar.kill("SIGTERM");
  await once(blog.sidecar, "exit");
  t.equal(await answers("/blog/hello"), 503, "content of the stopped one");
  t.equal((await apache.request("/blog/guarded/a.txt")).status, 503, "its guards");
  t.equal((await apache.request("/blog/fixed/a.txt")).status, 503, "its phases");
  t.match(await answers("/hello"), { place: placeOf.main });
  t.match(await apache.request("/main/a.txt"), { status: 200, body: "main/a.txt" });
  t.match(await apache.request("/fixed/a.txt"), { status: 200 });
});
