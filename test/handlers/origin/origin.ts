import t from "tap";
import { createOrigin, Origin } from "../../../src/handlers/origin/origin.ts";
import { startEngine } from "../../fixtures/gateway.ts";
import { answering, startRawServer } from "../../fixtures/origin.ts";
import { until } from "../../fixtures/until.ts";

const foreignOnly = new Origin(undefined);
t.teardown(() => foreignOnly.close());
const declining = { handler: () => -1 };

t.test("the last of a list answers", async (t) => {
  const server = await startRawServer(t, answering("from there", "X-A: 1"));
  const peer = await startEngine(t, { declining, origin: createOrigin(foreignOnly) });
  const lines = ["handler declining mod_ts/origin", `option mod_ts.origin.url ${server.url}`];
  t.match(await peer.ask(lines, { body: "text", method: "PUT" }), {
    status: 200,
    body: "from there",
    headers: { "x-a": "1" },
  });
  t.match(
    server.bytes(),
    /^PUT \/a\/b\?x=1 HTTP\/1\.1\r\n[^]*\r\ncontent-length: 4\r\n[^]*\r\n\r\ntext$/,
  );
});

t.test("no upstream named, and Apache cannot be called back", async (t) => {
  const peer = await startEngine(t, { origin: createOrigin(foreignOnly) });
  t.equal((await peer.ask(["handler mod_ts/origin"])).status, 500);
  t.match(peer.log(), /MODTS_ORIGIN_UNSET/);
});

const secret = "0123456789abcdef";
const mark = `Mod-Ts-Origin: 1;${btoa("/srv/www")};text/plain`;

async function start(t: import("tap").Test, answer: string | undefined) {
  const apache = await startRawServer(t, ({ socket }) => {
    if (answer !== undefined) socket.write(answer);
  });
  const origin = new Origin({ url: apache.url, secret, calls: 1 });
  t.teardown(() => origin.close());
  const handler = async (req: Parameters<Origin["pass"]>[0]) => {
    await origin.pass(req);
    return 0;
  };
  const unread = async (req: Parameters<Origin["fetch"]>[0]) => {
    await origin.fetch(req);
    return new Response("own");
  };
  const peer = await startEngine(t, { pass: { handler }, unread: { handler: unread } });
  return { apache, peer };
}

t.test("a call back: token, client, the request as it came", async (t) => {
  const answer = `HTTP/1.1 200 OK\r\n${mark}\r\nContent-Length: 2\r\n\r\nok`;
  const { apache, peer } = await start(t, answer);
  t.match(await peer.ask(["handler pass"]), { status: 200, body: "ok" });
  t.match(apache.bytes(), /^GET \/a%2Fb\?x=1 HTTP\/1\.1\r\n/);
  t.match(apache.bytes(), /\r\nmod-ts-origin: pass;1;;[0-9a-f]{40}\r\n/);
  t.match(apache.bytes(), /\r\nmod-ts-client-[0-9a-f]{32}: 192\.0\.2\.7\r\n/);
});

t.test("a response that nobody reads gives its place back", async (t) => {
  const answer = `HTTP/1.1 200 OK\r\n${mark}\r\nContent-Length: 20000\r\n\r\nsome`;
  const { apache, peer } = await start(t, answer);
  for (let round = 1; round <= 3; round += 1) {
    t.match(await peer.ask(["handler unread"]), { status: 200, body: "own" });
  }
  await until(() => String(apache.open()), "0");
  t.equal(apache.open(), 0);
});

t.test("a client that goes away before the answer", async (t) => {
  const { apache, peer } = await start(t, undefined);
  const { connect } = await import("node:net");
  const { contextHeader } = await import("../../fixtures/context-header.ts");
  const client = connect(peer.port, "127.0.0.1");
  client.write(
    `GET / HTTP/1.1\r\nHost: x\r\nMod-Ts-Context: ${contextHeader()}\r\nMod-Ts-Config: handler pass\r\n\r\n`,
  );
  await until(() => String(apache.open()), "1");
  client.destroy();
  await until(() => String(apache.open()), "0");
  t.equal(apache.open(), 0, "nothing waits for nobody");
});

t.test("one place: the next waits, the third is turned away", async (t) => {
  const { apache, peer } = await start(t, undefined);
  const first = peer.ask(["handler pass"]);
  await until(() => String(apache.open()), "1");
  const second = peer.ask(["handler pass"]);
  const third = await Promise.race([peer.ask(["handler pass"]), second]);
  t.match(third, { status: 503, headers: { "retry-after": "1" } });
  for (const round of [1, 2]) {
    await until(() => String(apache.connections.length), String(round));
    const { socket } = apache.connections[round - 1]!;
    await until(() => apache.connections[round - 1]!.text, "\r\n\r\n");
    socket.end(`HTTP/1.1 200 OK\r\n${mark}\r\nContent-Length: 2\r\n\r\nok`);
  }
  t.same(
    (await Promise.all([first, second])).map(({ status }) => status),
    [200, 200],
  );
});

t.test("an answer that is not Apache's", async (t) => {
  const { peer } = await start(t, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret");
  const reply = await peer.ask(["handler pass"]);
  t.equal(reply.status, 502);
  t.notMatch(reply.body, /secret/);
  t.match(peer.log(), /MODTS_ORIGIN_REFUSED: .*127\.0\.0\.1:\d+ .*status 200/);
});
