/** The request API through Apache: what mod_python's own tests asked of it (`req_*`), in TypeScript. */
import { createHash } from "node:crypto";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { until } from "../fixtures/until.ts";

const apache = await startApache(t, {
  conf: `
    ServerAdmin admin@example.org
    <Location /r>
      Use TsHandler request.ts
    </Location>
    <Location /auth>
      AuthType Basic
      AuthName "the realm"
      AuthUserFile "\${FOLDER}/passwords"
      Require valid-user
      Use TsHandler request.ts
      Use TsFixupHandler request.ts
    </Location>
    <Location /phases>
      RequestHeader add Mod-Ts-Config "authen status.ts::declined status.ts::authen status.ts::never"
      RequestHeader add Mod-Ts-Config "authz status.ts::declined status.ts::ok status.ts::never"
      Use TsFixupHandler "status.ts::ok status.ts::declined"
      Use TsHandler "status.ts::ok status.ts::declined status.ts::last"
      Use TsCleanupHandler status.ts
    </Location>
    <Location /send>
      Use TsHandler send.ts
    </Location>
    <Location /none>
      Use TsHandler request.ts::nothing
    </Location>
    <Location /server-return>
      Use TsHandler "request.ts::returnOk request.ts::returnOk request.ts::returnDone request.ts::returnOk"
    </Location>
    <Location /util-redirect>
      Use TsFixupHandler request.ts::away
      Use TsHandler request.ts::never
      ErrorDocument 302 /r/never
    </Location>
    <Directory "\${FOLDER}/htdocs/ext">
      Use TsHandler request.ts::plain
      Use TsHandler "request.ts::special | .pub"
    </Directory>
  `,
  files: {
    "htdocs/ext/a.pub": "",
    "htdocs/ext/a.other": "",
    "htdocs/file.txt": "0123456789",
    passwords: `spam:{SHA}${createHash("sha1").update("eggs").digest("base64")}\n`,
  },
  handlers: {
    "request.ts": handlerFile("request.ts"),
    "status.ts": handlerFile("request-status.ts"),
    "send.ts": handlerFile("request-send.ts"),
  },
});

symlinkSync("file.txt", join(apache.folder, "htdocs/link.txt"));

/** What a handler of request.ts found, parsed. */
async function ask(name: string, details: Parameters<typeof apache.request>[1] = {}) {
  const { status, body } = await apache.request(`/r/${name}`, details);
  t.equal(status, 200, name);
  return JSON.parse(body) as unknown;
}

