/** `req.internalRedirect`: another address answers, through all of Apache. */
import { chmodSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { handlerFiles } from "../fixtures/handler-file.ts";
import { startOrigin } from "../fixtures/origin.ts";
import { until } from "../fixtures/until.ts";

const apache = await startOrigin(t, {
  modules: ["mod_cgid"],
  files: {
    "htdocs/static.html": "static",
    "htdocs/kept/a.txt": "protected",
    "htdocs/env.cgi":
      '#!/bin/sh\necho "Content-Type: text/plain"; echo; echo "$REQUEST_METHOD $QUERY_STRING [$CONTENT_LENGTH] $MOD_TS_CALL"; cat',
  },
  handlers: {
    ...handlerFiles("origin-redirect"),
    "moved.ts": `import { OK, type ApacheRequest } from "mod-ts";
      export const fixupHandler = (req: ApacheRequest) => req.internalRedirect("/static.html");
      export const handler = (req: ApacheRequest) => (req.write("protected"), OK);`,
  },
  conf: `
    ScriptSock "\${FOLDER}/logs/cgi.sock"
    AddHandler cgi-script .cgi
    <Directory "\${FOLDER}/htdocs">
      Options +ExecCGI
    </Directory>
    <Location "/to">
      Use TsHandler to.ts
      Use TsInitHandler user.ts
    </Location>
    <Location "/moved">
      Use TsHandler moved.ts
      Use TsFixupHandler moved.ts
    </Location>
    <Location "/kept">
      Use TsFixupHandler moved.ts
    </Location>
    <Location "/show">
      Use TsHandler show.ts
    </Location>
    Use TsOption mod_ts.session.lock_timeout 1
    <Location "/session">
      Use TsHandler session.ts
    </Location>
    <Location "/counted">
      Use TsHandler session.ts::counted
    </Location>
    <Location "/circle">
      Use TsHandler circle.ts
    </Location>
    <Location "/long">
      Use TsHandler long.ts
    </Location>
    <Location "/late">
      Use TsHandler late.ts
    </Location>
  `,
});
chmodSync(join(apache.folder, "htdocs/env.cgi"), 0o755);

t.test("a redirect before the content is the response, and nothing follows it", async (t) => {
  for (const path of ["/moved", "/kept/a.txt"]) {
    for (const options of [{}, { method: "POST", body: "x=1" }]) {
      t.match(await apache.request(path, options), { status: 200, body: /^static$/ }, path);
    }
  }
});

t.test("a handler of another section, which knows where it came from", async (t) => {
  const reply = await apache.request("/to", { method: "POST", body: "not for there" });
  t.equal(reply.status, 200);
  t.same(JSON.parse(reply.body), {
    method: "GET",
    uri: "/show",
    args: "from=to",
    user: "ann",
    notes: { note: "grüße; a=b" },
    prev: {
      method: "POST",
      unparsedUri: "/to",
      uri: "/to",
      user: "ann",
      notes: { note: "grüße; a=b" },
    },
    useragentIp: "127.0.0.1",
    body: "",
  });
  t.match(reply.headers, { "x-before": "kept", "x-err": "kept" });
});

t.test("what Apache serves itself; nothing that is ours can be read there", async (t) => {
  t.match(await apache.request("/to?/static.html"), { status: 200, body: "static" });
  t.match(await apache.request("/to?/none"), { status: 404 });
  const cgi = await apache.request("/to?/env.cgi%3Fa=1");
  const sealed = /^GET a=1 \[\] redirect;1;([\w-]+)\n$/.exec(cgi.body)?.[1];
  t.ok(sealed, "sealed");
  t.notMatch(Buffer.from(sealed ?? "ann", "base64url").toString("latin1"), /ann|gr\xc3/);
});

t.test("the method, and the body with it", async (t) => {
  const ask = { method: "POST", body: "the body", headers: { host: "x", "x-method": "POST" } };
  t.match(await apache.request("/to?/env.cgi", ask), { body: /^POST \S* ?\[8\] .*\nthe body$/ });
  t.match(await apache.request("/to?/static.html", { method: "HEAD" }), { status: 200, body: "" });
});

t.test("the same session here and there", async (t) => {
  const first = await apache.request("/counted", { headers: { host: "x" } });
  const cookie = String(first.headers["set-cookie"]).split(";")[0] ?? "";
  const reply = await apache.request("/session", { headers: { host: "x", cookie } });
  t.match(reply, { status: 200, body: "3" });
});

t.test("ten in a row, and no more", async (t) => {
  t.equal((await apache.request("/circle")).status, 508);
  await until(apache.sidecarLog, /MODTS_ORIGIN_LOOP/);
  t.equal(apache.sidecarLog().match(/round \d/g)?.length, 11);
  t.match(
    await until(apache.sidecarLog, /MODTS_ORIGIN_LOOP: .*10 internal redirects/),
    /MODTS_ORIGIN_LOOP: .*10 internal redirects/,
  );
});

t.test("mistakes", async (t) => {
  for (const uri of ["//evil.example/", "http://evil.example/", "relative", "/a%23b", ""]) {
    const { status } = await apache.request(
      `/to?${encodeURIComponent(uri).replaceAll("%25", "%")}`,
    );
    t.equal(status, 500, uri);
  }
  t.equal((await apache.request("/long")).status, 500);
  t.match(
    await until(
      apache.sidecarLog,
      /MODTS_BAD_ARGUMENT: invalid argument for internalRedirect: .*too long/,
    ),
    /MODTS_BAD_ARGUMENT: invalid argument for internalRedirect: .*too long/,
  );
  const late = await apache.request("/late").catch(() => undefined);
  t.not(late?.status, 200, "half an answer is none");
});

t.test("one line in the access log", async (t) => {
  await apache.request("/to?/show%3Fonce");
  // httpd writes it after the answer, and a child that is told to end may not get that far.
  await until(apache.accessLog, "once");
  await apache.stop();
  t.equal(apache.accessLog().split("once").length - 1, 1, "one line for one request");
});
