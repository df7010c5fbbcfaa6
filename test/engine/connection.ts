import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import t, { type Test } from "tap";
import { Connection } from "../../src/engine/connection.ts";

interface Pair {
  connection: Connection;
  client: Socket;
  /** Tells the handler that the worker is about to end. */
  end(): void;
}

async function open(t: Test): Promise<Pair> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const client = connect(port, "127.0.0.1").on("error", () => {});
  const [socket] = (await once(server, "connection")) as [Socket];
  const ending = new AbortController();
  t.teardown(() => {
    client.destroy();
    socket.destroy();
    server.close();
  });
  const connection = new Connection("test", socket, ending.signal);
  return { connection, client, end: () => ending.abort() };
}

t.test("lines and bytes, however they arrive", async (t) => {
  const { connection, client } = await open(t);
  client.write("one\r\ntwo\nbinary: \0");
  t.equal(await connection.readLine(), "one");
  t.equal(await connection.readLine(), "two");
  t.strictSame(await connection.read(9), Buffer.from("binary: \0"));
  const text = "größe\r\n\r\nrest";
  const sending = (async () => {
    for (const byte of Buffer.from(text)) {
      client.write(Buffer.of(byte));
      await setImmediate();
    }
    client.end();
  })();
  t.equal(await connection.readLine(), "größe");
  t.equal(await connection.readLine(), "", "an empty one");
  t.strictSame(await connection.read(2), Buffer.from("re"));
  t.equal(await connection.readLine(), null, "the last line has no end");
  t.strictSame(await connection.read(), Buffer.from("st"), "what is there");
  t.equal(await connection.read(), null);
  await sending;
});

t.test("a line has a limit", async (t) => {
  const { connection, client } = await open(t);
  client.write(`${"x".repeat(8)}\n${"x".repeat(9)}\n`);
  t.equal(await connection.readLine(8), "xxxxxxxx");
  await t.rejects(connection.readLine(8), { code: "MODTS_LINE_TOO_LONG" });
  const endless = await open(t);
  endless.client.write("x".repeat(100));
  await t.rejects(endless.connection.readLine(99), { code: "MODTS_LINE_TOO_LONG" });
});

t.test("both ends", async (t) => {
  const { connection, end } = await open(t);
  const { localPort, remotePort } = connection.socket;
  t.strictSame(connection.remoteAddr, ["127.0.0.1", remotePort]);
  t.strictSame(connection.localAddr, ["127.0.0.1", localPort]);
  t.notOk(connection.signal.aborted);
  end();
  t.ok(connection.signal.aborted, "the worker is about to end");
});

t.test("a reader that is slow holds the writer back", async (t) => {
  const { connection, client } = await open(t);
  client.pause();
  const written = connection.write(Buffer.alloc(16 * 1024 ** 2));
  let isDone = false;
  void written.then(() => (isDone = true));
  await setImmediate();
  t.notOk(isDone);
  client.resume();
  await written;
});

t.test("the client resets the connection", async (t) => {
  const { connection, client } = await open(t);
  const reading = connection.readLine();
  client.resetAndDestroy();
  t.equal(await reading, null);
  await t.rejects(connection.write("x"), { code: "MODTS_CONNECTION_CLOSED" });
  if (!connection.signal.aborted) await once(connection.signal, "abort");
});
