// A client can never set one of our headers, remove one that Apache set, or see the secret.
import t from "tap";
import { isRecent } from "../../src/base/crypto.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startEcho } from "../fixtures/httpd.ts";

const conf = `
  <Location /hello>
    Use TsHandler hello.ts
    Use TsOption key value
  </Location>
  ErrorDocument 404 /hello/missing
`;

t.test("headers of the client", async (t) => {
  const before = "Define MOD_TS_SECRET s3cret";
  const apache = await startEcho(t, { conf, before });
  const expected = ["handler hello.ts", "option key value"];

  await t.test("are removed, in any case and number", async (t) => {
    await apache.request("/hello", {
      headers: [
        "mod-ts-config",
        "handler evil.ts",
        "MOD-TS-CONFIG",
        "option evil 1",
        "Mod-Ts-Config",
        "",
        "Mod-Ts-Context",
        "1;forged",
        "Mod-Ts-Env",
        "A=YQ==",
        "Mod-Ts-Told",
        "main",
        "Host",
        "h",
      ],
    });
    const seen = apache.backend.last();
    t.strictSame(seen.all("mod-ts-config"), expected);
    t.strictSame(seen.all("mod-ts-env"), []);
    t.equal(seen.all("mod-ts-context").length, 1);
    t.equal(seen.context[0], "2");
    t.ok(isRecent(seen.context[1] ?? ""), "the time of the request");
    t.ok(seen.isSealedWith("s3cret"), "sealed by Apache");
  });

  await t.test("with _ are other headers, and stay so", async (t) => {
    await apache.request("/hello", { headers: { Mod_Ts_Config: "handler evil.ts" } });
    t.strictSame(apache.backend.last().all("mod-ts-config"), expected);
    t.strictSame(apache.backend.last().all("mod_ts_config"), ["handler evil.ts"]);
  });

  await t.test("folded over two lines do not come through", async (t) => {
    await apache.raw(
      "GET /hello HTTP/1.1\r\nHost: h\r\nX: a\r\n Mod-Ts-Config: evil\r\nConnection: close\r\n\r\n",
    );
    t.strictSame(apache.backend.last().all("mod-ts-config"), expected);
  });

  const spellings = [
    "close, Mod-Ts-Config, Mod-Ts-Context",
    "Mod-Ts-Config",
    "close,mod-ts-context",
    "CLOSE , MOD-TS-CONTEXT,mod-ts-config",
    "close;Mod-Ts-Context",
    '"Mod-Ts-Context", close',
    "Mod-Ts-Mod-Ts-Context, close",
    "mod-mod-ts-xts-context, close",
    "close\tMod-Ts-Context",
    "Mod-Ts-Context Mod-Ts-Config close",
  ];
  for (const spelling of spellings) {
    await t.test(`Connection: ${JSON.stringify(spelling)} takes nothing away`, async (t) => {
      await apache.raw(
        `GET /hello HTTP/1.1\r\nHost: h\r\nConnection: ${spelling}\r\nConnection: close\r\n\r\n`,
      );
      const seen = apache.backend.last();
      t.strictSame(seen.all("mod-ts-config"), expected);
      t.ok(seen.isSealedWith("s3cret"), "the context is sealed");
      t.notMatch(Buffer.from(seen.context[19] ?? "", "base64").toString(), /mod-ts-[a-z]/i);
    });
  }

  await t.test("two Connection headers take nothing away", async (t) => {
    await apache.raw(
      "GET /hello HTTP/1.1\r\nHost: h\r\nConnection: Mod-Ts-Config\r\nconnection: Mod-Ts-Context, close\r\n\r\n",
    );
    t.strictSame(apache.backend.last().all("mod-ts-config"), expected);
    t.ok(apache.backend.last().isSealedWith("s3cret"));
  });

  await t.test("TE, Trailer, Upgrade and Proxy-Connection take nothing away", async (t) => {
    await apache.raw(
      [
        "GET /hello HTTP/1.1",
        "Host: h",
        "TE: Mod-Ts-Config, trailers",
        "Trailer: Mod-Ts-Context",
        "Proxy-Connection: Mod-Ts-Config",
        "Keep-Alive: Mod-Ts-Config",
        "Upgrade: Mod-Ts-Config",
        "Connection: TE, Trailer, Upgrade, close",
        "",
        "",
      ].join("\r\n"),
    );
    t.strictSame(apache.backend.last().all("mod-ts-config"), expected);
    t.ok(apache.backend.last().isSealedWith("s3cret"));
  });

  await t.test("TRACE is refused and shows nothing", async (t) => {
    for (const more of ["", "Max-Forwards: 0\r\n"]) {
      const text = await apache.raw(
        `TRACE /hello HTTP/1.1\r\nHost: h\r\n${more}Connection: close\r\n\r\n`,
      );
      t.match(text, /^HTTP\/1.1 405 /);
      t.notMatch(text, /s3cret/);
    }
  });

  await t.test("an internal redirect starts clean and gets its own context", async (t) => {
    await apache.request("/nowhere?x=1", { headers: { "Mod-Ts-Config": "handler evil.ts" } });
    const seen = apache.backend.last();
    t.strictSame(seen.all("mod-ts-config"), expected);
    t.equal(seen.all("mod-ts-context").length, 1);
    t.equal(Buffer.from(seen.context[9] ?? "", "base64").toString(), "GET /nowhere?x=1 HTTP/1.1");
    t.equal(Buffer.from(seen.context[12] ?? "", "base64").toString(), "/hello/missing");
  });

  await t.test("what the handler never got is not in the answer", async (t) => {
    const reply = await apache.request("/hello");
    t.equal(reply.status, 200);
    t.notMatch(JSON.stringify(reply.rawHeaders), /mod-ts/i);
  });
});

