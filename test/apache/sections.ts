// Every macro in every place where a section may stand, and the ways by which a request reaches it.
import { connect } from "node:net";
import t from "tap";
import { freePort } from "../../src/httpd/private-server.ts";
import { defaultModules } from "../../src/httpd/server-root.ts";
import { createEchoBackend, type EchoBackend } from "../fixtures/echo-backend.ts";
import { startEcho } from "../fixtures/httpd.ts";

const lines = (backend: EchoBackend): string[] => backend.last().all("mod-ts-config");

const field = (backend: EchoBackend, index: number): string =>
  Buffer.from(backend.last().context[index] ?? "", "base64").toString();

t.test("the macros", async (t) => {
  const apache = await startEcho(t, {
    pools: ["admin"],
    conf: `
      Use TsPool admin
      <Location /all>
        Use TsHandler "a.ts b.ts::name"
        Use TsInitHandler init.ts
        Use TsHeaderParserHandler headerparser.ts
        Use TsTypeHandler type.ts
        Use TsFixupHandler fixup.ts
        Use TsLogHandler log.ts
        Use TsCleanupHandler cleanup.ts
        Use TsOption key "two words"
        Use TsDebug On
        Use TsInterpreter admin
        SetEnvIf Host . GREETING=hé;llo
        Use TsPassEnv GREETING
        Use TsPassEnv MISSING
        Use TsSslVariables
      </Location>
      <Location /quoting>
        Use TsHandler a.ts
        Use TsOption percent "50%% off, %%{REQUEST_URI}"
        Use TsOption quote "say \\\\\\"hi\\\\\\""
        Use TsOption backslash "C:\\\\\\\\\\\\\\\\new"
        Use TsOption single "it's; $9 #5 | <>"
        Use TsOption utf8 "häß→"
        <If "true">
          Use TsNoOption single
        </If>
      </Location>
      <Location /errors>
        Use TsHandler a.ts
        Use TsErrorDocument
        ErrorDocument 404 "from Apache"
      </Location>
    `,
  });
  await apache.request("/all");
  const seen = apache.pools["admin"]?.last();
  t.strictSame(seen?.all("mod-ts-config"), [
    "handler a.ts b.ts::name",
    "init init.ts",
    "headerparser headerparser.ts",
    "type type.ts",
    "fixup fixup.ts",
    "log log.ts",
    "cleanup cleanup.ts",
    "option key two words",
    "debug On",
    "interpreter admin",
  ]);
  t.strictSame(seen?.all("mod-ts-env"), [`GREETING=${Buffer.from("hé;llo").toString("base64")}`]);

  await apache.request("/quoting");
  const sent = lines(apache.backend).map((line) => Buffer.from(line, "latin1").toString());
  t.strictSame(sent, [
    "handler a.ts",
    "option percent 50% off, %{REQUEST_URI}",
    'option quote say "hi"',
    "option backslash C:\\new",
    "option single it's; $9 #5 | <>",
    "option utf8 häß→",
    "option single",
  ]);

  t.equal((await apache.request("/errors?status=404")).body, "from Apache");
  t.match((await apache.request("/all?status=404")).body, /^echo /);
});

