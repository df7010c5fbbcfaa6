/** CGI scripts in TypeScript and JavaScript, as they are written for any server, through Apache. */
import { createHash, randomBytes } from "node:crypto";
import t from "tap";
import { startCgi } from "../fixtures/cgi.ts";
import { handlerFiles } from "../fixtures/handler-file.ts";

const apache = await startCgi(t, handlerFiles("cgi"), {
  more: `<Location /cgi/counted.js>\nSetEnv proxy-sendcl 1\n</Location>`,
  conf: `SetEnv FROM_CONF yes\nUse TsPassEnv FROM_CONF`,
});

const env = async (path: string, ask = {}) =>
  JSON.parse((await apache.request(path, ask)).body) as Record<string, string>;

t.test("the environment of RFC 3875, and nothing of the sidecar's own", async (t) => {
  const variables = await env("/cgi/env.ts/more/info?a=1&b=%20", {
    headers: {
      "X-Name": "J\xc3\xbcrgen",
      Proxy: "http://evil/",
      Authorization: "Basic YTpi",
      Cookie: "c=1",
    },
  });
  t.match(variables, {
    GATEWAY_INTERFACE: "CGI/1.1",
    SERVER_PROTOCOL: "HTTP/1.1",
    REQUEST_METHOD: "GET",
    QUERY_STRING: "a=1&b=%20",
    SCRIPT_NAME: "/cgi/env.ts",
    PATH_INFO: "/more/info",
    PATH_TRANSLATED: `${apache.folder}/htdocs/more/info`,
    SCRIPT_FILENAME: `${apache.folder}/handlers/cgi/env.ts`,
    REQUEST_URI: "/cgi/env.ts/more/info?a=1&b=%20",
    REMOTE_ADDR: "127.0.0.1",
    REMOTE_HOST: "127.0.0.1",
    SERVER_PORT: String(apache.port),
    SERVER_SOFTWARE: /^Apache/,
    SERVER_NAME: /./,
    DOCUMENT_ROOT: /htdocs/,
    HTTP_X_NAME: "Jürgen",
    HTTP_COOKIE: "c=1",
    FROM_CONF: "yes",
    PATH: /bin/,
  });
  for (const name of [
    "HTTP_PROXY",
    "HTTP_AUTHORIZATION",
    "HOME",
    "PWD",
    "USER",
    "CONTENT_LENGTH",
  ]) {
    t.notOk(name in variables, name);
  }
  t.notMatch(Object.keys(variables).join(" "), /MOD_TS|TAP|NODE/);
});

t.test("a form, cookies, repeated headers; framing is not the script's", async (t) => {
  const body = "name=J%C3%BCrgen&x=1";
  const reply = await apache.request("/cgi/form.ts", {
    method: "POST",
    headers: { "Content-Type": "application/x-www-form-urlencoded" },
    body,
  });
  t.match(reply, { status: 200, body: `Hello Jürgen, ${body.length}` });
  t.same(reply.headers["set-cookie"], ["a=1", "b=2"]);
  t.equal(reply.headers["x-one"], "1, 2");
  t.equal(reply.headers["content-type"], "text/plain; charset=utf-8");
  // On a busy machine the end of the script comes after its output was flushed: no length then.
  const length = reply.headers["content-length"] ?? String(Buffer.byteLength(reply.body));
  t.equal(length, String(Buffer.byteLength(reply.body)), "no length but the right one");
});

t.test("CommonJS that reads descriptor 0 and writes to 1", async (t) => {
  const reply = await apache.request("/cgi/sync.cjs", { method: "POST", body: "abc" });
  t.match(reply, { status: 200, body: "true ABC" });
});

t.test("a body without length is read to its end; CONTENT_LENGTH is missing then", async (t) => {
  const head =
    "POST /cgi/sync.cjs HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
  t.match(await apache.raw(`${head}3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n`), /true ABCDEF/);
});

t.test("unless Apache is told to collect the body first", async (t) => {
  const head =
    "POST /cgi/counted.js HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
  t.match(await apache.raw(`${head}3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n`), /length 6\n/);
});

