import { PassThrough, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { ModTsError } from "../../../src/base/errors.ts";
import { type Peer, Proxy } from "../../../src/handlers/origin/proxy.ts";
import { answering, type RawServer, startRawServer } from "../../fixtures/origin.ts";
import { until } from "../../fixtures/until.ts";

const proxy = new Proxy();
t.teardown(() => proxy.close());
const never = new AbortController().signal;
const request = { method: "GET", path: "/a?b", headers: { host: "x" } };

const peer = ({ port }: RawServer, timeout = 5000): Peer => ({
  name: "the peer",
  target: { protocol: "http:", hostname: "127.0.0.1", port: String(port) },
  timeout,
  keepAlive: true,
});

t.test("connections are kept, and one that was closed meanwhile is not missed", async (t) => {
  const server = await startRawServer(t, answering("ok", "Keep-Alive: timeout=60"));
  for (const wanted of [1, 1]) {
    t.equal(await text(await proxy.send(peer(server), request, never)), "ok");
    await turn();
    t.equal(server.connections.length, wanted);
  }
  t.match(server.bytes(), /^GET \/a\?b HTTP\/1\.1\r\nhost: x\r\n/);

  // The next request finds the connection kept, and reset under its hands.
  let fail = true;
  const fickle = await startRawServer(t, (connection) => {
    const isSecond = connection.text.split("\r\n\r\n").length === 3;
    if (isSecond && fail) {
      fail = false;
      return void connection.socket.resetAndDestroy();
    }
    connection.socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
  await text(await proxy.send(peer(fickle), request, never));
  await turn();
  t.equal(await text(await proxy.send(peer(fickle), request, never)), "ok");
  t.equal(fickle.connections.length, 2);
  const post = { ...request, method: "POST", headers: { host: "x", "content-length": "0" } };
  await text(await proxy.send(peer(fickle), post, never));
  t.equal(fickle.connections.length, 3, "what must not be sent twice gets a new connection");
});

t.test("no connection is kept where that is not wanted", async (t) => {
  const server = await startRawServer(t, answering("ok"));
  for (const wanted of [1, 2]) {
    const answer = await proxy.send({ ...peer(server), keepAlive: false }, request, never);
    t.equal(await text(answer), "ok");
    t.equal(server.connections.length, wanted);
  }
  t.match(server.bytes(), /\r\nconnection: close\r\n/i);
});

t.test("nobody answers in time, or wants the answer any more", async (t) => {
  const silent = await startRawServer(t, () => {});
  await t.rejects(proxy.send(peer(silent, 50), request, never), {
    code: "MODTS_ORIGIN_TIMEOUT",
    status: 504,
    message: /the peer .*50 ms/,
  });
  const client = new AbortController();
  const asked = proxy.send(peer(silent), request, client.signal);
  await until(() => silent.connections[1]?.text ?? "", "GET /a");
  client.abort();
  await t.rejects(asked, { code: "MODTS_CLIENT_GONE" });
  await until(() => String(silent.open()), "0");
  t.equal(silent.open(), 0, "nothing is left");
  await t.rejects(proxy.send(peer(silent), request, client.signal), { code: "MODTS_CLIENT_GONE" });
  t.equal(silent.connections.length, 2, "and nothing is begun");
});

t.test("a body that takes its time is waited for, and so is the answer after it", async (t) => {
  const server = await startRawServer(t, (connection) => {
    if (connection.text.endsWith("0\r\n\r\n")) answering("whole")(connection);
  });
  const headers = { host: "x", "transfer-encoding": "chunked" };
  const body = (): Readable =>
    Readable.from(
      (async function* () {
        for (let part = 0; part < 6; part += 1) {
          await sleep(300);
          yield Buffer.from("part");
        }
      })(),
    );
  const post = { ...request, method: "POST", headers, body };
  t.equal(await text(await proxy.send(peer(server, 1000), post, never)), "whole");

  // An answer that comes before the end of the body stops the clock for good.
  const early = await startRawServer(t, ({ socket, text: sent }) => {
    if (sent.includes("part") && socket.bytesWritten === 0) {
      socket.write("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nbegun ");
      setTimeout(() => socket.end("and ended"), 1500);
    }
  });
  t.equal(await text(await proxy.send(peer(early, 1000), post, never)), "begun and ended");
});

t.test("what is no answer", async (t) => {
  const nonsense = await startRawServer(t, ({ socket }) => socket.end("SSH-2.0\r\n\r\n"));
  await t.rejects(proxy.send(peer(nonsense), request, never), { code: "MODTS_ORIGIN_DOWN" });
  for (const line of ["999 Odd", "600 Odd", "200 O\x01K"]) {
    const odd = await startRawServer(t, ({ socket }) =>
      socket.write(`HTTP/1.1 ${line}\r\nContent-Length: 0\r\n\r\n`),
    );
    await t.rejects(proxy.send(peer(odd), request, never), { code: "MODTS_ORIGIN_DOWN" }, line);
    await until(() => String(odd.open()), "0");
  }
  const nobody = {
    ...peer(nonsense),
    target: { protocol: "http:", hostname: "127.0.0.1", port: "1" },
  } as const;
  await t.rejects(proxy.send(nobody, request, never), {
    code: "MODTS_ORIGIN_DOWN",
    message: /ECONNREFUSED/,
  });
});

t.test("another protocol that nobody asked for", async (t) => {
  const switching = await startRawServer(t, ({ socket }) =>
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"),
  );
  await t.rejects(proxy.send(peer(switching), request, never), {
    code: "MODTS_ORIGIN_DOWN",
    message: /unrequested protocol upgrade/,
  });
  await until(() => String(switching.open()), "0");
});

const upload = { method: "POST", path: "/a", headers: { host: "x", "content-length": "8" } };

t.test("the body is opened once there is a connection", async (t) => {
  const server = await startRawServer(t, (connection) => {
    if (connection.text.endsWith("the body")) answering("whole")(connection);
  });
  let opened = 0;
  const body = (): PassThrough => {
    opened += 1;
    return new PassThrough().end("the body");
  };
  const asked = proxy.send(peer(server), { ...upload, body }, never);
  t.equal(opened, 0);
  t.equal(await text(await asked), "whole");
  t.equal(opened, 1);
});

t.test("a body that fails, or cannot be opened, ends the request with its error", async (t) => {
  const server = await startRawServer(t, () => {});
  const failure = new ModTsError("MODTS_BODY_TOO_LARGE", { limit: 1 });
  const broken = new PassThrough();
  broken.write("the");
  const asked = proxy.send(peer(server), { ...upload, body: () => broken }, never);
  await until(() => server.connections[0]?.text ?? "", "the");
  broken.destroy(failure);
  await t.rejects(asked, { code: "MODTS_BODY_TOO_LARGE" });
  const body = (): never => {
    throw failure;
  };
  await t.rejects(proxy.send(peer(server), { ...upload, body }, never), {
    code: "MODTS_BODY_TOO_LARGE",
  });
  await until(() => String(server.open()), "0");
  t.equal(server.open(), 0, "no connection is left");
});
