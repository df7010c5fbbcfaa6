import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import t from "tap";
import { endToEnd, ScgiExchange } from "../../src/decider/scgi-exchange.ts";
import { formatCgiHead } from "../../src/request/headers.ts";

const server = createServer().listen(0, "127.0.0.1");
await once(server, "listening");
t.teardown(() => server.close());

/** Both ends of a connection. */
async function open(): Promise<{ socket: Socket; peer: Socket }> {
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const peer = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [socket] = await accepted;
  return { socket, peer };
}

t.test("a response as CGI programs write it", async (t) => {
  const { socket, peer } = await open();
  const exchange = new ScgiExchange(socket);
  t.throws(() => exchange.body(), { code: "MODTS_NO_BODY" });
  t.notOk(exchange.begun);
  exchange.begin(404, undefined, ["X-A", "1", "Mod-Ts-Location", "/x", "Connection", "close"]);
  t.ok(exchange.begun);
  exchange.write("text, ");
  exchange.end("more");
  exchange.end("never");
  t.ok(exchange.ended);
  t.equal(await text(peer), "Status: 404 Not Found\r\nX-A: 1\r\n\r\ntext, more");
});

t.test("a peer that leaves aborts", async (t) => {
  const { socket, peer } = await open();
  const exchange = new ScgiExchange(socket);
  peer.destroy();
  socket.resume();
  await new Promise((resolve) => exchange.signal.addEventListener("abort", resolve));
  t.ok(exchange.ended);
});

t.test("headers that are commands to Apache do not come from handlers", (t) => {
  const raw = [
    "Status",
    "200",
    "mod-ts-decision",
    "x",
    "Date",
    "y",
    "Vary",
    "z",
    "Content-Length",
    "1",
  ];
  t.strictSame(endToEnd(raw), ["Vary", "z"]);
  t.throws(() => formatCgiHead(200, ["X", "x".repeat(9000)]), { code: "MODTS_BAD_HEADER" });
  t.end();
});
