/** In development, the browser shows what ended the worker; otherwise it would be Apache's 502. */
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";

const apache = await startApache(t, {
  authorizer: true,
  conf: `Use TsDebug On
    <Location "/exit">\nUse TsHandler a.ts::exit\n</Location>
    <Location "/throw">\nUse TsHandler a.ts::throwsLater\n</Location>
    <Location "/guard">\nUse TsAccessHandler a.ts::exit\nRequire valid-user\n</Location>
    <Location "/guard-throws">\nUse TsAccessHandler a.ts::throwsLater\nRequire valid-user\n</Location>
    <Location "/decision">\nUse TsFixupHandler a.ts::exit\n</Location>`,
  handlers: { "a.ts": handlerFile("strays.ts") },
  config: { development: true },
});
const page = { status: 500, headers: { "content-type": "text/html; charset=utf-8" } };

t.test("process.exit in a handler", async (t) => {
  const reply = await apache.request("/exit");
  t.match(reply, page);
  t.match(reply.body, /<h1>process\.exit\(3\) was called<\/h1>[^]*a\.ts:18:/);
  t.match(reply.body, /<span class=hit>18 .*process\.exit\(3\)[^]*MODTS_WORKER_ENDED/);
});

t.test("a throw in a timer, before a body was read", async (t) => {
  const reply = await apache.request("/throw", { method: "POST", body: "a".repeat(20_000) });
  t.match(reply, page);
  t.match(reply.body, /<h1>in a timer<\/h1>[^]*a\.ts:22:/);
});

t.test("in a guard, and in a handler before content of Apache", async (t) => {
  for (const path of ["/guard", "/decision"]) {
    const reply = await apache.request(path);
    t.match(reply, page, path);
    t.match(reply.body, /<h1>process\.exit\(3\) was called<\/h1>[^]*a\.ts:18:/, path);
  }
  const reply = await apache.request("/guard-throws");
  t.match(reply, page);
  t.match(reply.body, /<h1>in a timer<\/h1>[^]*a\.ts:22:/);
});
