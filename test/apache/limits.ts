/** What a peer must not be able to do: too much, malformed, or without being Apache. Nothing of it ends the process. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { freePort } from "../../src/httpd/private-server.ts";
import { contextHeader } from "../fixtures/context-header.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { startApache, temporaryFolder } from "../fixtures/httpd.ts";
import { logSince } from "../fixtures/log-since.ts";
import { until } from "../fixtures/until.ts";
import { RawClient } from "../fixtures/raw-client.ts";

const handlers = { "ok.ts": handlerFile("limits-ok.ts"), "long.ts": handlerFile("limits-long.ts") };
const conf = `
  <Location /long>
    Use TsHandler long.ts
  </Location>
  LimitRequestFields 200
  LimitRequestFieldSize 100000
  <Location /x>
    Use TsHandler ok.ts
  </Location>
`;
const apache = await startApache(t, {
  conf,
  handlers,
  config: { limits: { headerBytes: 16_384 } },
});

/** Straight to the worker, as nobody but Apache should be able to. */
const direct = (): RawClient => new RawClient(join(apache.folder, "run/main.sock"));

const context = `Mod-Ts-Context: ${contextHeader()}`;
const config = "Mod-Ts-Config: handler ok.ts";

/** Sends header lines straight to the worker. */
const ask = (...lines: string[]): Promise<string> =>
  direct().head("GET /x HTTP/1.1", "Connection: close", ...lines).closed;

t.test("a request as Apache sends it passes", async (t) => {
  t.match(await ask(context, config), /^HTTP\/1.1 200 [^]*ok$/);
});

t.test("a header block over the limit is 431", async (t) => {
  const big = "a".repeat(20_000);
  const logged = logSince(apache.sidecarLog);
  const reply = await ask(context, config, `X-Big: ${big}`);
  t.match(reply, /^HTTP\/1.1 431 Request Header Fields Too Large\r\n[^]*<h1>/);
  t.match(await logged("MODTS_HEADERS_TOO_LARGE"), "MODTS_HEADERS_TOO_LARGE");
  const headers = { "x-big": big };
  t.equal((await apache.request("/x", { headers })).status, 431, "so it is through Apache");
  t.equal((await apache.request("/x", { headers: { "x-big": "a".repeat(10_000) } })).status, 200);
});

