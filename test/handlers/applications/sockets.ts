import { createServer } from "node:http";
import { type AddressInfo, connect, createServer as createTcp, type Socket } from "node:net";
import { once } from "node:events";
import type { FastifyInstance } from "fastify";
import t, { type Test } from "tap";
import { WebSocket, WebSocketServer } from "ws";
import { createFastify } from "../../../src/handlers/applications/fastify.ts";
import { createNode } from "../../../src/handlers/applications/node.ts";
import { ApplicationSockets, noWebSocket } from "../../../src/handlers/applications/sockets.ts";
import type { ApplicationEnv } from "../../../src/handlers/applications/fetch.ts";
import { contextHeader } from "../../fixtures/context-header.ts";
import { startEngine } from "../../fixtures/gateway.ts";

/** Says its path to every client. */
const greeting = new WebSocketServer({ noServer: true });
greeting.on("connection", (socket, { url }) => socket.send(`hello ${url}`));
const application = createServer();
application.on("upgrade", (message, socket, head) =>
  greeting.handleUpgrade(message, socket, head, (open) =>
    greeting.emit("connection", open, message),
  ),
);
const redirect = { status: 302, headers: { Location: "/login" } };
const builtIn = createFastify();
const peer = await startEngine(t, {
  node: createNode(),
  fastify: builtIn.module,
  served: { default: application },
  listener: { default: () => {} },
  plugin: {
    default: async (instance: FastifyInstance) => {
      instance.server.on("upgrade", (message, socket, head) =>
        greeting.handleUpgrade(message, socket, head, (open) =>
          greeting.emit("connection", open, message),
        ),
      );
    },
    deaf: async () => {},
  },
  fetch: {
    default: {
      fetch: (_request: Request, { upgradeWebSocket }: ApplicationEnv) =>
        upgradeWebSocket((socket) => socket.send("hello from fetch")),
    },
  },
  login: { default: () => new Response(null, redirect) },
  guarded: {
    default: (_request: Request, { upgradeWebSocket }: ApplicationEnv) => {
      upgradeWebSocket((socket) => socket.send("not for you"));
      return new Response(null, redirect);
    },
  },
});
t.teardown(() => builtIn.close());

/** The first message of an application, or the status that refuses the handshake. */
async function shake(...lines: string[]): Promise<string | number> {
  const context = contextHeader({ uri: "/chat/x", requestLine: "GET /chat/x HTTP/1.1", args: "" });
  const socket = new WebSocket(`ws://127.0.0.1:${peer.port}/`, {
    headers: { "Mod-Ts-Context": context, "Mod-Ts-Config": lines },
  });
  const { promise, resolve } = Promise.withResolvers<string | number>();
  socket.on("error", () => {});
  socket.once("message", (data: Buffer) => resolve(String(data)));
  socket.once("unexpected-response", (_request, { statusCode = 0 }) => resolve(statusCode));
  return promise.finally(() => socket.terminate());
}

t.test("connections reach the server of the application, others are refused", async (t) => {
  const node = (...more: string[]) => shake("handler mod_ts/node", ...more);
  t.equal(await node("option mod_ts.node.application served"), "hello /chat/x");
  t.equal(
    await node("option mod_ts.node.application served", "option mod_ts.node.base /chat"),
    "hello /x",
  );
  t.equal(await node("option mod_ts.node.application listener"), 400, "a function");
  t.equal(
    await node("option mod_ts.node.application served", "option mod_ts.node.base /b"),
    400,
    "another path",
  );
  const fastify = (name: string) =>
    shake("handler mod_ts/fastify", `option mod_ts.fastify.application ${name}`);
  t.equal(await fastify("plugin"), "hello /chat/x");
  t.equal(await fastify("plugin::deaf"), 400, "nobody listens");
});

t.test("a fetch application", async (t) => {
  t.equal(await shake("handler fetch"), "hello from fetch");
  const reply = await peer.ask(["handler fetch"]);
  t.match(reply, { status: 426 }, "not a handshake");
});

t.test("a redirect of a fetch application is no handshake", async (t) => {
  t.equal(await shake("handler guarded"), 302, "though the route has accepted");
  t.equal(await shake("handler login"), 302);
});

/** A connection, from the side of the server. */
async function accept(t: Test): Promise<Socket> {
  const server = createTcp().listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  client.on("error", () => {});
  const [socket] = (await once(server, "connection")) as [Socket];
  t.teardown(() => {
    client.destroy();
    socket.destroy();
    server.close();
  });
  return socket;
}

t.test(
  "a newer version closes the connections of the older one, and no older one its own",
  async (t) => {
    const sockets = new ApplicationSockets();
    const [old, young] = [await accept(t), await accept(t)];
    sockets.meet(1);
    sockets.add(old, 1);
    sockets.meet(1);
    t.notOk(old.destroyed);
    sockets.meet(2);
    t.ok(old.destroyed);
    sockets.add(young, 2);
    sockets.meet(1);
    t.notOk(young.destroyed);
    const late = await accept(t);
    sockets.add(late, 1);
    t.ok(late.destroyed, "its handshake began before the newer version");
    t.notOk(young.destroyed);
  },
);

t.test("the error of an application without sockets", (t) => {
  t.match(noWebSocket("mod_ts/node a.ts"), { code: "MODTS_NO_WEBSOCKET", status: 400 });
  t.end();
});
