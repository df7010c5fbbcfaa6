/** The FastCGI door with the real engine, over real sockets. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import t, { type Test } from "tap";
import { type Pairs, writePairs } from "../../src/authorizer/params.ts";
import * as record from "../../src/authorizer/record.ts";
import {
  type Authorizer,
  type AuthorizerOptions,
  createAuthorizer,
} from "../../src/authorizer/server.ts";
import { logChannel } from "../../src/channels.ts";
import type { LogRecord } from "../../src/log.ts";
import { createEngine } from "../../src/phases.ts";
import type { ApacheRequest } from "../../src/request/request.ts";
import { createResolver } from "../../src/resolver.ts";
import { RawClient } from "../fixtures/raw-client.ts";

type Handler = (req: ApacheRequest) => unknown;

interface Door {
  door: Authorizer;
  connect(): RawClient;
  sockets: Set<Socket>;
  log: LogRecord[];
}

async function start(
  t: Test,
  accessHandler: Handler,
  options: Partial<AuthorizerOptions> = {},
): Promise<Door> {
  const resolve = createResolver({
    roots: [],
    load: () => Promise.reject(new Error("no files here")),
    builtins: { judge: { accessHandler } },
  });
  const engine = createEngine({ resolve, fallback: async () => 404, handlerTimeout: 60_000 });
  const door = createAuthorizer({ engine, interpreter: "main", secret: "", ...options });
  const log: LogRecord[] = [];
  const listen = (message: unknown): void => void log.push(message as LogRecord);
  logChannel.subscribe(listen);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    door.accept(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  t.teardown(() => {
    logChannel.unsubscribe(listen);
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { door, connect: () => new RawClient(port), sockets, log };
}

const pairs: Pairs = [
  ["MOD_TS_VERSION", "1"],
  ["MOD_TS_ASK", "1"],
  ["MOD_TS_FILENAME", "/srv/a"],
  ["SCRIPT_FILENAME", "/srv/a"],
  ["MOD_TS_ACCESS", "mod_ts/judge"],
];

function question(id = 1, keepConnection = false, params: Pairs = pairs): Buffer {
  return Buffer.concat([
    record.writeBeginRequest(id, { role: record.FCGI_AUTHORIZER, keepConnection }),
    record.writeStream(record.FCGI_PARAMS, id, writePairs(params)),
  ]);
}

const ended = /\x01\x03\x00.\x00\x08/;

t.test("type and fixup handlers alone give no permission", async (t) => {
  const { connect, log } = await start(t, () => 0);
  for (const phase of ["MOD_TS_TYPE", "MOD_TS_FIXUP"]) {
    const client = connect();
    client.send(
      question(1, false, [...pairs.slice(0, -1), [phase, "mod_ts/judge::accessHandler"]]),
    );
    t.match(await client.closed, /Status: 500 /, phase);
  }
  t.match(log, [{ code: "MODTS_NO_HANDLER" }, { code: "MODTS_NO_HANDLER" }]);
});

t.test("answers, ends the request, closes", async (t) => {
  const { connect } = await start(t, () => 0);
  const text = await connect().send(question()).closed;
  t.match(text, /^\x01\x06\x00\x01[^]*Status: 200 OK\r\n/);
  t.match(text, ended);
});

t.test("a kept connection answers one after the other, each under its id", async (t) => {
  const { connect } = await start(t, (req) => (req.headersIn.get("x") === "1" ? 0 : 403));
  const client = connect().send(question(1, true, [...pairs, ["HTTP_X", "1"]]));
  await client.until(ended);
  t.match(client.text, "Status: 200");
  client.text = "";
  client.send(question(5, false, [...pairs, ["HTTP_X", "2"]]));
  const text = await client.closed;
  t.match(text, /^\x01\x06\x00\x05[^]*Status: 403/);
  t.notMatch(text, "Status: 200");
});

t.test("no context, no handler, a broken line, a handler that throws: never a pass", async (t) => {
  const { connect } = await start(t, () => {
    throw new Error("policy");
  });
  for (const [params, status] of [
    [[], 403],
    [pairs.slice(1), 403],
    [pairs.slice(0, -1), 500],
    [[...pairs, ["MOD_TS_DEBUG", "Maybe"]], 500],
    [[...pairs.slice(0, -1), ["MOD_TS_ACCESS", "mod_ts/none"]], 500],
    [[...pairs.slice(0, -1), ["MOD_TS_ACCESS", ""]], 500],
    [pairs, 500],
    [[...pairs, pairs[0]!], 403],
  ] as [Pairs, number][]) {
    const text = await connect().send(question(1, false, params)).closed;
    t.match(text, `Status: ${status} `, JSON.stringify(params));
    t.notMatch(text, "Status: 200");
  }
});

t.test("the secret", async (t) => {
  const { connect } = await start(t, () => 0, { secret: "0123456789abcdef" });
  t.match(await connect().send(question()).closed, "Status: 403");
  const right: Pairs = [...pairs, ["MOD_TS_SECRET", "0123456789abcdef"]];
  t.match(await connect().send(question(1, false, right)).closed, "Status: 200");
});

t.test("a decision that takes too long is 503, and a late OK changes nothing", async (t) => {
  const late = Promise.withResolvers<number>();
  const { connect, log } = await start(t, () => late.promise, { budget: 50 });
  const text = await connect().send(question()).closed;
  t.match(text, "Status: 503");
  late.resolve(0);
  await late.promise;
  t.notMatch(text, "Status: 200");
  t.match(
    log.map(({ code }) => code),
    ["MODTS_AUTHORIZER_TIMEOUT"],
  );
});

t.test("a broken record closes the connection, without a word", async (t) => {
  const { connect, log } = await start(t, () => 0);
  t.equal(await connect().send("GET / HTTP/1.0\r\n\r\n").closed, "");
  t.match(log[0], { code: "MODTS_FCGI_PROTOCOL", message: /protocol version 71/ });
});

t.test("a peer that goes away in the middle of a decision harms nobody", async (t) => {
  const began = Promise.withResolvers<void>();
  const release = Promise.withResolvers<number>();
  const { connect, sockets } = await start(t, () => {
    began.resolve();
    return release.promise;
  });
  const client = connect().send(question());
  await began.promise;
  const [socket] = sockets;
  const closed = once(socket!, "close");
  client.leave();
  await closed;
  release.resolve(0);
  t.match(await connect().send(question()).closed, "Status: 200");
});

t.test("connections over the limit are closed; slow ones end by themselves", async (t) => {
  const { connect } = await start(t, () => 0, { connections: 2, budget: 100 });
  const [first, second] = [connect().send("\x01"), connect().send("\x01")];
  // The third is over the limit while the first two are open: it ends at once, they after twice the budget.
  const order: string[] = [];
  const third = new Promise<void>((resolve) => setImmediate(resolve)).then(() => connect());
  await Promise.all([
    first.closed.then(() => order.push("first")),
    second.closed.then(() => order.push("second")),
    third.then((client) => client.closed).then(() => order.push("third")),
  ]);
  t.equal(order[0], "third");
});

t.test("drain resolves when all have their answer", async (t) => {
  const began = Promise.withResolvers<void>();
  const release = Promise.withResolvers<number>();
  const { connect, door } = await start(t, () => {
    began.resolve();
    return release.promise;
  });
  const client = connect().send(question());
  await began.promise;
  let drained = false;
  const drain = door.drain().then(() => (drained = true));
  await new Promise((resolve) => setImmediate(resolve));
  t.notOk(drained, "one is open");
  release.resolve(0);
  t.match(await client.closed, "Status: 200");
  await drain;
  await door.drain();
});