t.test("trailers of the client do not become headers, even with MergeTrailers", async (t) => {
  const apache = await startEcho(t, { conf, before: "MergeTrailers On" });
  await apache.raw(
    [
      "POST /hello HTTP/1.1",
      "Host: h",
      "Transfer-Encoding: chunked",
      "Trailer: Mod-Ts-Config",
      "Connection: close",
      "",
      "1",
      "a",
      "0",
      "Mod-Ts-Config: handler evil.ts",
      "",
      "",
    ].join("\r\n"),
  );
  const seen = apache.backend.last();
  t.strictSame(seen.all("mod-ts-config"), ["handler hello.ts", "option key value"]);
});

t.test("virtual hosts inherit all of it", async (t) => {
  const apache = await startEcho(t, {
    conf: `
      <VirtualHost *>
        ServerName one.example
        RequestHeader set X-Own 1
        SetEnvIf Host . OWN=1
        <Location /hello>
          Use TsHandler one.ts
          Use TsPassEnv OWN
        </Location>
      </VirtualHost>
      <VirtualHost *>
        ServerName two.example
      </VirtualHost>
    `,
    files: { "htdocs/a.ts": "SOURCE" },
  });
  await apache.request("/hello", {
    headers: {
      host: "one.example",
      "mod-ts-config": "handler evil.ts",
      connection: "mod-ts-config",
    },
  });
  t.strictSame(apache.backend.last().all("mod-ts-config"), ["handler one.ts"]);
  t.strictSame(apache.backend.last().all("mod-ts-env"), ["OWN=MQ=="]);
  t.equal(apache.backend.last().all("x-own")[0], "1");
  const reply = await apache.request("/a.ts", { headers: { host: "two.example" } });
  t.equal(reply.status, 403);
  t.match(await apache.raw("TRACE / HTTP/1.0\r\nHost: two.example\r\n\r\n"), / 405 /);
});

