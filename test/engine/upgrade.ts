/** Handlers of WebSockets, chosen and called by the real engine behind the real gateway. */
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import t from "tap";
import { WebSocket } from "ws";
import { counter } from "../../src/base/counts.ts";
import type { Connection } from "../../src/engine/connection.ts";
import type { ApacheRequest } from "../../src/request/request.ts";
import { contextHeader } from "../fixtures/context-header.ts";
import { startEngine } from "../fixtures/gateway.ts";
import { RawClient } from "../fixtures/raw-client.ts";
import { until } from "../fixtures/until.ts";

const seen: string[] = [];
let open = (): void => {};
const peer = await startEngine(t, {
  chat: {
    webSocketHandler: (socket: WebSocket, req: ApacheRequest) => {
      seen.push(`open ${req.uri}`);
      socket.on("message", (data) => socket.send(`you said ${String(data)}`));
      req.signal.addEventListener("abort", () => seen.push("aborted"));
    },
    handler: () => 0,
    logHandler: () => void seen.push("log"),
    cleanupHandler: () => void seen.push("cleanup"),
  },
  lines: {
    connectionHandler: async (connection: Connection, req: ApacheRequest) => {
      await connection.write(`${connection.name} ${req.uri}\n`);
      if ((await connection.readLine()) === "fail") throw new Error("on purpose");
    },
    logHandler: () => void seen.push("log"),
  },
  page: { handler: () => 0 },
  declines: { handler: () => -1 },
  refuses: { handler: () => 403 },
  throws: {
    webSocketHandler: async () => {
      await new Promise<void>((resolve) => (open = resolve));
      throw new Error("on purpose");
    },
  },
});
t.beforeEach(() => void seen.splice(0));

function connect(...lines: string[]): WebSocket {
  const headers = { "Mod-Ts-Context": contextHeader(), "Mod-Ts-Config": lines };
  // @types/ws knows no repeated header.
  return new WebSocket(`ws://127.0.0.1:${peer.port}/`, { headers: headers as never });
}

/** Status of a handshake that was not accepted. */
async function refusal(...lines: string[]): Promise<number | undefined> {
  const socket = connect(...lines);
  const [, response] = (await once(socket, "unexpected-response")) as [unknown, IncomingMessage];
  response.resume();
  socket.on("error", () => {}).terminate();
  return response.statusCode;
}

t.test("a WebSocket is served, then log and cleanup run", async (t) => {
  // Of tests before.
  counter.take();
  const socket = connect("handler chat", "log chat", "cleanup chat");
  await once(socket, "open");
  socket.send("hello");
  const [answer] = (await once(socket, "message")) as [Buffer];
  t.equal(String(answer), "you said hello");
  t.same(seen, ["open /a/b"], "while the socket is open, the request has not ended");
  t.equal(counter.active, 1, "and is counted as active");
  socket.close();
  await until(() => String(counter.active), /^0$/);
  t.same(counter.take()?.events, { responses_1xx: 1 });
  t.same(seen, ["open /a/b", "aborted", "log", "cleanup"]);
});

t.test("handlers before the one with a socket decide, as for any request", async (t) => {
  const socket = connect("handler declines page chat");
  await once(socket, "open");
  socket.terminate();
  t.equal(await refusal("handler refuses chat"), 403, "a check cannot be bypassed by an upgrade");
});

t.test("no handler serves connections: 400, and the log names them", async (t) => {
  t.equal(await refusal("handler page"), 400);
  t.match(peer.log(), /MODTS_NO_WEBSOCKET: WebSocket rejected: .*page/);
});

t.test("a handler that fails closes the WebSocket with 1011, and the log has why", async (t) => {
  const socket = connect("handler throws");
  await once(socket, "open");
  const closed = once(socket, "close");
  open();
  t.match(await closed, [1011]);
  t.match(peer.log(), /MODTS_HANDLER_FAILED: webSocketHandler failed[^]*on purpose/);
});

/** Proposes the protocol `line` to a location with these lines. */
const propose = (...lines: string[]): RawClient =>
  new RawClient(peer.port).head(
    "GET / HTTP/1.1",
    "Connection: Upgrade",
    "Upgrade: line",
    `Mod-Ts-Context: ${contextHeader()}`,
    ...[...lines, "option mod_ts.upgrade line"].map((line) => `Mod-Ts-Config: ${line}`),
  );

t.test("another protocol is served until the handler returns, then log runs", async (t) => {
  const client = propose("handler lines", "log lines").send("x\n");
  const head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: line\r\n\r\n";
  t.equal(await client.closed, `${head}line /a/b\n`);
  await until(() => seen.join(), "log");
});

t.test("a handler of another protocol that fails, or is not there", async (t) => {
  const client = propose("handler lines").send("fail\n");
  t.match(await client.closed, /line \/a\/b\n$/, "nothing of HTTP follows");
  await until(() => peer.log(), /on purpose|MODTS_HANDLER_FAILED/);
  t.match(await propose("handler page").closed, /^HTTP\/1\.1 400 /);
});
