/** Phases before the content, for what Apache itself serves, without any guard beside them. */
import { utimesSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { createCallCounter, envScript, startDecided } from "../fixtures/decider.ts";

const files = {
  "htdocs/www/a.txt": "hello\n",
  "htdocs/www/dir/index.html": "index\n",
  "htdocs/www/list/b.txt": "b\n",
  "htdocs/www/env.cgi": envScript,
  "htdocs/www/sub dir/q?.txt": "odd\n",
  "htdocs/plain/a.txt": "plain\n",
  "htdocs/plain/env.cgi": envScript,
  "htdocs/plain/page.shtml": '<!--#include virtual="/www/a.txt" -->\n',
  "htdocs/secret/a.txt": "secret\n",
  "elsewhere/a.txt": "elsewhere\n",
};

t.test("each phase has its effect on a file, a program and a listing", async (t) => {
  const apache = await startDecided(t, {
    files,
    modules: ["mod_include"],
    conf: `
      ErrorDocument 404 /www/dir/index.html
      <Location /www>
        Use TsInitHandler h.ts
        Use TsHeaderParserHandler h.ts
        Use TsTypeHandler "h.ts | .txt"
        Use TsFixupHandler h.ts
        Use TsAcceptEnv FIXED
        Use TsAcceptHeader X-User
        LogFormat "%{FIXED}e" fixed
        CustomLog "\${FOLDER}/logs/fixed.log" fixed
      </Location>
      <Directory "\${FOLDER}/htdocs/plain">
        Options +Includes
        AddOutputFilter INCLUDES .shtml
      </Directory>`.replace(/LogFormat.*\n.*\n/, ""),
  });
  const calls = createCallCounter(apache.sidecarLog);
  // The ETag of a file that is younger than a second is weak.
  utimesSync(join(apache.folder, "htdocs/www/a.txt"), 1_700_000_000, 1_700_000_000);
  const file = await apache.request("/www/a.txt");
  t.match(file, { status: 200, body: "hello\n" });
  t.match(file.headers, {
    "x-init": "1",
    "x-fixed": "yes",
    "set-cookie": ["seen=1; Path=/"],
    "content-type": "text/x-typed",
    "content-length": "6",
  });
  t.match(file.headers.etag, /^"/, "a strong ETag, as httpd makes it");
  t.notMatch(JSON.stringify(file.headers), /mod-ts/i, "no header of ours reaches the client");
  t.strictSame(
    await calls(4),
    ["init", "headerparser", "type", "fixup"].map((phase) => `${phase} of /www/a.txt`),
    "each handler runs once, in order",
  );

  const refused = await apache.request("/www/a.txt", { headers: { "x-refused": "1" } });
  t.match(refused, { status: 422, body: "refused\n" }, "a status with a body of its own");
  t.match(await apache.request("/www/a.txt?no"), { status: 403 }, "a status");
  t.match(await apache.request("/www/a.txt?own"), { status: 200, body: "own\n" }, "a page");
  t.match(await apache.request("/www/a.txt?throw"), { status: 500 }, "a failure");
  const head = await apache.request("/www/a.txt?own", { method: "HEAD" });
  t.match(head, { status: 200, body: "" }, "a page, asked for by HEAD");

  const program = await apache.request("/www/env.cgi?x=1");
  t.match(program.body, /^FIXED=yes; a=b$/m, "a variable that the section accepts");
  t.match(program.body, /^HTTP_X_USER=Ann; ü$/m, "a header that the section accepts");
  t.match(program.body, /^QUERY_STRING=x=1$/m);
  t.notMatch(program.body, /HTTP_MOD_TS|0123456789abcdef0/, "neither question nor secret");
  t.match(program.headers["content-type"], "text/plain");

  const index = await apache.request("/www/dir/");
  t.match(index, { status: 200, body: "index\n" }, "a directory with an index file");
  t.equal(index.headers["x-fixed"], "yes", "headers of both are not doubled");
  t.match((await apache.request("/www/list/")).body, /Index of/, "a listing");
  t.equal((await apache.request("/www/dir")).status, 301, "a directory without its slash");
  t.match(await apache.request("/www/sub%20dir/q%3F.txt"), { status: 200, body: "odd\n" });
  t.match(await apache.request("/www/none"), { status: 404, body: "index\n" }, "an ErrorDocument");
  t.match(await apache.request("/plain/a.txt"), { status: 200, body: "plain\n" });

  await apache.request("/www/a.txt?no");
  await calls(4);
  const page = await apache.request("/plain/page.shtml");
  t.match(page.body, "hello\n", "a file that a page includes");
  t.equal((await calls(4)).at(-1), "fixup of /www/a.txt", "its own section is asked");
});

t.test("translation", async (t) => {
  const apache = await startDecided(t, {
    files,
    conf: `
      Alias /alias "\${FOLDER}/elsewhere"
      <Directory "\${FOLDER}/elsewhere">
        Require all granted
      </Directory>
      <Location /pretty>
        Use TsTransHandler h.ts
      </Location>
      <Location /to>
        Use TsTransHandler h.ts::toQuery
      </Location>
      <Location /file>
        Use TsTransHandler h.ts::toFile
      </Location>
      <Location /www>
        Use TsFixupHandler h.ts
      </Location>
      <Location /secret>
        Require all denied
      </Location>
      <Location /app>
        Use TsTransHandler h.ts::plain
        Use TsHandler h.ts
        Use TsFixupHandler h.ts
      </Location>`,
  });
  const calls = createCallCounter(apache.sidecarLog);
  const pretty = await apache.request("/pretty/a.txt");
  t.match(pretty, { status: 200, body: "hello\n" });
  t.equal(pretty.headers["x-fixed"], "yes");
  t.strictSame(
    await calls(2),
    ["trans of /pretty/a.txt", "fixup of /www/a.txt"],
    "the target's phases",
  );
  t.match(await apache.request("/pretty/env.cgi?x=1"), { status: 200, body: /QUERY_STRING=x=1/ });
  t.match((await apache.request("/pretty/dir/")).body, "index\n");
  t.match(await apache.request("/pretty/none"), { status: 404 });
  t.match(await apache.request("/to?/plain/a.txt"), { status: 200, body: "plain\n" });
  t.match(await apache.request("/to?/alias/a.txt"), { status: 200, body: "elsewhere\n" });
  t.match(await apache.request("/file?/plain/a.txt"), { status: 200, body: "plain\n" });
  t.equal(
    (await apache.request("/file?/../elsewhere/a.txt")).status,
    500,
    "a file without address",
  );
  t.equal((await apache.request("/to?/secret/a.txt")).status, 403, "the target's access control");
  const own = await apache.request("/to?/app/x");
  t.match(own, { status: 200, body: "handler /app/x GET\n" }, "a handler of ours as the target");
  t.equal((await apache.request("/app/x")).body, "handler /app/x GET\n");

  for (const target of [
    "//evil.example/a",
    "http://evil.example/a",
    "/plain/../secret/a.txt",
    "/plain/./a.txt",
    "/plain/a.txt\r\nX-Evil: 1",
    "plain/a.txt",
    "/plain/a.txt\0",
  ]) {
    const reply = await apache.request(`/to?${encodeURIComponent(target)}`);
    t.equal(reply.status, 500, `invalid target ${target}`);
    t.notOk(reply.headers["x-evil"]);
  }
  const encoded = await apache.request(`/to?${encodeURIComponent("/plain/%2e%2e/secret/a.txt")}`);
  t.equal(encoded.status, 404, "escapes in a path are characters of it");
  t.equal((await apache.request("/to?/to")).status, 404, "to itself: once");
});

t.test("req.internalRedirect needs no second request", async (t) => {
  const apache = await startDecided(t, {
    files: { ...files, "htdocs/plain/a b.txt": "blank\n" },
    conf: `
      <Location /www>
        Use TsFixupHandler h.ts::inside
      </Location>
      <Location /plain>
        Use TsFixupHandler h.ts::inside
      </Location>`,
  });
  const calls = createCallCounter(apache.sidecarLog);
  const reply = await apache.request("/www/a.txt");
  t.match(reply, { status: 200, body: "blank\n", headers: { "x-inside": "1" } });
  // The counter reads up to the blank.
  t.strictSame(await calls(2), ["inside of /www/a.txt", "inside of /plain/a"]);
});

t.test("a section with a content handler of ours runs all phases there", async (t) => {
  const apache = await startDecided(t, {
    files,
    conf: `
      <Location /www>
        Use TsHandler h.ts
        Use TsInitHandler h.ts
        Use TsHeaderParserHandler h.ts
        Use TsTypeHandler h.ts
        Use TsFixupHandler h.ts
      </Location>
      <Location /www/dir>
        Use TsNoHandler
      </Location>`,
  });
  const calls = createCallCounter(apache.sidecarLog);
  t.equal((await apache.request("/www/a.txt")).body, "handler /www/a.txt GET\n");
  t.strictSame(
    (await calls(5)).map((call) => call.split(" ")[0]),
    ["init", "headerparser", "type", "fixup", "handler"],
  );
  t.equal((await apache.request("/www/x", { method: "POST" })).body, "handler /www/x POST\n");
  await calls(5);
  const inner = await apache.request("/www/dir/index.html");
  t.equal(inner.body, "index\n");
  t.equal(inner.headers["x-fixed"], "yes");
  t.equal((await calls(4)).length, 4, "Apache's own content in it: the decider runs them");
});