t.test("neither secret nor options reach another handler", async (t) => {
  const cgi = handlerFile("env.sh");
  const apache = await startEcho(t, {
    before: "Define MOD_TS_SECRET s3cret",
    modules: ["mod_cgid", "mod_actions", "mod_include"],
    files: {
      "htdocs/app/env.sh": cgi,
      "htdocs/app/plain.txt": "plain",
      "htdocs/app/inc.shtml": "<!--#printenv -->",
    },
    conf: `
      ScriptSock "\${FOLDER}/logs/cgisock"
      Use TsPool admin
      <Location /app>
        Use TsHandler app.ts
        Use TsOption password hunter2
        Use TsPassEnv MOD_TS_BACKEND
        Use TsLogHandler log.ts
        Use TsInterpreter admin
      </Location>
      <Location /app/env.sh>
        Options +ExecCGI
        SetHandler cgi-script
      </Location>
      <Location /app/plain.txt>
        Use TsNoHandler
      </Location>
      <Location /app/other>
        SetHandler "proxy:unix:\${FOLDER}/run/other.sock|http://other"
      </Location>
    `,
    pools: ["other"],
  });
  const { chmodSync } = await import("node:fs");
  chmodSync(`${apache.folder}/htdocs/app/env.sh`, 0o755);
  const reply = await apache.request("/app/env.sh");
  t.equal(reply.status, 200);
  t.match(reply.body, /GATEWAY_INTERFACE=CGI/);
  t.notMatch(reply.body, /s3cret|hunter2|HTTP_MOD_TS/i);
  t.equal((await apache.request("/app/plain.txt")).body, "plain");
  await apache.request("/app/other/x");
  t.strictSame(
    apache.pools["other"]?.last().rawHeaders.filter((text) => /^mod-ts|s3cret|hunter2/i.test(text)),
    [],
  );
});

t.test("a sub-request does not inherit what belongs to the request around it", async (t) => {
  const apache = await startEcho(t, {
    modules: ["mod_include"],
    conf: `
      <Location /page>
        Use TsHandler page.ts
        Use TsOption password hunter2
        Use TsPassEnv UNIQUE_ID
        SetOutputFilter INCLUDES
        Options +Includes
      </Location>
      <Location /inner>
        Use TsHandler inner.ts
      </Location>
    `,
  });
  const body = encodeURIComponent('[<!--#include virtual="/inner"-->]');
  const reply = await apache.request(`/page?body=${body}`);
  t.equal(reply.body, "[echo handler inner.ts\n]");
  t.strictSame(apache.backend.last().all("mod-ts-config"), ["handler inner.ts"]);
  t.strictSame(apache.backend.last().all("mod-ts-env"), []);
  t.equal(apache.backend.last().context.at(-1), "true", "a sub-request");
  t.equal(apache.backend.last().all("mod-ts-context").length, 1);

  const source = encodeURIComponent('[<!--#include virtual="/plain.ts"-->]');
  await apache.request(`/page?body=${source}`);
  t.match(apache.backend.last().url, /plain\.ts$/);
  t.strictSame(apache.backend.last().context, [], "so that the sidecar refuses");
});

t.test("where no handler runs, a forged context does not arrive either", async (t) => {
  const apache = await startEcho(t, {
    conf: `
      <Location /looked-at>
        SetEnvIf Mod-Ts-Context "^(?!t=\\d{16}$)." SEEN_CONTEXT=1
        SetEnvIf Mod-Ts-Config . SEEN_CONFIG=1
        SetEnvIf Mod-Ts-Env . SEEN_ENV=1
        Use TsHandler a.ts
        Use TsPassEnv SEEN_CONTEXT
        Use TsPassEnv SEEN_CONFIG
        Use TsPassEnv SEEN_ENV
      </Location>
    `,
  });
  const headers = {
    "Mod-Ts-Context": "1;forged",
    "Mod-Ts-Config": "handler x",
    "Mod-Ts-Env": "A=",
  };
  t.equal((await apache.request("/missing.ts", { headers })).status, 403);
  t.strictSame(apache.backend.last().context, []);
  await apache.request("/looked-at", { headers });
  t.strictSame(apache.backend.last().all("mod-ts-env"), [], "not even seen by an earlier phase");
});
