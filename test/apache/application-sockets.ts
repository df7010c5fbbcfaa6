/** WebSockets of other libraries: Socket.IO, `ws`, Hono and Fastify, through a real Apache. */
import { once } from "node:events";
import { createTRPCClient, createWSClient, wsLink } from "@trpc/client";
import { createClient } from "graphql-ws";
import t, { type Test } from "tap";
import { io, type Socket } from "socket.io-client";
import { type ClientOptions, WebSocket } from "ws";
import type { AppRouter } from "../fixtures/handlers/sockets/trpc.ts";
import { handlerFile, handlerFiles } from "../fixtures/handler-file.ts";
import { startApache } from "../fixtures/httpd.ts";
import { providePackages } from "../fixtures/packages.ts";
import { until } from "../fixtures/until.ts";

const application = (path: string, kind: string, file: string): string => `
  <Location ${path}>
    Use TsHandler mod_ts/${kind}
    Use TsOption mod_ts.${kind}.application ${file}
  </Location>`;

const apache = await startApache(t, {
  conf: `
    ${application("/chat", "node", "chat.ts")}
    ${application("/echo", "node", "echo.ts")}
    ${application("/plain", "node", "echo.ts::plain")}
    ${application("/trpc", "node", "trpc.ts")}
    ${application("/graphql", "node", "graphql.ts")}
    ${application("/hono", "node", "hono.ts")}
    ${application("/fastify", "fastify", "fastify.ts")}
    <Location /fetch>
      Use TsHandler fetch.ts
      Header always set Upgrade websocket "expr=%{REQUEST_STATUS} == 426"
    </Location>
    <Location /echo>
      Use TsOption mod_ts.node.base /echo
    </Location>
    <Location /fastify>
      Use TsOption mod_ts.fastify.base /fastify
    </Location>
  `,
  handlers: handlerFiles("sockets"),
  config: { pools: { main: { workers: 1 } } },
});
providePackages(apache);

const open = (path: string, options?: ClientOptions): WebSocket =>
  new WebSocket(`ws://127.0.0.1:${apache.port}${path}`, options);

/** The next message. */
async function next(socket: WebSocket): Promise<string> {
  const [data] = (await once(socket, "message")) as [Buffer];
  return String(data);
}

/** The status that a handshake gets. */
async function statusOf(path: string, options?: ClientOptions): Promise<number> {
  const socket = open(path, options);
  socket.on("error", () => {});
  const [, response] = (await once(socket, "unexpected-response")) as [
    unknown,
    { statusCode: number },
  ];
  socket.terminate();
  return response.statusCode;
}

function chat(t: Test, transports: string[]): Socket {
  const client = io(apache.url, { path: "/chat/socket.io", transports, forceNew: true });
  t.teardown(() => void client.close());
  return client;
}

const hear = (client: Socket, name: string): Promise<unknown> =>
  new Promise((resolve) => client.once(name, resolve));

for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
  t.test(`Socket.IO by ${transports.join(", then ")}`, async (t) => {
    const client = chat(t, transports);
    t.match(await hear(client, "hello"), { version: "v1", address: "127.0.0.1" });
    const last = transports.at(-1) ?? "";
    await until(() => client.io.engine.transport.name, last);
    const said = hear(client, "chat");
    await client.emitWithAck("chat", "hi");
    t.equal(await said, `${last}: hi`);
    t.equal((await apache.request("/chat")).body, "page");
  });
}

t.test("clients of both transports meet", async (t) => {
  const [one, two] = [chat(t, ["polling"]), chat(t, ["websocket"])];
  await Promise.all([hear(one, "hello"), hear(two, "hello")]);
  const said = hear(one, "chat");
  await two.emitWithAck("chat", "from two");
  t.equal(await said, "websocket: from two");
});

t.test("a newer version closes the connections of the older one", async (t) => {
  const client = chat(t, ["websocket"]);
  await hear(client, "hello");
  apache.write("handlers/chat.ts", handlerFile("sockets/chat.ts").replace('"v1"', '"v2"'));
  const again = hear(client, "hello");
  await apache.request("/chat");
  t.match(await again, { version: "v2" }, "clients connect again");
});

t.test("ws, at a base path", async (t) => {
  const socket = open("/echo/a?b=1");
  t.equal(await next(socket), "/a?b=1 of nobody");
  socket.send("x".repeat(100_000));
  t.equal((await next(socket)).length, 100_005);
  socket.close();
  await once(socket, "close");
});

t.test("tRPC", async (t) => {
  const client = createWSClient({
    url: `ws://127.0.0.1:${apache.port}/trpc`,
    WebSocket: globalThis.WebSocket,
  });
  const api = createTRPCClient<AppRouter>({ links: [wsLink({ client })] });
  t.equal(await api.double.query(21), 42);
  const heard: number[] = [];
  await new Promise<void>((resolve, reject) =>
    api.count.subscribe(3, {
      onData: ({ data }) => void heard.push(data),
      onComplete: resolve,
      onError: reject,
    }),
  );
  t.same(heard, [1, 2, 3], "a subscription");
  await client.close();
});

t.test("GraphQL", async (t) => {
  const url = `ws://127.0.0.1:${apache.port}/graphql`;
  const client = createClient({ url, webSocketImpl: WebSocket, retryAttempts: 0 });
  const all = async (query: string): Promise<unknown[]> => {
    const results: unknown[] = [];
    for await (const result of client.iterate({ query })) results.push(result);
    return results;
  };
  t.match(await all("{ two }"), [{ data: { two: 2 } }]);
  const counts = [1, 2, 3].map((count) => ({ data: { count } }));
  t.match(await all("subscription { count(to: 3) }"), counts, "a subscription");
  await client.dispose();
});

t.test("Hono, Fastify, and a fetch application", async (t) => {
  for (const name of ["hono", "fastify", "fetch"]) {
    const socket = open(`/${name}/socket/me`);
    await once(socket, "open");
    socket.send("hi");
    t.equal(await next(socket), "me hi", name);
    socket.close();
    await once(socket, "close");
    t.equal((await apache.request(`/${name}/page`)).body, "page", name);
  }
});

t.test("a fetch application decides by its routes", async (t) => {
  t.equal(await statusOf("/fetch/closed/socket"), 401);
  t.equal(await statusOf("/fetch/page"), 400);
  t.equal(await statusOf("/fetch/none"), 404);
  const plain = await apache.request("/fetch/socket/me");
  t.match(plain, { status: 426, headers: { upgrade: "websocket" } }, "without a handshake");
  t.notOk((await apache.request("/fetch/page")).headers["upgrade"]);
});

t.test("a handshake where none is expected, or of another site", async (t) => {
  t.equal(await statusOf("/plain"), 400);
  await until(apache.sidecarLog, /MODTS_NO_WEBSOCKET.*listener of the event upgrade/);
  t.equal(await statusOf("/echo", { origin: "https://evil.example" }), 403);
  t.equal((await apache.request("/plain")).body, "page");
});
