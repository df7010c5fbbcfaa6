/** Protocols other than HTTP and WebSockets, upgraded through a stock mod_proxy_http. */
import t from "tap";
import { startOrigin, startRawServer } from "../fixtures/origin.ts";
import { handlerFile } from "../fixtures/handler-file.ts";
import { RawClient } from "../fixtures/raw-client.ts";
import { until } from "../fixtures/until.ts";

/** Agrees to a protocol, then sends everything back. */
const other = await startRawServer(t, (connection) => {
  const { socket, text } = connection;
  const [head = "", rest] = text.split("\r\n\r\n");
  if (rest === undefined) return;
  const upgrade = /^upgrade: (.+)$/im.exec(head)?.[1];
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${upgrade}\r\n\r\n`,
  );
  socket.removeAllListeners("data").write(`${head.split(" ")[1]} ${upgrade}\n${rest}`);
  socket.setEncoding().pipe(socket);
});

const apache = await startOrigin(t, {
  before: "Define MOD_TS_UPGRADE ANY",
  conf: `
    <Location /line>
      Use TsHandler raw-upgrade.ts
      Use TsOption mod_ts.upgrade "line other"
    </Location>
    <Location /line/denied>
      Use TsFixupHandler raw-upgrade.ts
    </Location>
    <Location /plain>
      Use TsHandler raw-upgrade.ts
    </Location>
    <Location /module>
      Use TsModule raw-upgrade-module.ts
      Use TsOption mod_ts.upgrade line
    </Location>
    <Location /origin>
      Use TsHandler mod_ts/origin
      Use TsOption mod_ts.origin.url http://127.0.0.1:${other.port}
      Use TsOption mod_ts.upgrade line
    </Location>
    <Location /node>
      Use TsHandler mod_ts/node
      Use TsOption mod_ts.node.application raw-upgrade-node.ts
      Use TsOption mod_ts.upgrade line
    </Location>`,
  handlers: {
    "raw-upgrade.ts": handlerFile("raw-upgrade.ts"),
    "raw-upgrade-node.ts": handlerFile("raw-upgrade-node.ts"),
    "raw-upgrade-module.ts": `export { connectionHandler, handler } from "./raw-upgrade.ts";
      export const accessHandler = (req) => (req.args === "no" ? 403 : 0);`,
  },
});

const ask = (path: string, protocol = "line", ...more: string[]): RawClient =>
  new RawClient(apache.port).head(
    `GET ${path} HTTP/1.1`,
    "Connection: Upgrade",
    `Upgrade: ${protocol}`,
    ...more,
  );
/** Status and body of a request that was not upgraded. */
const answerOf = async (client: RawClient, end: RegExp): Promise<string> => {
  const text = await client.until(end);
  client.leave();
  return text;
};

t.test("a connectionHandler serves the connection, both ways", async (t) => {
  const client = ask("/line");
  await client.until(/^HTTP\/1\.1 101 [^]*\r\n\r\nline 127\.0\.0\.1 \/line\r\n$/);
  t.match(client.text, /\r\nUpgrade: line\r\n/i);
  client.send("one\n");
  await client.until(/\r\none\r\n$/);
  client.send(Buffer.from([0x00, 0x7f, 0x0a]));
  await client.until(/\r\n\0\x7f\r\n$/);
  client.send("quit\n");
  await client.closed;
});

t.test("a client that begins at once loses nothing", async (t) => {
  const client = ask("/line", "LINE").send("early\nquit\n");
  t.match(await client.closed, /\r\n\r\nLINE 127\.0\.0\.1 \/line\r\nearly\r\n$/);
});

t.test("a handler that fails ends the connection, with a line in the log", async (t) => {
  const client = ask("/line").send("fail\n");
  t.notMatch(await client.closed, "HTTP/1.1 500");
  await until(() => apache.sidecarLog(), /on purpose/);
});

t.test("a phase before refuses", async (t) => {
  t.match(await answerOf(ask("/line/denied"), /Forbidden/), /^HTTP\/1\.1 403 /);
});

t.test("what the location does not name is ignored", async (t) => {
  const plain = /this speaks lines/;
  for (const protocol of ["h2c", "line, other", "TLS/1.0"]) {
    t.match(await answerOf(ask("/line", protocol), plain), /^HTTP\/1\.1 426 /, protocol);
  }
  t.match(await answerOf(ask("/plain"), plain), /^HTTP\/1\.1 426 /, "without the option");
});

t.test("an application of mod_ts/node", async () => {
  const client = ask("/node/path?a", "line").send("echo\n");
  await client.until(/^HTTP\/1\.1 101 [^]*\r\n\r\n\/node\/path\?a\necho\n$/);
  client.leave();
});

t.test("TsModule, after its phases", async (t) => {
  const client = ask("/module");
  await client.until(/^HTTP\/1\.1 101 [^]*\r\n\r\nline 127\.0\.0\.1 \/module\r\n$/);
  client.send("quit\n");
  await client.closed;
  t.match(await answerOf(ask("/module?no"), /Forbidden/), /^HTTP\/1\.1 403 /);
  t.match(await answerOf(ask("/module", "h2c"), /this speaks lines/), /^HTTP\/1\.1 426 /);
});

t.test("another server behind mod_ts/origin", async () => {
  const client = ask("/origin/path?a", "line").send("early\n");
  await client.until(/^HTTP\/1\.1 101 [^]*\r\n\r\n\/origin\/path\?a line\nearly\n$/);
  client.send("later\n");
  await client.until(/later\n$/);
  client.leave();
});