t.test("the context", async (t) => {
  const apache = await startEcho(t, {
    files: {
      "htdocs/app/file.txt": "text",
      ".htpasswd": "alice:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n",
    },
    conf: `
      Alias "/alias" "\${FOLDER}/htdocs/app"
      ServerAdmin admin@example.org
      SetEnvIf Host . MOD_TS_NOTES=notes
      <Location ~ "^/(app|alias)">
        Use TsHandler a.ts
        AuthType Basic
        AuthName x
        AuthUserFile "\${FOLDER}/.htpasswd"
        Require valid-user
      </Location>
    `,
  });
  const target = "/alias/file.txt/more;a%2Fb?x=%20;y";
  await apache.request(target, {
    headers: {
      host: "example.org:81",
      authorization: `Basic ${btoa("alice:secret")}`,
      connection: "x-y",
    },
  });
  t.equal(apache.backend.seen.length, 0, "AllowEncodedSlashes is httpd's own business: 404");
  await apache.request(target.replace("%2F", "%3B"), {
    headers: {
      host: "example.org:81",
      authorization: `Basic ${btoa("alice:secret")}`,
      connection: "x-y",
    },
  });
  const { context } = apache.backend.last();
  t.equal(context.length, 29);
  t.equal(context[0], "2");
  t.equal(context[1], "", "no time without a secret");
  t.strictSame(context.slice(2, 5), ["http", "81", "127.0.0.1"]);
  t.match(context[5], /^\d+$/);
  t.equal(context[6], "127.0.0.1");
  t.match(context[7], /^[\w@-]{20,}$/);
  t.equal(context[8], "HTTP/1.1");
  const decoded = context.slice(9, -3).map((text) => Buffer.from(text, "base64").toString());
  t.strictSame(decoded, [
    "GET /alias/file.txt/more;a%3Bb?x=%20;y HTTP/1.1",
    `${apache.folder}/htdocs/app/file.txt`,
    "/more;a;b",
    "/alias/file.txt/more;a;b",
    "x=%20;y",
    "alice",
    "Basic",
    "example.org",
    `${apache.folder}/htdocs`,
    "text/plain",
    "x-y",
    "/alias",
    `${apache.folder}/htdocs/app`,
    "admin@example.org",
    decoded[14],
    "notes",
    "",
  ]);
  t.match(decoded[14], /^Apache\/2/);
  t.strictSame(context.slice(-3), ["", "", "false"], "no ErrorDocument, no sub-request");
  t.equal(apache.backend.last().all("host")[0], "example.org:81");
  t.strictSame(apache.backend.last().all("x-forwarded-for"), []);
});

t.test("sections and their merging", async (t) => {
  const apache = await startEcho(t, {
    files: {
      "htdocs/app/page.html": "text",
      "htdocs/app/sub/x.html": "text",
      "htdocs/app/sub/x.css": "style",
    },
    conf: `
      <Directory "\${FOLDER}/htdocs/app">
        Use TsHandler outer.ts
        Use TsOption a outer
      </Directory>
      <Directory "\${FOLDER}/htdocs/app/sub">
        Use TsOption a inner
        <Files "*.css">
          Use TsNoHandler
        </Files>
      </Directory>
      <FilesMatch "^special">
        Use TsHandler special.ts
      </FilesMatch>
      <Location /app/sub/loc>
        Use TsHandler location.ts
      </Location>
      <If "%{QUERY_STRING} == 'if'">
        Use TsHandler if.ts
      </If>
    `,
  });
  await apache.request("/app/page.html");
  t.strictSame(lines(apache.backend), ["handler outer.ts", "option a outer"]);
  await apache.request("/app/sub/x.html");
  t.strictSame(lines(apache.backend), ["handler outer.ts", "option a outer", "option a inner"]);
  await apache.request("/special");
  t.strictSame(lines(apache.backend), ["handler special.ts"]);
  await apache.request("/app/sub/loc/1");
  t.strictSame(lines(apache.backend).slice(-1), ["handler location.ts"]);
  await apache.request("/anything?if");
  t.strictSame(lines(apache.backend), ["handler if.ts"]);
  t.equal((await apache.request("/app/sub/x.css")).body, "style");
});

const indexConf = `
  <Location /dir>
    Use TsHandler dir.ts
  </Location>
  DirectoryIndex index.tsp
  <Directory "\${FOLDER}/htdocs">
    <Files "*.tsp">
      Use TsHandler mod_ts/pages
      Use TsOption o 1
    </Files>
  </Directory>
  <Directory "\${FOLDER}/htdocs/fall">
    FallbackResource /front/index.tsp
  </Directory>
`;
const indexFiles = {
  "htdocs/sub/index.tsp": "page",
  "htdocs/front/index.tsp": "page",
  "htdocs/fall/x": "x",
  "htdocs/dir/x": "x",
};

t.test("DirectoryIndex and FallbackResource", async (t) => {
  const apache = await startEcho(t, { conf: indexConf, files: indexFiles });
  t.equal((await apache.request("/sub/?q=1")).status, 200);
  t.strictSame(lines(apache.backend), ["handler mod_ts/pages", "option o 1"]);
  t.equal(apache.backend.last().all("mod-ts-context").length, 1);
  t.equal(field(apache.backend, 9), "GET /sub/?q=1 HTTP/1.1");
  t.equal(field(apache.backend, 10), `${apache.folder}/htdocs/sub/index.tsp`);
  t.equal((await apache.request("/fall/deep/link")).status, 200);
  t.strictSame(lines(apache.backend), ["handler mod_ts/pages", "option o 1"]);
  t.equal(field(apache.backend, 9), "GET /fall/deep/link HTTP/1.1");
  t.equal((await apache.request("/dir/")).status, 200, "a folder whose handler is the section's");
});