const basic = (credentials: string | Buffer): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(credentials).toString("base64")}`,
});

t.test("documentRoot, constructUrl", async (t) => {
  const root = await apache.request("/r/document-root");
  t.equal(root.body, `${apache.folder}/htdocs`);
  const { body } = await apache.request("/r/construct-url", { headers: { host: "example.org" } });
  t.match(body, /^http:\/\/example\.org(?::\d+)?\/index\.html /);
});

t.test("Basic credentials: decoded, in UTF-8 and in Latin-1; none of another scheme", async (t) => {
  const headers = basic("spam:eggs");
  t.strictSame(await ask("basic-auth", { headers }), [null, "eggs", "spam", "Basic"]);
  const both = [null, "pässword", "jörg", "Basic"];
  t.strictSame(await ask("basic-auth", { headers: basic("jörg:pässword") }), both);
  const latin1 = basic(Buffer.from("jörg:pässword", "latin1"));
  t.strictSame(await ask("basic-auth", { headers: latin1 }), both);
  t.strictSame(await ask("basic-auth", { headers: basic("a:b:c") }), [null, "b:c", "a", "Basic"]);
  const none = [null, null, null, null];
  t.strictSame(await ask("basic-auth"), none);
  t.strictSame(await ask("basic-auth", { headers: { authorization: "Bearer x" } }), none);
  t.strictSame(await ask("basic-auth", { headers: { authorization: "Basic !!!" } }), none);
});

t.test("a content handler that asks for a password", async (t) => {
  const path = "/r/unauthorized";
  t.match(await apache.request(path, { headers: basic("spam:eggs") }), {
    status: 200,
    body: "come in",
  });
  for (const headers of [{}, basic("spam:wrong")]) {
    t.match(await apache.request(path, { headers }), {
      status: 401,
      headers: { "www-authenticate": /^Basic realm=/ },
    });
  }
});

t.test("the user that Apache has established", async (t) => {
  const reply = await apache.request("/auth/basic-auth", { headers: basic("spam:eggs") });
  t.strictSame(JSON.parse(reply.body), ["spam", "eggs", "spam", "Basic"]);
  t.equal(reply.headers["x-user"], "spam Basic");
  t.equal((await apache.request("/auth/basic-auth")).status, 401);
});

t.test("read: all at once, and in pieces", async (t) => {
  const body = Buffer.alloc(100_000, "0123456789abcdef\r\n\0\xff");
  const md5 = createHash("md5").update(body).digest("hex");
  t.strictSame(await ask("read", { method: "POST", body }), [100_000, md5]);
  const chunked = { method: "POST", body, headers: { "transfer-encoding": "chunked" } };
  t.strictSame(await ask("read", chunked), [100_000, md5], "no 411 for a chunked body");
  t.strictSame(await ask("pieces", { method: "POST", body }), [...Array(14).fill(7000), 2000]);
  t.strictSame((await ask("read")) as number[], [0, "d41d8cd98f00b204e9800998ecf8427e"]);
});

t.test("readLine and readLines: long lines, size hints, no last line feed", async (t) => {
  const lines = [10_000, 25_000, 3_000, 1, 30_000].map((size) => `${"x".repeat(size - 1)}\n`);
  const sizes = lines.map((line) => line.length);
  const body = lines.join("");
  const post = { method: "POST", body };
  t.strictSame(await ask("read-line", post), sizes);
  t.strictSame(await ask("read-lines", post), sizes);
  t.strictSame(await ask("read-lines?30000", post), sizes.slice(0, 2));
  t.strictSame(await ask("read-lines?10000", post), sizes.slice(0, 1));
  t.strictSame(await ask("read-lines?10001", post), sizes.slice(0, 2));
  t.strictSame(await ask("read-line", { method: "POST", body: "a\r\n\nlast" }), [3, 1, 4]);
  const mixed = ["one\n", "two", "\n", "three\nfour"];
  t.strictSame(await ask("mixed", { method: "POST", body: mixed.join("") }), mixed);
});

t.test("what is discarded is gone", async (t) => {
  t.strictSame(await ask("discard", { method: "POST", body: "x".repeat(50_000) }), [0]);
});

t.test("JSON and forms, by any method", async (t) => {
  const json = {
    method: "PUT",
    body: '{"a":"häß"}',
    headers: { "content-type": "application/json" },
  };
  t.strictSame(await ask("json", json), { a: "häß" });
  t.equal((await apache.request("/r/json", { method: "POST", body: "{" })).status, 400);
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  t.strictSame(await ask("form", { method: "POST", body: "a=1&b=+%26&a=2", headers }), [
    ["a", "1"],
    ["b", " &"],
    ["a", "2"],
  ]);
});

t.test("the members of a plain GET", async (t) => {
  const headers = { host: "Example.org:81" };
  const seen = await ask("members?x=%20;y", { headers });
  t.match(seen, {
    theRequest: "GET /r/members?x=%20;y HTTP/1.1",
    protocol: "HTTP/1.1",
    protoNum: 1001,
    method: "GET",
    methodNumber: 0,
    hostname: "example.org",
    status: 200,
    uri: "/r/members",
    unparsedUri: "/r/members?x=%20;y",
    args: "x=%20;y",
    finfo: false,
    contentType: null,
    user: null,
    authType: null,
    headerOnly: false,
    phase: "handler",
    handlerEntry: { handler: "request.ts", phase: "handler" },
    interpreter: "main",
    isHttps: false,
    main: null,
    prev: null,
    next: null,
    bytesSent: 0,
    remoteHost: "127.0.0.1",
    useragentIp: "127.0.0.1",
    clientIp: "127.0.0.1",
    allowed: 0,
    serverAdmin: "admin@example.org",
    serverHostname: "example.org",
    port: 81,
    parsedUri: { path: "/r/members", query: "x=%20;y" },
    aborted: false,
  });
  const { filename, pathInfo } = seen as { filename: string; pathInfo: string };
  t.equal(`${filename}${pathInfo}`, `${apache.folder}/htdocs/r/members`);
});

t.test("the CGI variables", async (t) => {
  const [before, environment] = (await ask("environment?q=1")) as [number, object];
  t.equal(before, 0);
  t.match(environment, {
    REQUEST_METHOD: "GET",
    QUERY_STRING: "q=1",
    REQUEST_URI: "/r/environment?q=1",
    SERVER_PROTOCOL: "HTTP/1.1",
    REMOTE_ADDR: "127.0.0.1",
    GATEWAY_INTERFACE: /^CGI/,
    SERVER_SOFTWARE: /^Apache/,
  });
  t.notOk("PATH_TRANSLATED" in environment);
});

t.test("the error log, through three objects, in order", async (t) => {
  await apache.request("/r/log");
  const log = await until(() => apache.sidecarLog(), "break");
  const lines = log.split("\n").filter((line) => / by the |line/.test(line));
  t.match(lines[0], /\[mod_ts:notice\].*\[client 127\.0\.0\.1:\d+\] by the request \[id \S+\]$/);
  t.match(lines[1], /\[mod_ts:warn\] \[pid \d+\] by the server$/);
  t.match(lines[2], /\[mod_ts:error\].*\[client 127\.0\.0\.1:\d+\] by the connection$/);
  t.match(lines[3], /line\\x0abreak/, "a line break writes no line of its own");
  t.strictSame(await ask("time"), [true]);
});

/** What `send.ts` answers: the file, the offset, the length. */
function send(query: string): ReturnType<typeof apache.request> {
  return apache.request(`/send?${query}`);
}

t.test("sendFile: whole, from an offset, with a length, through a link", async (t) => {
  t.match(await send("file.txt"), { body: "0123456789", headers: { "content-length": "10" } });
  t.match(await send("file.txt,4"), { body: /^456789$/ });
  t.match(await send("file.txt,4,3"), { body: /^456$/, headers: { "content-length": "3" } });
  t.match(await send("file.txt,4,300"), { body: /^456789$/ });
  t.match(await send("file.txt,40"), { status: 200, body: /^$/ });
  t.match(await send("link.txt"), { body: "0123456789" });
  t.equal((await send("missing.txt")).status, 500);
  await until(apache.sidecarLog, /cannot send \S+missing\.txt/);
});

t.test("a handler that is null is a 500", async (t) => {
  t.equal((await apache.request("/none/x")).status, 500);
  t.match(
    await until(() => apache.sidecarLog(), "NOT_CALLABLE"),
    /nothing of .*request\.ts is null/,
  );
});

t.test("a thrown OK goes on with the list, a thrown DONE ends it", async (t) => {
  t.match(await apache.request("/server-return"), { status: 200, body: /^ok ok done$/ });
});

t.test(
  "redirect() from fixup: 302 and its own text; no later handler, no ErrorDocument",
  async (t) => {
    const reply = await apache.request("/util-redirect");
    t.match(reply, { status: 302, body: /^gone away$/, headers: { location: /\/elsewhere$/ } });
    t.notMatch(apache.sidecarLog(), "never called");
  },
);

t.test("the exact order of chains over authen, authz, fixup and content", async (t) => {
  const { body } = await apache.request("/phases");
  t.strictSame(body.split(" "), [
    "authen=DECLINED",
    "authen=user",
    "authz=DECLINED",
    "authz=OK",
    "fixup=OK",
    "fixup=DECLINED",
    "handler=OK",
    "handler=DECLINED",
  ]);
  t.match(await until(() => apache.sidecarLog(), "cleaned up"), "cleaned up after ann");
});

t.test("a handler for one extension in place of the plain one", async (t) => {
  t.equal((await apache.request("/ext/a.pub")).body, "special .pub");
  t.equal((await apache.request("/ext/a.other")).body, "plain");
});
