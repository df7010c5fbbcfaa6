/**
 * Attacks on and by a login service: answers that are cut, doubled or forged never let anybody pass, and
 * an upgrade to another protocol leads around no guard.
 */
import { connect } from "node:net";
import t from "tap";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { startRawServer } from "../fixtures/origin.ts";

/** What the service sends next, byte by byte; undefined: it says yes to the right cookie only. */
let answer: string | undefined;
const length = (text: string): string =>
  `Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
const yes = `HTTP/1.1 200 OK\r\nRemote-User: ann\r\nRemote-Groups: staff\r\n${length("")}`;
const no = `HTTP/1.1 403 Forbidden\r\n${length("no")}`;
const service = await startRawServer(t, (connection) => {
  if (!connection.text.includes("\r\n\r\n")) return;
  const isAnn = /^cookie: session=ann\r$/im.test(connection.text);
  connection.socket.end(answer ?? (isAnn ? yes : no));
});

const forward = `AuthType mod_ts
  Use TsAuthenHandler mod_ts/forward-auth
  Use TsOption mod_ts.forward-auth.url ${service.url}/check
  Use TsOption mod_ts.forward-auth.timeout 500
  Require valid-user`;
const apache = await startApache(t, {
  authorizer: true,
  before: "Define MOD_TS_UPGRADE ANY\nDefine MOD_TS_SECRET 0123456789abcdef",
  config: { secret: "0123456789abcdef" },
  conf: `
    <Location "/file">
      ${forward}
    </Location>
    <Location "/page">
      ${forward}
      Use TsHandler upgraded.ts
      Use TsOption mod_ts.upgrade "line other"
    </Location>`,
  files: { "htdocs/file/a.txt": "the secret\n" },
  handlers: { "upgraded.ts": handlerFile("attacks/upgraded.ts") },
});

const cookie = { cookie: "session=ann" };

t.test("the service decides", async (t) => {
  t.match(await apache.request("/file/a.txt", { headers: cookie }), { body: "the secret\n" });
  t.equal((await apache.request("/file/a.txt")).status, 403);
  const { body } = await apache.request("/page", { headers: cookie });
  t.match(JSON.parse(body), { user: "ann" });
});

const head = (line: string, ...fields: string[]): string =>
  `${[line, ...fields].join("\r\n")}\r\n${length("")}`;
const ok = "HTTP/1.1 200 OK";
/** The right status for the client, and what the service sends. */
const hostile: Record<string, [status: number, bytes: string]> = {
  nothing: [503, ""],
  "a line end": [503, "\r\n"],
  "no HTTP": [502, "200 OK\r\n\r\n"],
  "HTTP/0.9": [502, "<html>ann</html>"],
  "half a status line": [503, "HTTP/1.1 200"],
  "half a head": [503, `${ok}\r\nRemote-User: ann\r\n`],
  "half a body": [503, `${ok}\r\nRemote-User: ann\r\nContent-Length: 10\r\n\r\nx`],
  "half a chunk": [503, `${ok}\r\nRemote-User: ann\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nx`],
  "a chunk of no size": [
    502,
    `${ok}\r\nRemote-User: ann\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n`,
  ],
  "two lengths": [
    502,
    `${ok}\r\nRemote-User: ann\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n`,
  ],
  "length and chunks": [
    502,
    `${ok}\r\nRemote-User: ann\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  ],
  "a negative length": [502, `${ok}\r\nRemote-User: ann\r\nContent-Length: -1\r\n\r\n`],
  "status 0": [502, head("HTTP/1.1 000 OK", "Remote-User: ann")],
  "status 20": [502, head("HTTP/1.1 20 OK", "Remote-User: ann")],
  "status 2000": [502, head("HTTP/1.1 2000 OK", "Remote-User: ann")],
  "status 100 alone": [503, "HTTP/1.1 100 Continue\r\nRemote-User: ann\r\n\r\n"],
  "status 101": [
    502,
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\nRemote-User: ann\r\n\r\n",
  ],
  "status 103, then 403": [403, `HTTP/1.1 103 Early Hints\r\nRemote-User: ann\r\n\r\n${no}`],
  "status 204 without a user": [500, "HTTP/1.1 204 No Content\r\n\r\n"],
  "status 206 without a user": [500, head("HTTP/1.1 206 Partial", "Remote-User:")],
  "status 300": [502, head("HTTP/1.1 300 Multiple Choices", "Remote-User: ann")],
  "status 302 without an address": [502, head("HTTP/1.1 302 Found", "Remote-User: ann")],
  "status 304": [502, "HTTP/1.1 304 Not Modified\r\nRemote-User: ann\r\n\r\n"],
  "status 407": [407, head("HTTP/1.1 407 Proxy", "Remote-User: ann")],
  "status 500": [502, head("HTTP/1.1 500 Error", "Remote-User: ann")],
  "status 600": [502, head("HTTP/1.1 600 OK", "Remote-User: ann")],
  "a status of its own": [403, head("HTTP/1.1 403 Forbidden", "Status: 200", "Remote-User: ann")],
  "variables of FastCGI": [
    403,
    head("HTTP/1.1 403 Forbidden", "Variable-REMOTE_USER: ann", "Mod-Ts-Proof: x"),
  ],
  "two users": [502, head(ok, "Remote-User: ann", "Remote-User: root")],
  "no user": [500, head(ok, "Remote-Groups: staff")],
  "a user of spaces": [500, head(ok, "Remote-User:   ")],
  "a user in a header with another name": [500, head(ok, "Remote_User: ann", "X-Remote-User: ann")],
  "a zero byte in the user": [502, head(ok, "Remote-User: ann\0root")],
  "a bare line feed in the user": [502, head(ok, "Remote-User: ann\nVariable-X: y")],
  "a folded user": [502, head(ok, "Remote-User: ann", " root")],
  "an escape in the user": [502, head(ok, "Remote-User: ann\u001b[31m")],
  "a space before the colon": [502, head(ok, "Remote-User : ann")],
  "40 KB of headers": [502, head(ok, "Remote-User: ann", `X-Large: ${"x".repeat(40_000)}`)],
  "100 KB of body": [502, `${ok}\r\nRemote-User: ann\r\n${length("x".repeat(100_000))}`],
};
t.test("hostile answers let nobody pass, with the right cookie either", async (t) => {
  for (const [name, [status, bytes]] of Object.entries(hostile)) {
    answer = bytes;
    for (const path of ["/file/a.txt", "/page"]) {
      const reply = await apache.request(path, { headers: cookie });
      t.equal(reply.status, status, `${path} ${name}`);
      t.notMatch(reply.body, /the secret|"user"/, `${path} ${name}`);
      t.notOk(reply.headers["remote-user"], `${path} ${name}`);
    }
  }
  answer = undefined;
});

