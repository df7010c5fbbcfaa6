/** `req.subRequest`, and the requests that another one belongs to: `req.main`, `req.prev`. */
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startOrigin } from "../fixtures/origin.ts";

const apache = await startOrigin(t, {
  isWaiting: true,
  modules: ["mod_include"],
  conf: `
    <Location /part>
      Use TsHandler sub-requests.ts
    </Location>
    <Location /facts>
      Use TsHandler sub-requests.ts::facts
      Use TsLocalAddress
    </Location>
    <Location /secret>
      Require all denied
    </Location>
    <Directory "\${FOLDER}/htdocs">
      Options +Includes
      AddOutputFilter INCLUDES .shtml
    </Directory>
    ErrorDocument 404 /facts/error`,
  handlers: { "sub-requests.ts": handlerFile("sub-requests.ts") },
  files: {
    "htdocs/a.txt": "hello\n",
    "htdocs/secret/a.txt": "secret\n",
    "htdocs/page.shtml": '<!--#include virtual="/facts/part" -->',
  },
});

t.test("another path of this Apache", async (t) => {
  const ask = async (path: string, headers = {}): Promise<unknown> =>
    JSON.parse((await apache.request(`/part?${encodeURIComponent(path)}`, { headers })).body);
  t.strictSame(await ask("/a.txt"), [200, "text/plain", 200, "hello\n"]);
  const conditions = { "If-None-Match": "*", "If-Modified-Since": new Date().toUTCString() };
  t.strictSame(await ask("/a.txt", conditions), [200, "text/plain", 200, "hello\n"]);
  t.match(await ask("/secret/a.txt"), [403, /html/, 403, /Forbidden/], "its access control");
  t.match(await ask("/facts/x"), [200, /html/, 200, /"uri":"\/facts\/x"/], "its handlers");
  for (const path of ["//evil.example/", "a", "http://evil.example/", "/a#b"]) {
    t.equal((await apache.request(`/part?${encodeURIComponent(path)}`)).status, 500, path);
  }
});

t.test("what a request belongs to", async (t) => {
  const facts = async (path: string, ask = {}): Promise<Record<string, unknown>> =>
    JSON.parse((await apache.request(path, ask)).body) as Record<string, unknown>;
  t.match(await facts("/facts/x"), { args: null, main: null, prev: null, local: "127.0.0.1" });
  t.equal((await facts("/facts/x?"))["args"], "", "an empty query");
  t.match(await facts("/page.shtml?q"), {
    uri: "/facts/part",
    main: { method: "GET", unparsedUri: "/page.shtml?q", uri: "/page.shtml" },
  });
  t.match(await facts("/no%20ne?q", { method: "POST" }), {
    uri: "/facts/error",
    prev: { method: "POST", unparsedUri: "/no%20ne?q", uri: "/no ne", user: null, notes: {} },
  });
});
