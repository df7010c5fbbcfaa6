/** `mod_ts/test-page` through Apache. Who else may see it is decided by an address that only mod_remoteip can change. */
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";

const apache = await startApache(t, {
  modules: ["mod_remoteip"],
  conf: `
    RemoteIPHeader X-Client
    RemoteIPInternalProxy 127.0.0.1
    <Location /test-page>
      Use TsHandler mod_ts/test-page
      Use TsOption greeting "<b>hello</b>"
      Use TsOption db_password hush-hush
      Use TsOption api.token hush-hush
    </Location>
    <Location /everyone>
      Use TsHandler mod_ts/test-page
      Use TsOption mod_ts.test_page everyone
    </Location>
    <Location /hello>
      Use TsHandler hello.ts
    </Location>
  `,
  handlers: { "hello.ts": handlerFile("test-page-hello.ts") },
});

t.test("shown to this machine, with what runs here", async (t) => {
  await apache.request("/hello");
  const { status, headers, body } = await apache.request("/test-page?q=1");
  t.equal(status, 200);
  t.match(headers["content-type"], "text/html; charset=utf-8");
  t.match(headers["cache-control"], "no-cache");
  for (const part of [
    "It works",
    "GET /test-page?q=1 HTTP/1.1",
    `${apache.folder}/handlers/hello.ts</th><td>#1, 20`,
    `${apache.folder}/htdocs`,
    process.version,
    "<th>Interpreter</th><td>main",
    "127.0.0.1",
  ]) {
    t.match(body, part);
  }
});

t.test("to nobody else, unless the location says so", async (t) => {
  const headers = { "x-client": "192.0.2.7" };
  const reply = await apache.request("/test-page", { headers });
  t.equal(reply.status, 403);
  t.notMatch(reply.body, "It works");
  t.match(await apache.request("/everyone", { headers }), { status: 200, body: "192.0.2.7" });
});

t.test("a client that claims to be local by a header is not believed", async (t) => {
  const headers = { "x-forwarded-for": "127.0.0.1", "x-client": "192.0.2.7" };
  t.equal((await apache.request("/test-page", { headers })).status, 403);
});

t.test("every value is escaped, secrets are hidden", async (t) => {
  const { body } = await apache.request("/test-page?<script>alert(1)</script>", {
    headers: { "x-nasty": "<script>alert(2)</script>" },
  });
  t.notMatch(body, /<script>/);
  t.match(body, "&lt;script&gt;alert(1)");
  t.match(body, "&lt;script&gt;alert(2)");
  t.match(body, "&lt;b&gt;hello");
  t.notMatch(body, "hush-hush");
  t.match(body, "<th>db_password</th><td>(hidden)");
});