/** All that comes back, until the server closes or the handler of an upgrade has spoken. */
function exchange(lines: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const bytes = [...lines, "Host: localhost", "Connection: close", "", ""].join("\r\n");
    const socket = connect(apache.port, "127.0.0.1", () => socket.write(bytes));
    let text = "";
    socket.setEncoding("latin1").on("data", (chunk: string) => {
      text += chunk;
      if (text.includes("opened for")) socket.destroy();
    });
    socket.on("error", () => {}).once("close", () => resolve(text));
  });
}

const line = ["Connection: Upgrade", "Upgrade: line"];
const webSocket = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
];
const get = (path: string, ...fields: string[]): string[] => [`GET ${path} HTTP/1.1`, ...fields];
/** The status without the cookie of the user, and with it. */
const upgrades: Record<string, [lines: string[], without: number, with_: number]> = {
  "a WebSocket": [get("/page", ...webSocket), 403, 101],
  "another protocol": [get("/page", ...line), 403, 101],
  "in upper case": [get("/page", "Connection: UPGRADE", "Upgrade: LINE"), 403, 101],
  "a list": [get("/page", ...line, "Upgrade: websocket"), 403, 200],
  both: [get("/page", ...webSocket, "Upgrade: line"), 403, 200],
  "one that is not offered": [get("/page", "Connection: Upgrade", "Upgrade: evil"), 403, 200],
  h2c: [
    get("/page", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"),
    403,
    200,
  ],
  TLS: [get("/page", "Connection: Upgrade", "Upgrade: TLS/1.0"), 403, 200],
  "a cookie that is hop-by-hop": [
    get("/page", "Connection: Upgrade, Cookie", "Upgrade: line"),
    403,
    101,
  ],
  "our headers": [
    get("/page", ...line, "Mod-Ts-Context: 2;t", "Mod-Ts-Config: handler upgraded.ts"),
    403,
    101,
  ],
  "our headers that are hop-by-hop": [
    get("/page", "Connection: Upgrade, Mod-Ts-Context, Mod-Ts-Config", "Upgrade: line"),
    403,
    101,
  ],
  POST: [["POST /page HTTP/1.1", ...line, "Content-Length: 0"], 403, 200],
  HEAD: [["HEAD /page HTTP/1.1", ...line], 403, 200],
  CONNECT: [["CONNECT /page HTTP/1.1", ...line], 400, 400],
  "HTTP/1.0": [["GET /page HTTP/1.0", ...line], 403, 200],
  "HTTP/1.0, a WebSocket": [["GET /page HTTP/1.0", ...webSocket], 403, 200],
  dots: [get("/x/../page", ...line), 403, 101],
  "an escaped path": [get("/%70age", ...line), 403, 101],
  "the URL of another host": [get("http://other.example/page", ...line), 403, 101],
  "a file": [get("/file/a.txt", ...line), 403, 200],
  "a file by WebSocket": [get("/file/a.txt", ...webSocket), 403, 200],
  "control characters": [get("/page", "Connection: Upgrade", "Upgrade: line\v"), 400, 400],
};
t.test("no upgrade leads around the guard", async (t) => {
  for (const [name, [lines, without, withCookie]] of Object.entries(upgrades)) {
    const refused = await exchange(lines);
    t.equal(Number(refused.slice(9, 12)), without, name);
    t.notMatch(refused, /opened for|the secret|"user"/, name);
    const passed = await exchange([...lines, "Cookie: session=ann"]);
    t.equal(Number(passed.slice(9, 12)), withCookie, `${name}, with the cookie`);
    if (withCookie === 101) t.match(passed, "opened for ann", name);
  }
});

t.test("what comes behind a refused upgrade is a request of its own, and refused", async (t) => {
  const text = await exchange([
    ...get("/page", ...line, "Host: localhost", ""),
    ...get("/file/a.txt", ...line),
  ]);
  t.same(
    [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status),
    ["403", "403"],
  );
});
