/** A body apart from its connection: whatever becomes of it, the message is read to its end and the connection lives on. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { RequestBody } from "../../src/gateway/request-body.ts";

interface Received {
  readonly server: Server;
  readonly client: Socket;
  readonly body: RequestBody;
  readonly message: IncomingMessage;
  readonly reply: ServerResponse;
}

/** A request that has just begun to arrive; the client goes on. */
async function receive(t: Test, limit = 1_000_000): Promise<Received> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  client.on("error", () => {});
  t.teardown(() => {
    client.destroy();
    server.close();
  });
  client.write("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  return new Promise((resolve) =>
    server.on("request", (message, reply) =>
      resolve({ server, client, message, reply, body: new RequestBody(message, limit) }),
    ),
  );
}

function send(client: Socket, ...chunks: string[]): void {
  for (const chunk of chunks) client.write(`${chunk.length.toString(16)}\r\n${chunk}\r\n`);
}

const last = "0\r\n\r\n";
const tens: string[] = Array.from({ length: 10 }, () => "0123456789");

async function read(body: RequestBody): Promise<string[]> {
  const parts: string[] = [];
  for await (const part of body.open() as AsyncIterable<Buffer>) parts.push(String(part));
  return parts;
}

t.test("all of it, in order", async (t) => {
  const { client, body } = await receive(t);
  send(client, ...tens);
  client.write(last);
  t.equal((await read(body)).join(""), tens.join(""));
});

t.test("what comes before its reader is kept in one piece", async (t) => {
  const { client, body, message } = await receive(t);
  send(client, ...Array.from({ length: 5000 }, () => "x"));
  client.write(last);
  while (!message.complete) await sleep(1);
  t.strictSame(await read(body), ["x".repeat(5000)]);
});

t.test("a reader that comes late finds the client waiting, and nothing lost", async (t) => {
  const { client, body } = await receive(t, 100_000_000);
  const size = 20_000_000;
  client.write(`${size.toString(16)}\r\n`);
  client.write("y".repeat(size));
  client.write(`\r\n${last}`);
  for (
    let before = -1, now = 0;
    now !== before;
    now = client.bytesWritten - client.writableLength
  ) {
    before = now;
    await sleep(50);
  }
  t.ok(client.writableLength > 0, "it cannot send all");
  const parts = await read(body);
  t.equal(
    parts.reduce((sum, part) => sum + part.length, 0),
    size,
  );
});

t.test("over the limit: an error for the reader, the message is read on", async (t) => {
  for (const isEarly of [true, false]) {
    const { client, body, message } = await receive(t, 99);
    const ended = once(message, "end");
    const reading = isEarly ? t.rejects(read(body), { code: "MODTS_BODY_TOO_LARGE" }) : undefined;
    send(client, ...tens);
    client.write(last);
    await ended;
    await (reading ?? t.rejects(read(body), { code: "MODTS_BODY_TOO_LARGE" }));
  }
});

t.test("a reader that stops", async (t) => {
  for (const stop of [(body: RequestBody) => body.destroy(), breakOff]) {
    const { client, body, message } = await receive(t);
    const ended = once(message, "end");
    send(client, ...tens);
    await stop(body);
    send(client, "z".repeat(200_000));
    client.write(last);
    await ended;
    t.ok(body.destroyed);
    t.notOk(message.socket.destroyed);
  }
});

async function breakOff(body: RequestBody): Promise<void> {
  for await (const chunk of body.open() as AsyncIterable<Buffer>) {
    if (chunk.length > 0) break;
  }
}

t.test("the connection carries the next request after a body that nobody read", async (t) => {
  const { server, client, body, reply } = await receive(t);
  send(client, "z".repeat(900_000));
  client.write(last);
  await sleep(20);
  reply.end("first");
  body.destroy();
  client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const [next] = (await once(server, "request")) as [IncomingMessage];
  t.equal(next.method, "GET");
});

t.test("a client that goes away is an error, not an end", async (t) => {
  for (const isEarly of [true, false]) {
    const { client, body, message } = await receive(t);
    const reading = isEarly ? t.rejects(read(body), { message: "aborted" }) : undefined;
    send(client, "half");
    client.end();
    await new Promise((resolve) => message.once("close", resolve));
    await (reading ?? t.rejects(read(body), { message: "aborted" }));
  }
});

t.test("who comes when the message is gone hears so, and does not wait", async (t) => {
  const { client, message } = await receive(t);
  client.write(last);
  message.resume();
  await once(message, "close");
  await t.rejects(read(new RequestBody(message, 100)), { message: "read before" });
});
