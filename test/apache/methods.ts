/** Methods: those everybody knows, those of WebDAV, those nobody knows, and TRACE. */
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { RawClient } from "../fixtures/raw-client.ts";
import { until } from "../fixtures/until.ts";

const apache = await startApache(t, {
  conf: `
    <Location /method>
      Use TsHandler method.ts
    </Location>
    <Location /folder>
      Use TsHandler method.ts
    </Location>
    <Location /allow>
      Use TsHandler method.ts::allow
    </Location>
    <Location /head>
      Use TsHandler method.ts::head
    </Location>
  `,
  files: { "htdocs/folder/a.txt": "" },
  handlers: {
    "method.ts": handlerFile("methods-method.ts"),
  },
});

/** Methods with the numbers that httpd has for them (httpd.h); those it has no number for are 26, M_INVALID. */
const methods: Record<string, number> = {
  GET: 0,
  PUT: 1,
  POST: 2,
  DELETE: 3,
  OPTIONS: 5,
  PATCH: 7,
  PROPFIND: 8,
  PROPPATCH: 9,
  MKCOL: 10,
  COPY: 11,
  MOVE: 12,
  LOCK: 13,
  UNLOCK: 14,
  REPORT: 21,
  MKACTIVITY: 23,
  MERGE: 25,
  SEARCH: 26,
  PURGE: 26,
  QUERY: 26,
  "M-SEARCH": 26,
};

for (const [method, number] of Object.entries(methods)) {
  t.test(`${method} reaches the handler, with a body and without`, async (t) => {
    for (const body of ["body", ""]) {
      const reply = await ask(method, "/method", body);
      t.match(reply, /^HTTP\/1.1 200 /);
      t.match(reply, `X-Method: ${method}\r\n`);
      t.same(JSON.parse(reply.split("\r\n\r\n")[1] ?? ""), [method, number, false, body]);
    }
  });
}

t.test("a directory without its slash", async (t) => {
  t.match(await ask("POST", "/folder", "body"), /^HTTP\/1.1 200 [^]*"body"\]$/, "keeps the body");
  t.match(await ask("POST", "/folder/", "body"), /^HTTP\/1.1 200 [^]*"body"\]$/);
  t.match(await ask("GET", "/folder", ""), /^HTTP\/1.1 301 /, "relative links need the slash");
});

/** Node's own client refuses some of what is asked here. */
function ask(method: string, path: string, body = "", ...headers: string[]): Promise<string> {
  return new RawClient(apache.port)
    .head(
      `${method} ${path} HTTP/1.1`,
      "Connection: close",
      `Content-Length: ${body.length}`,
      ...headers,
    )
    .send(body).closed;
}

t.test("any Content-Type is the handler's business", async (t) => {
  for (const type of ["", "x", "/;;=", "application/json", "multipart/form-data"]) {
    for (const method of ["POST", "QUERY", "GET"]) {
      t.match(await ask(method, "/method", "{", `Content-Type: ${type}`), /^HTTP\/1.1 200 /);
    }
  }
});

t.test("a method that Node does not know is 501, and harms nobody", async (t) => {
  for (const method of ["BREW", "get", "X"]) {
    const reply = await ask(method, "/method");
    t.match(reply, /^HTTP\/1.1 501 Not Implemented\r\n/);
    t.match(reply, /<h1>Not Implemented<\/h1>/);
    const line = `MODTS_UNKNOWN_METHOD: request method ${method} `;
    t.match(await until(apache.sidecarLog, line), line);
  }
  t.match(await ask("GET", "/method"), /^HTTP\/1.1 200 /);
});

t.test("TRACE and CONNECT never get as far as the handler", async (t) => {
  t.match(await ask("TRACE", "/method"), /^HTTP\/1.1 405 /);
  t.match(await ask("CONNECT", "/method"), /^HTTP\/1.1 40[05] /);
});

t.test("OPTIONS * is Apache's", async (t) => {
  const reply = await ask("OPTIONS", "*");
  t.match(reply, /^HTTP\/1.1 200 /);
  t.notMatch(reply, /X-Method/);
});

t.test("allowMethods: the Allow of a 405", async (t) => {
  t.match(await apache.request("/allow", { method: "POST" }), {
    status: 405,
    headers: { allow: "GET, PROPFIND" },
  });
});

t.test("HEAD: headers without a body", async (t) => {
  const head = (args: string): ReturnType<typeof apache.request> =>
    apache.request(`/head?${args}`, { method: "HEAD" });
  t.match(await apache.request("/method", { method: "HEAD" }), {
    status: 200,
    body: "",
    headers: { "x-method": "HEAD", "content-length": "18" },
  });
  t.match(await head(""), { status: 200, body: "" });
  t.match(await head("length"), { status: 200, headers: { "content-length": "1000" } });
  t.match(await head("response"), { status: 200, body: "", headers: { "content-length": "4" } });
  t.match(await head("flush"), { status: 200, body: "" });
  t.match(await head("error"), { status: 404, body: "" });
});

t.test("HEAD leaves a client connection that works", async (t) => {
  const client = new RawClient(apache.port);
  for (const args of ["", "length", "response", "flush", "error"]) {
    client.head(`HEAD /head?${args} HTTP/1.1`);
  }
  client.head("GET /method HTTP/1.1", "Connection: close");
  t.equal((await client.closed).match(/HTTP\/1.1 \d+/g)?.length, 6);
  t.match(client.text, /\r\n\r\n\["GET",0,false,""\]$/);
});
