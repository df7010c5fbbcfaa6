import { writeFileSync, mkdtempSync, chmodSync, readFileSync, rmSync } from "node:fs";
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { get as getSecurely } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { WebSocket } from "ws";
import { createCertificate } from "../../fixtures/certificate.ts";
import { Running, modTs, startDev } from "../../fixtures/mod-ts.ts";
import { until } from "../../fixtures/until.ts";

/** Short, and open to Apache's user. */
function folderOf(t: Test, files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), "mod-ts-dev-test-"));
  chmodSync(folder, 0o755);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  t.teardown(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}

const allowed = ["--allowed-host", "my.test", "--allowed-host", ".sub.test"];

/** With a `Host` of its own, which fetch() does not allow, on a new connection. */
function askAs(host: string, url: URL): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const request = get(url, { headers: { host }, agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
      response.once("end", () => resolve({ status: response.statusCode, body }));
    });
    request.once("error", reject);
  });
}

t.test("Apache and sidecar, reload included, until a signal", async (t) => {
  const folder = folderOf(t, {
    "hello.ts": "export function handler(req: { write(text: string): void }) { req.write('one'); }",
    "apache.conf":
      "<Location /hello>\n  Use TsHandler hello.ts\n</Location>\n<Files around.*>\n  Use TsAroundHandler mod_ts/origin\n</Files>\n",
    "index.html": "static",
    "page.html": "<body>Apache's</body>",
    "around.txt": "of Apache",
    "around.html": "<body></body>",
    ".env": "DEV_WORD='of .env'\n",
  });
  const running = new Running("dev", folder, "--port", "0", ...allowed);
  t.teardown(() => running.child.kill("SIGKILL"));
  const line = await running.logged("mod_ts is ready: ");
  const url = /http:\S+/.exec(line)?.[0] ?? "";
  const text = async (path: string): Promise<string> => (await fetch(new URL(path, url))).text();
  const status = async (path: string): Promise<number> => (await fetch(new URL(path, url))).status;
  t.match(await text("hello"), /^one/);
  const conf = readFileSync(join(folder, ".mod-ts/httpd/httpd.conf"), "utf8");
  t.match(
    conf,
    `Include "${folder}/.mod-ts/mod_ts.conf"`,
    "that of a package may be in a zip file",
  );
  writeFileSync(
    join(folder, "hello.ts"),
    "export function handler(req) { req.write(`two ${req.headersIn.get('accept-encoding')}`); }",
  );
  t.match(await text("hello"), /^two/, "the request after the save");
  const navigation = { headers: { "sec-fetch-dest": "document", accept: "text/html" } };
  const page = await (await fetch(new URL("hello", url), navigation)).text();
  t.match(page, /^two undefined\n<script/, "no compressed page, which could not be refreshed");
  t.match(await text("hello"), /^two .*gzip/, "for scripts as always");
  writeFileSync(
    join(folder, "hello.ts"),
    `process.loadEnvFile(import.meta.dirname + "/.env");
    export function handler(req) { req.write("two " + process.env.DEV_WORD); }`,
  );
  t.match(await text("hello"), /^two of .env/);
  writeFileSync(join(folder, ".env"), "DEV_WORD=changed\n");
  await running.logged("reloaded, generation 2");
  t.match(await text("hello"), /^two changed/, "a saved .env");
  t.equal(await text(""), "static");
  t.equal(await text("around.txt"), "of Apache", "Apache can be called back");
  for (const path of ["hello.ts", ".env", "apache.conf", ".mod-ts/httpd/httpd.conf"]) {
    t.equal(await status(path), 403, path);
  }
  const host = async (name: string, path: string) =>
    await askAs(`${name}:${new URL(url).port}`, new URL(path, url));
  for (const path of ["hello", "", "around.txt", ".mod-ts/refresh", "none"]) {
    t.match(await host("evil.example", path), { status: 403, body: /--allowed-host/ }, path);
  }
  for (const name of ["127.0.0.1", "localhost", "site.localhost", "my.test", "a.sub.test"]) {
    t.match(await host(name, "hello"), { status: 200, body: /^two/ }, name);
  }
  const ofApache = await (await fetch(new URL("page.html", url), navigation)).text();
  const tag = "<script async src='/.mod-ts/refresh?::script=1'></script>";
  t.equal(ofApache.trim(), `<body>Apache's${tag}</body>`, "a page of Apache is refreshed, too");
  t.equal(await text("page.html"), "<body>Apache's</body>");
  const around = await (await fetch(new URL("around.html", url), navigation)).text();
  t.equal(around.split("<script").length, 2, "once");
  const script = await text(".mod-ts/refresh?::script=1");
  const search = /address\.search = "(.+)"/.exec(script)?.[1] ?? "";
  const { body } = await fetch(new URL(`.mod-ts/refresh?${search}`, url));
  const saving = setInterval(() => writeFileSync(join(folder, "page.html"), "saved"), 100);
  t.teardown(() => clearInterval(saving));
  let heard = "";
  for await (const part of body!.pipeThrough(new TextDecoderStream())) {
    heard += part;
    if (heard.includes("event: reload")) break;
  }
  clearInterval(saving);
  t.match(heard, "event: reload");
  const events = await fetch(new URL(".mod-ts/refresh", url));
  t.equal(events.headers.get("content-type")?.split(";")[0], "text/event-stream");
  await events.body?.cancel();
  writeFileSync(
    join(folder, "hello.ts"),
    "export const handler = () => void process.kill(process.pid, 'SIGKILL');",
  );
  // On a kept connection, Apache closes it, and browsers try once more.
  const lost = /^mod-ts dev: the worker ended .* the terminal says where/;
  t.match(await host("localhost", "hello"), { status: 502, body: lost });
  const ended = new Promise((resolve) => running.child.once("exit", resolve));
  running.child.kill("SIGTERM");
  t.equal(await ended, 0);
  await t.rejects(fetch(url), "Apache has ended, too");
});

