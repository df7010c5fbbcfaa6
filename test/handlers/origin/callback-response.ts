/** Responses byte by byte, compared with what `node:http` makes of them. */
import { once } from "node:events";
import { get, maxHeaderSize } from "node:http";
import { connect, type Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import t, { type Test } from "tap";
import { CallbackResponse, writeRequest } from "../../../src/handlers/origin/callback-response.ts";
import { startRawServer } from "../../fixtures/origin.ts";
import { until } from "../../fixtures/until.ts";

interface Read {
  readonly status: number | undefined;
  readonly reason: string | undefined;
  readonly headers: readonly string[];
  readonly body: string;
}

const whole: Record<string, string> = {
  "a length": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: a\r\nx:  b c \t\r\n\r\nhello",
  "no body": "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
  "no phrase": "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok",
  "no content": "HTTP/1.1 204 No Content\r\nX: \xe9\xa0\r\n\r\n",
  chunks:
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nT: 1\r\n\r\n",
  "the end": "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end",
  "interim responses":
    "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
};

const broken: Record<string, string> = {
  "another protocol": "SSH-2.0\r\n\r\n",
  "a status out of range": "HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n",
  "a header without a name": "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
  "a folded header": "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
  "a control character": "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
  "two framings":
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  "two lengths": "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
  "an unknown coding": "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
  "a size that is none": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
  "a chunk that is longer":
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
  "an end in the head": "HTTP/1.1 200 OK\r\nContent-Le",
  "an end in the body": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
  "an end in the chunks": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
  "an endless head": `HTTP/1.1 200 OK\r\nX: ${"x".repeat(maxHeaderSize)}`,
};

/** A connection to a server that says nothing. */
async function openConnection(t: Test): Promise<Socket> {
  const server = await startRawServer(t, () => {});
  const socket = connect({ port: server.port, host: "127.0.0.1", allowHalfOpen: true });
  t.teardown(() => socket.destroy());
  await once(socket, "connect");
  return socket;
}

/** What comes of these pieces, and then the end of the connection. */
async function read(t: Test, pieces: readonly Buffer[]): Promise<Read> {
  const socket = await openConnection(t);
  const response = new CallbackResponse(socket, { method: "GET" });
  const body = buffer(response);
  for (const piece of pieces) socket.emit("data", piece);
  socket.emit("end");
  const text = (await body).toString("latin1");
  const { statusCode: status, statusMessage: reason, rawHeaders: headers } = response;
  t.ok(response.complete);
  return { status, reason, headers, body: text };
}

/** What `node:http` makes of them. */
async function readByNode(t: Test, bytes: Buffer): Promise<Read> {
  const server = await startRawServer(t, ({ socket }) => socket.end(bytes));
  const response = (await once(get(server.url, { agent: false }), "response"))[0];
  const { statusCode: status, statusMessage: reason, rawHeaders: headers } = response;
  return { status, reason, headers, body: (await buffer(response)).toString("latin1") };
}

for (const [name, text] of Object.entries(whole)) {
  t.test(`a response with ${name}`, async (t) => {
    const bytes = Buffer.from(text, "latin1");
    const wanted = await readByNode(t, bytes);
    t.strictSame(await read(t, [bytes]), wanted, "in one piece");
    const single = Array.from(bytes, (byte) => Buffer.from([byte]));
    t.strictSame(await read(t, single), wanted, "byte by byte");
  });
}

for (const [name, text] of Object.entries(broken)) {
  t.test(`no response: ${name}`, async (t) => {
    const bytes = Buffer.from(text, "latin1");
    await t.rejects(read(t, [bytes]));
    await t.rejects(
      read(
        t,
        Array.from(bytes, (byte) => Buffer.from([byte])),
      ),
    );
  });
}

t.test("a HEAD has no body, whatever its length", async (t) => {
  const socket = await openConnection(t);
  const response = new CallbackResponse(socket, { method: "HEAD" });
  socket.emit("data", Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"));
  t.equal((await buffer(response)).length, 0);
  t.equal(response.headers["content-length"], "5");
});

t.test("repeated headers", async (t) => {
  const socket = await openConnection(t);
  const response = new CallbackResponse(socket, { method: "GET" });
  const lines = ["X: a", "Content-Type: text/html", "x: b", "content-type: text/plain"];
  socket.emit("data", Buffer.from(`HTTP/1.1 200 OK\r\n${lines.join("\r\n")}\r\n\r\n`));
  t.match(response.headers, { x: "a, b", "content-type": "text/html" });
});

t.test("a slow reader stops the connection, and another one starts it", async (t) => {
  const socket = await openConnection(t);
  const response = new CallbackResponse(socket, { method: "GET" });
  socket.emit("data", Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n"));
  socket.emit("data", Buffer.alloc(100_000, "a"));
  t.equal(socket.isPaused(), true);
  const body = buffer(response);
  await until(() => String(socket.isPaused()), "false");
  socket.emit("data", Buffer.alloc(100_000, "b"));
  t.equal((await body).length, 200_000);
});

t.test("a header that would be two", async (t) => {
  const socket = await openConnection(t);
  const request = { method: "GET", path: "/" };
  for (const headers of [{ x: "a\r\nb: c" }, { "a b": "c" }, { x: ["a", "\0"] }]) {
    t.throws(() => writeRequest(socket, { ...request, headers }), TypeError);
  }
});
