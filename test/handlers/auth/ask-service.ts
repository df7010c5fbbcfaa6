import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import t, { type Test } from "tap";
import { askService, shown } from "../../../src/handlers/auth/ask-service.ts";

const question = (port: number, timeout = 2000) => ({
  url: new URL(`http://127.0.0.1:${port}/check?key=1`),
  headers: { "X-Asked": "1" },
  timeout,
});
const down = { code: "MODTS_AUTH_SERVICE_DOWN", status: 503 };
const unusable = { code: "MODTS_AUTH_SERVICE_ANSWER", status: 502 };

async function serve(t: Test, listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  t.teardown(() => (server.closeAllConnections(), server.close()));
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function serveRaw(t: Test, answer: (socket: Socket) => void): Promise<number> {
  const server = createTcpServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => answer(socket));
  });
  server.listen(0, "127.0.0.1");
  t.teardown(() => server.close());
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

t.test("an answer of any status, on a kept connection", async (t) => {
  const sockets = new Set<Socket>();
  const port = await serve(t, (request, response) => {
    sockets.add(request.socket);
    const status = 200 + 101 * (sockets.size > 1 ? 0 : Number(request.headers["x-asked"]));
    response.writeHead(status, { "Set-Cookie": ["a=1", "b=2"], Location: "/elsewhere" });
    response.end(request.url);
  });
  for (let count = 0; count < 5; count += 1) {
    const answer = await askService(question(port));
    t.equal(answer.status, 301, "not followed");
    t.equal(answer.body.toString(), "/check?key=1");
    t.strictSame(answer.rawHeaders.slice(0, 4), ["Set-Cookie", "a=1", "Set-Cookie", "b=2"]);
  }
  t.equal(sockets.size, 1);
});

t.test("no answer", async (t) => {
  const gone = await serveRaw(t, () => {});
  await t.rejects(askService(question(gone, 50)), { ...down, message: /nothing within 50 ms/ });
  const slow = await serveRaw(t, (socket) => {
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab");
  });
  await t.rejects(askService(question(slow, 100)), down, "a body that stops");
  const closing = await serveRaw(t, (socket) => socket.destroy());
  await t.rejects(askService(question(closing)), down);
  const half = await serveRaw(t, (socket) =>
    socket.end("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"),
  );
  await t.rejects(askService(question(half)), down, "half a body");
  const server = createTcpServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await t.rejects(askService(question(port)), { ...down, message: /ECONNREFUSED/ });
});

t.test("no usable answer", async (t) => {
  const cases: Record<string, string> = {
    "no HTTP": "220 mail.example ESMTP\r\n\r\n",
    "two lengths": "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "a line break in a header": "HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
    "another protocol":
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
    "too many headers": `HTTP/1.1 200 OK\r\nX: ${"x".repeat(40_000)}\r\n\r\n`,
    "too long": `HTTP/1.1 200 OK\r\n\r\n${"x".repeat(70_000)}`,
  };
  for (const [what, bytes] of Object.entries(cases)) {
    const port = await serveRaw(t, (socket) => socket.end(bytes));
    await t.rejects(askService(question(port)), unusable, what);
  }
});

t.test("a kept connection that the service closes is replaced", async (t) => {
  let requests = 0;
  const port = await serve(t, (request, response) => {
    requests += 1;
    // The second request of a connection meets a service that is just closing it.
    if (Reflect.get(request.socket, "used")) return void request.socket.resetAndDestroy();
    Reflect.set(request.socket, "used", true);
    response.end("ok");
  });
  for (let count = 0; count < 3; count += 1) {
    t.equal((await askService(question(port))).body.toString(), "ok");
  }
  t.equal(requests, 5);
});

t.test("the log shows no query", async (t) => {
  t.equal(shown({ url: new URL("https://a.example/b?key=secret") }), "https://a.example/b");
});
