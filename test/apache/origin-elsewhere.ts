/** Requests whose line is that of another page, or that ProxyPass has taken: the origin gives nothing that a handler has refused. */
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { answering, startOrigin, startRawServer } from "../fixtures/origin.ts";

const upstream = await startRawServer(t, answering("of the application"));
const apache = await startOrigin(t, {
  modules: ["mod_include"],
  files: {
    "htdocs/gate/page.html": "behind a gate",
    "htdocs/errors/403.html": "not for you",
    "htdocs/part/p.html": "part",
    "htdocs/whole.shtml": 'whole <!--#include virtual="/part/p.html" -->',
  },
  handlers: {
    "gate.ts": handlerFile("open-sesame.ts"),
    "around.ts": handlerFile("origin-elsewhere-around.ts"),
  },
  conf: `
    AddOutputFilter INCLUDES .shtml
    AddType text/html .shtml
    <Directory "\${FOLDER}/htdocs">
      Options +Includes
    </Directory>
    ErrorDocument 403 /errors/403.html
    <Location "/gate">
      Use TsAroundHandler "gate.ts mod_ts/origin"
      Use TsErrorDocument
    </Location>
    <Location "/errors">
      Use TsAroundHandler mod_ts/origin
    </Location>
    <Location "/part">
      Use TsAroundHandler around.ts
    </Location>
    <Location "/app">
      Use TsHandler "gate.ts mod_ts/origin"
      Use TsOption mod_ts.origin.url ${upstream.url}
      Use TsErrorDocument
      ErrorDocument 403 /apperrors/403?why=gate
    </Location>
    <Location "/apperrors">
      Use TsHandler mod_ts/origin
      Use TsOption mod_ts.origin.url ${upstream.url}
    </Location>
    ProxyPass /taken ${upstream.url}
    <Location "/taken">
      Use TsAroundHandler "gate.ts mod_ts/origin"
      Use TsOption password secret-of-an-option
      ErrorDocument 403 /errors/403.html
    </Location>
    ProxyPass /replaced ${upstream.url}
    <Location "/replaced">
      Use TsHandler gate.ts
      Use TsOption password secret-of-an-option
    </Location>`,
});

t.test("an ErrorDocument is the page that it names, not the one that was refused", async (t) => {
  t.match(await apache.request("/gate/page.html?open"), { status: 200, body: "behind a gate" });
  for (const method of ["GET", "POST"]) {
    const refused = await apache.request("/gate/page.html", { method });
    t.match(refused, { status: 403, body: "not for you" }, method);
  }
  const headers = { host: "x", range: "bytes=0-2", "if-none-match": "*" };
  const whole = await apache.request("/gate/page.html", { headers });
  t.match(whole, { status: 403, body: "not for you" }, "whole, as from Apache itself");
});

t.test("so it is at another server", async (t) => {
  await apache.request("/app/page");
  const asked = upstream.bytes().match(/^GET .*(?= HTTP)/gm);
  t.same(asked, ["GET /apperrors/403?why=gate"]);
});

t.test("a part of a page is that part", async (t) => {
  t.match(await apache.request("/whole.shtml"), { status: 200, body: "whole <part>" });
});

t.test("ProxyPass takes nothing past the handlers around it", async (t) => {
  for (const query of ["", "?open"]) {
    const taken = await apache.request(`/taken/page${query}`);
    t.match(taken, { status: 403, body: "not for you" });
  }
});

t.test("what is for the sidecar reaches no other server", async (t) => {
  t.equal((await apache.request("/replaced/page")).body, "of the application");
  t.notMatch(upstream.bytes(), /mod-ts-|secret/i);
});