t.test("status and redirects", async (t) => {
  const missing = await apache.raw(
    "GET /cgi/status.js HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
  );
  t.match(missing, /^HTTP\/1.1 404 Not Here\r\n[^]*own page\n/);
  t.match(await apache.request("/cgi/away.mjs"), {
    status: 302,
    headers: { location: "https://www.example.com/" },
  });
  const local = await apache.request("/cgi/local.js");
  t.match(local, { status: 302, headers: { location: "/cgi/env.ts?from=local" } });
  t.notMatch(local.body, "not shown");
  t.match(await apache.request("/cgi/moved.js"), {
    status: 301,
    headers: { location: "/elsewhere" },
    body: "over there\n",
  });
});

t.test("bytes stay bytes", async (t) => {
  const text = await apache.raw(
    "GET /cgi/binary.ts HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
  );
  const body = text.slice(text.indexOf("\r\n\r\n") + 4);
  t.equal(body, String.fromCharCode(...Array.from({ length: 256 }, (_, index) => index)));
  t.match(text, /\r\nContent-Length: 256\r\n/);
});

t.test("HEAD runs the script and sends no body", async (t) => {
  t.match(await apache.request("/cgi/binary.ts", { method: "HEAD" }), {
    status: 200,
    body: "",
    headers: { "content-length": "256" },
  });
});

t.test("a script works in its own folder; it imports neighbours and mod-ts", async (t) => {
  const reply = await apache.request("/cgi/folder.ts?q");
  const folder = `${apache.folder}/handlers/cgi`;
  t.strictSame(JSON.parse(reply.body), [folder, "a note\n", "a note\nq\n", "a!", "&lt;", true]);
});

t.test("what a run leaves behind is gone", async (t) => {
  for (let run = 0; run < 4; run += 1) {
    t.match(await apache.request("/cgi/global.ts"), { body: "1,behind\n" });
    t.match(await apache.request("/cgi/clean.ts"), {
      body: "undefined,undefined,1,undefined,undefined\n",
    });
  }
});

t.test("a script that says how old it is: conditions hold", async (t) => {
  const headers = { "If-Modified-Since": "Fri, 02 Jan 2026 00:00:00 GMT" };
  t.match(await apache.request("/cgi/dated.ts", { headers }), { status: 304, body: "" });
  t.match(await apache.request("/cgi/dated.ts"), { status: 200, body: "dated\n" });
});

t.test("a saved script runs at the next request", async (t) => {
  apache.put("saved.ts", `console.log("Content-Type: text/plain\\n\\none");`);
  t.equal((await apache.request("/cgi/saved.ts")).body, "one\n");
  apache.put("saved.ts", `console.log("Content-Type: text/plain\\n\\ntwo");`);
  t.equal((await apache.request("/cgi/saved.ts")).body, "two\n");
});

t.test("output is sent as it comes", async (t) => {
  const response = await fetch(`${apache.url}/cgi/slow.ts`);
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  t.equal((await reader.read()).value, "first\n");
  apache.write("handlers/cgi/go.txt", "");
  t.equal((await reader.read()).value, "second\n");
});

t.test("8 MB through a script and back, which mod_proxy does not read meanwhile", async (t) => {
  const body = randomBytes(8_000_000);
  const response = await fetch(`${apache.url}/cgi/echo.ts`, { method: "POST", body });
  const back = Buffer.from(await response.arrayBuffer());
  t.equal(digest(back), digest(body));
  t.equal((await (await fetch(`${apache.url}/cgi/large.ts`)).text()).length, 8_000_000);
});

t.test("a script that does not care for its input answers all the same", async (t) => {
  const body = Buffer.alloc(5_000_000);
  const response = await fetch(`${apache.url}/cgi/large.ts`, { method: "POST", body });
  t.equal((await response.text()).length, 8_000_000);
});

t.test("50 at a time: each sees its own environment alone", async (t) => {
  const numbers = Array.from({ length: 50 }, (_, index) => String(index));
  const seen = await Promise.all(numbers.map((n) => env(`/cgi/env.ts?${n}`)));
  t.strictSame(
    seen.map((variables) => variables["QUERY_STRING"]),
    numbers,
  );
});

function digest(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