t.test("a guard that nobody passes says why, in terminal and browser", async (t) => {
  const guard = "Use TsAuthenHandler users.ts";
  const folder = folderOf(t, {
    "users.ts": "export const authenHandler = () => 401;",
    "apache.conf": `<LocationMatch "^/(closed|100%{x})$">\n  ${guard}\n</LocationMatch>\n`,
  });
  const { running, url } = await startDev(t, folder);
  const ask = (path: string, text: RegExp): Promise<string> =>
    until(async () => {
      // A graceful restart ends kept connections, also one that a request is just sent on.
      const reply = await fetch(new URL(path, url), { headers: { connection: "close" } });
      return `${reply.status} ${await reply.text()}`;
    }, text);
  const page =
    /^403 .*\^\/\(closed\|100&#37;&#123;x&#125;\)&#36;&quot;&gt; is closed: TsAuthenHandler users\.ts has no Require line.*apache\.conf:2<br>Fix: add Require valid-user/;
  t.match(await ask("closed", page), page);
  const passable = `<Location /closed>\n  ${guard}\n  Require valid-user\n</Location>\n`;
  writeFileSync(join(folder, "apache.conf"), passable);
  t.match(await ask("closed", /^401/), /^401/);
  writeFileSync(join(folder, "apache.conf"), passable.replace("valid-user", "all granted"));
  t.match(await running.logged("guard-open"), /<Location \/closed> is open/);
});

t.test("TLS in apache.conf", async (t) => {
  const folder = folderOf(t, {
    "tls.ts": "export const handler = (req) => new Response(String(req.isHttps()));",
  });
  const { cert, key } = createCertificate(folder, "localhost");
  const conf = `SSLEngine On
    SSLCertificateFile "${cert}"
    SSLCertificateKeyFile "${key}"
    <Location /tls>\nUse TsHandler tls.ts\n</Location>\n`;
  writeFileSync(join(folder, "apache.conf"), conf);
  const { url } = await startDev(t, folder);
  const request = getSecurely(
    new URL("tls", url.replace("http://127.0.0.1", "https://localhost")),
    {
      ca: readFileSync(cert),
      family: 4,
    },
  );
  const [response] = (await once(request, "response")) as [IncomingMessage];
  t.equal(response.statusCode, 200);
  t.equal(Buffer.concat(await response.toArray()).toString(), "true");
});

t.test("300 open WebSockets leave room for other requests", async (t) => {
  const folder = folderOf(t, {
    "socket.ts":
      'export const webSocketHandler = () => {};\nexport const handler = () => new Response("free");',
    "apache.conf": "<Location /socket>\n  Use TsHandler socket.ts\n</Location>\n",
  });
  const { url } = await startDev(t, folder);
  const address = new URL("socket", url.replace("http", "ws"));
  const sockets = Array.from({ length: 300 }, () => new WebSocket(address));
  t.teardown(() => {
    for (const socket of sockets) socket.terminate();
  });
  await Promise.all(sockets.map((socket) => once(socket, "open")));
  t.equal(await (await fetch(new URL("socket", url))).text(), "free");
});

t.test("a mistake in apache.conf ends it with httpd's words", async (t) => {
  const folder = folderOf(t, { "apache.conf": "Use TsHandlr hello.ts\n" });
  const { code, stderr } = await modTs("dev", folder);
  t.equal(code, 1);
  t.match(stderr, /MODTS_HTTPD_FAILED[^]*apache\.conf[^]*tshandlr[^]*did you mean TsHandler\?/i);
});

t.test("wrong arguments", async (t) => {
  for (const argv of [
    ["/no/such/folder"],
    [".", "--port", "x"],
    [".", "--port", "65536"],
    [".", "--allowed-host", "a b"],
  ]) {
    t.equal((await modTs("dev", ...argv)).code, 2, argv.join(" "));
  }
});