t.test(
  "with mod_headers loaded before mod_dir, DirectoryIndex comes without context",
  async (t) => {
    const modules = ["mod_headers", ...defaultModules.filter((name) => name !== "mod_headers")];
    const apache = await startEcho(t, {
      conf: indexConf,
      files: indexFiles,
      modules,
      modulesOnly: true,
    });
    t.equal((await apache.request("/sub/index.tsp")).status, 200);
    t.equal((await apache.request("/sub/")).status, 403, "refused, never run without its options");
  },
);

t.test("connections to the sidecar are kept", async (t) => {
  const apache = await startEcho(t, {
    conf: "<Location /x>\nUse TsHandler a.ts\n</Location>",
  });
  for (let count = 0; count < 5; count += 1) await apache.request("/x");
  t.strictSame(
    apache.backend.seen.map(({ connection }) => connection),
    [1, 1, 1, 1, 1],
  );
});

t.test("a sidecar that comes back is used at once", async (t) => {
  const apache = await startEcho(t, {
    conf: "<Location /x>\nUse TsHandler a.ts\n</Location>",
  });
  t.equal((await apache.request("/x")).status, 200);
  await apache.backend.close();
  t.equal((await apache.request("/x")).status, 503);
  t.equal((await apache.request("/x")).status, 503);
  const again = await createEchoBackend(`${apache.folder}/run/main.sock`);
  t.teardown(() => again.close());
  t.equal((await apache.request("/x")).status, 200);
});

t.test("WebSockets pass, other upgrades do not", async (t) => {
  const apache = await startEcho(t, {
    conf: "<Location /x>\nUse TsHandler a.ts\n</Location>",
  });
  const upgrade = (protocol: string): Promise<string> =>
    new Promise((resolve, reject) => {
      let text = "";
      const socket = connect(apache.port, "127.0.0.1", () =>
        socket.write(
          `GET /x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, close\r\nUpgrade: ${protocol}\r\n\r\n`,
        ),
      );
      socket.on("data", (chunk) => {
        text += String(chunk);
        if (/^HTTP\/1.1 101 [^]*\r\n\r\n$/.test(text)) socket.write("ping");
      });
      socket.once("error", reject);
      socket.once("close", () => resolve(text));
    });
  t.match(await upgrade("websocket"), /^HTTP\/1.1 101 [^]*ping$/);
  t.strictSame(lines(apache.backend), ["handler a.ts"]);
  t.match(await upgrade("h2c"), /^HTTP\/1.1 200 /);
});

t.test("over TCP, with a secret", async (t) => {
  const [main, admin] = [await freePort("127.0.0.1"), await freePort("127.0.0.1")];
  const backends = [await createEchoBackend(main), await createEchoBackend(admin)];
  t.teardown(() => Promise.all(backends.map((backend) => backend.close())));
  const apache = await startEcho(t, {
    before: `Define MOD_TS_TCP 127.0.0.1:${main}\nDefine MOD_TS_SECRET 0123456789abcdef`,
    conf: `
      Use TsTcpPool admin 127.0.0.1:${admin}
      <Location /x>
        Use TsHandler a.ts
      </Location>
      <Location /x/admin>
        Use TsInterpreter admin
      </Location>
    `,
  });
  t.equal((await apache.request("/x")).status, 200);
  t.ok(backends[0]?.last().isSealedWith("0123456789abcdef"));
  t.equal((await apache.request("/x/admin")).status, 200);
  t.strictSame(backends[1]?.last().all("mod-ts-config"), ["handler a.ts", "interpreter admin"]);
});

t.test("mistakes stop httpd with words that help", async (t) => {
  const fails = async (
    conf: string,
    message: RegExp,
    modules?: readonly string[],
  ): Promise<void> => {
    const options = modules ? { conf, modules, modulesOnly: true } : { conf };
    await t.rejects(startEcho(t, options), { message });
  };
  await fails(
    "<Location /x>\nUse TsInterpreter amdin\n</Location>",
    /no such pool.*Use TsPool amdin/,
  );
  for (const name of ["proxy", "proxy_http", "headers", "setenvif", "macro"]) {
    const broken = defaultModules.filter((module) => !module.startsWith(`mod_${name}`));
    await fails(
      "",
      new RegExp(`needs mod_${name}\\b.*a2enmod ${name}\\b.*LoadModule ${name}_module`),
      broken,
    );
  }
});