const malformed: Record<string, [string, RegExp]> = {
  "no HTTP": ["GARBAGE\r\n\r\n", /HPE_INVALID_METHOD/],
  "a TLS handshake": ["\x16\x03\x01\x02\x00", /HPE_INVALID_METHOD/],
  "HTTP/2": ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", /HPE_PAUSED_H2_UPGRADE/],
  "a version that does not exist": ["GET / HTTP/9.9\r\n\r\n", /HPE_INVALID_VERSION/],
  "a folded first header": ["GET / HTTP/1.1\r\n bad\r\n\r\n", /HPE_UNEXPECTED_SPACE/],
  "a header name with a space": ["GET / HTTP/1.1\r\nA b: c\r\n\r\n", /HPE_INVALID_HEADER_TOKEN/],
  "bare line feeds": ["GET / HTTP/1.1\nHost: x\n\n", /HPE_/],
  "a length that is none": ["POST / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", /HPE_/],
  "two lengths": [
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    /HPE_UNEXPECTED_CONTENT_LENGTH/,
  ],
  "a length and chunks": [
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    /HPE_INVALID_TRANSFER_ENCODING/,
  ],
  "chunks of no size": [
    `POST /x HTTP/1.1\r\nHost: x\r\n${context}\r\n${config}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
    /HPE_INVALID_CHUNK_SIZE/,
  ],
};

for (const [name, [bytes, reason]] of Object.entries(malformed)) {
  t.test(`${name}: 400`, async (t) => {
    const logged = logSince(apache.sidecarLog);
    t.match(await direct().send(bytes).closed, /^HTTP\/1.1 400 Bad Request\r\n/);
    const log = await logged(reason);
    t.match(log, "MODTS_BAD_REQUEST");
    t.match(log, reason);
  });
}

const forged: Record<string, [number, string, string[]]> = {
  "no context": [403, "MODTS_CONTEXT_MISSING", []],
  "an empty context": [403, "MODTS_CONTEXT_INVALID", ["Mod-Ts-Context: "]],
  "too few fields": [403, "MODTS_CONTEXT_INVALID", ["Mod-Ts-Context: 1;x"]],
  "too many fields": [403, "MODTS_CONTEXT_INVALID", [`${context};x`]],
  "another version": [
    403,
    "MODTS_CONTEXT_INVALID",
    [`Mod-Ts-Context: ${contextHeader({ version: "1" })}`],
  ],
  "two contexts": [403, "MODTS_CONTEXT_INVALID", [context, context]],
  "a client that named our headers in Connection": [
    403,
    "MODTS_CONTEXT_INVALID",
    [`Mod-Ts-Context: ${contextHeader({ connection: "close, mod-ts-config" })}`],
  ],
  "a malformed escape": [
    400,
    "MODTS_BAD_URL",
    [`Mod-Ts-Context: ${contextHeader({ requestLine: "GET /%zz HTTP/1.1" })}`],
  ],
};

for (const [name, [status, code, lines]] of Object.entries(forged)) {
  t.test(`${name}: ${status} ${code}`, async (t) => {
    const logged = logSince(apache.sidecarLog);
    const reply = await ask(config, ...lines);
    t.match(reply, new RegExp(`^HTTP/1.1 ${status} `));
    t.notMatch(reply, /mod_ts|MODTS|context/i, "the peer does not learn why");
    t.match(await logged(code), code);
  });
}

t.test("directives that no macro writes: 500, and the line in the log", async (t) => {
  const wrong = /MODTS_BAD_CONFIG_LINE|MODTS_BAD_REFERENCE/;
  for (const line of ["nonsense", "debug maybe", "handler", "handler a::b::c"]) {
    const logged = logSince(apache.sidecarLog);
    t.match(await ask(context, `Mod-Ts-Config: ${line}`), /^HTTP\/1.1 500 /, line);
    t.match(await logged(wrong), wrong, line);
  }
  const logged = logSince(apache.sidecarLog);
  t.match(await ask(context), /^HTTP\/1.1 500 /);
  t.match(await logged("MODTS_NO_HANDLER"), "MODTS_NO_HANDLER");
});

/** The answer of Apache to a path that no client library would send. */
const get = (path: string): Promise<string> =>
  new RawClient(apache.port).head(`GET ${path} HTTP/1.1`, "Connection: close").closed;

t.test("odd URLs through Apache", async (t) => {
  for (const path of ["/x/%zz", "/x/%", "/x/%2e%2e/%2e%2e"])
    t.match(await get(path), / 400 /, path);
  t.match(await get("/x/%00"), / 404 /);
  for (const path of ["/x?%zz", "/x?%", "/x/%ff", "/x/%E2%82"])
    t.match(await get(path), / 200 /, path);
});

t.test("over TCP the secret decides", async (t) => {
  const port = await freePort("127.0.0.1");
  const secret = "0123456789abcdef";
  const before = `Define MOD_TS_TCP 127.0.0.1:${port}\nDefine MOD_TS_SECRET ${secret}`;
  const listen = { host: "127.0.0.1", port };
  const tcp = await startApache(t, { before, conf, handlers, config: { listen, secret } });
  t.match(await tcp.request("/x"), { status: 200, body: "ok" });
  const stranger = (given: string): Promise<string> =>
    new RawClient(port).head(
      "GET /x HTTP/1.1",
      "Connection: close",
      `Mod-Ts-Context: ${contextHeader({ secret: given })}`,
      config,
    ).closed;
  t.match(await stranger(secret), / 200 /);
  for (const wrong of ["", "x", "0123456789abcdeF", `${secret}x`, secret.slice(1)]) {
    t.match(await stranger(wrong), /^HTTP\/1.1 403 /, wrong);
  }
  t.match(await until(tcp.sidecarLog, "MODTS_SECRET_WRONG"), "MODTS_SECRET_WRONG");
  t.notMatch(tcp.sidecarLog(), secret);
});

t.test("on a network without a secret it does not start", async (t) => {
  for (const host of ["0.0.0.0", "::"]) {
    const folder = temporaryFolder(t);
    const listen = { host, port: await freePort("127.0.0.1") };
    writeFileSync(join(folder, "mod-ts.config.json"), JSON.stringify({ listen, run: "run" }));
    const cli = join(import.meta.dirname, "../../src/cli/cli.ts");
    const { status, stderr, stdout } = spawnSync(process.execPath, [cli, "start", folder], {
      encoding: "utf8",
      timeout: 20_000,
    });
    t.not(status, 0, "it ends with an error");
    t.match(stdout + stderr, /MODTS_SECRET_REQUIRED: listening on .* requires a shared secret/);
  }
});

t.test("none of this ended the process", async (t) => {
  t.match(await apache.request("/x"), { status: 200, body: "ok" });
  t.notMatch(apache.sidecarLog(), /MODTS_WORKER_DIED/);
});

t.test("a response header arrives whole, or is an error that names it", async (t) => {
  for (const length of [8190, 15_990]) {
    const { status, headers } = await apache.request(`/long?${length}`);
    t.match({ status, length: headers["x-long"]?.length }, { status: 200, length });
  }
  t.equal((await apache.request("/long?16000")).status, 500, "more than Apache reads");
  t.match(await until(apache.sidecarLog, /MODTS_BAD_HEADER.*X-Long/), "16006 bytes");
});
