/** The FastCGI door with the real engine, over real sockets. */
import { fetchHandler } from "../../src/handlers/applications/fetch.ts";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import t, { type Test } from "tap";
import { type Pairs, writePairs } from "../../src/authorizer/fastcgi.ts";
import * as record from "../../src/authorizer/fastcgi.ts";
import { writeBeginRequest } from "../fixtures/fcgi-client.ts";
import { Authorizer, type AuthorizerOptions } from "../../src/authorizer/server.ts";
import { counter } from "../../src/base/counts.ts";
import { logChannel } from "../../src/base/channels.ts";
import type { LogRecord } from "../../src/base/log.ts";
import { createEngine } from "../../src/engine/phases.ts";
import type { ApacheRequest } from "../../src/request/request.ts";
import { createResolver } from "../../src/engine/directives.ts";
import { sealPairs } from "../fixtures/sealed.ts";
import { RawClient } from "../fixtures/raw-client.ts";
import { until } from "../fixtures/until.ts";

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
  const engine = createEngine({
    resolve,
    fallback: async () => 404,
    application: fetchHandler,
    handlerTimeout: 60_000,
  });
  const door = new Authorizer({ engine, interpreter: "main", secret: "", ...options });
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

const file: Pairs = [["SCRIPT_FILENAME", "/srv/a"]];
const withPolicy = (...policy: string[]): Pairs => sealPairs(file, { policy: ["ask", ...policy] });
const pairs: Pairs = withPolicy("access mod_ts/judge");

function question(id = 1, keepConnection = false, params: Pairs = pairs): Buffer {
  return Buffer.concat([
    writeBeginRequest(id, { role: record.FCGI_AUTHORIZER, keepConnection }),
    record.writeStream(record.FCGI_PARAMS, id, writePairs(params)),
  ]);
}

const ended = /\x01\x03\x00.\x00\x08/;

t.test("type and fixup handlers alone give no permission", async (t) => {
  const { connect, log } = await start(t, () => 0);
  for (const phase of ["type", "fixup"]) {
    const client = connect();
    client.send(question(1, false, withPolicy(`${phase} mod_ts/judge::accessHandler`)));
    t.match(await client.closed, /Status: 500 /, phase);
  }
  t.match(log, [{ code: "MODTS_NOTHING_DECIDES" }, { code: "MODTS_NOTHING_DECIDES" }]);
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
    [file, 403],
    [withPolicy(), 500],
    [withPolicy("access mod_ts/judge", "debug Maybe"), 500],
    [withPolicy("access mod_ts/none"), 500],
    [withPolicy("access "), 500],
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
  const policy = ["ask", "access mod_ts/judge"];
  const right = sealPairs(file, { policy, secret: "0123456789abcdef" });
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

t.test(
  "a handler learns that its time is over, and what it throws then is not logged",
  async (t) => {
    const { connect, log } = await start(
      t,
      (req) =>
        new Promise((_, reject) => {
          req.signal.addEventListener("abort", () => reject(new Error("cut off")));
        }),
      { budget: 50 },
    );
    t.match(await connect().send(question()).closed, "Status: 503");
    t.same(
      log.map(({ code }) => code),
      ["MODTS_AUTHORIZER_TIMEOUT"],
    );
  },
);

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

t.test("the oldest connection that asks nothing ends for one more", async (t) => {
  const { connect, sockets } = await start(t, () => 0, { connections: 2, budget: 60_000 });
  const order: string[] = [];
  const clients: RawClient[] = [];
  for (const name of ["first", "second", "third"]) {
    const client = connect().send("\x01");
    void client.closed.then(() => order.push(name));
    clients.push(client);
    await until(() => String(sockets.size), String(clients.length));
  }
  t.match(await connect().send(question()).closed, "Status: 200", "a question finds a place");
  await Promise.all(clients.slice(0, 2).map(({ closed }) => closed));
  t.same(order, ["first", "second"], "the third one may stay");
});

t.test("a connection that asks nothing ends by itself after the time limit", async (t) => {
  const { connect } = await start(t, () => 0, { budget: 100 });
  t.equal(await connect().send("\x01").closed, "", "closed without a response");
});

t.test("a flood of unfinished questions holds bounded memory, and stops no question", async (t) => {
  const { connect, sockets, log } = await start(t, () => 0, { budget: 30_000 });
  const unfinished = question(1, false, [...pairs, ["X", "x".repeat(60_000)]]).subarray(0, -8);
  const flood: RawClient[] = [];
  for (let count = 1; count <= 1000; count += 1) {
    flood.push(connect().send(unfinished));
    if (count % 50 === 0) await until(() => String(sockets.size), String(count));
  }
  t.teardown(() => flood.forEach((client) => client.leave()));
  t.match(await connect().send(question()).closed, "Status: 200", "a question finds a place");
  const open = [...sockets].filter(({ destroyed }) => !destroyed).length;
  t.ok(open > 200 && open <= 300, `${open} connections are left`);
  t.match(log[0], { level: "warn" });
  t.ok(log.length < 20, `${log.length} lines`);
});

t.test("peers that prove nothing are not Apache, however much they ask", async (t) => {
  const secret = "0123456789abcdef";
  const { connect } = await start(t, () => 0, { secret, connections: 1 });
  const right = sealPairs(file, { policy: ["ask", "access mod_ts/judge"], secret });
  const kept = connect().send(question(1, true));
  t.match(await kept.until(ended), "Status: 403");
  t.match(await connect().send(question(1, false, right)).closed, "Status: 200");
  t.equal((await kept.closed).includes("Status: 200"), false, "closed for the one that is");
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

t.test("refusals are counted by reason", async (t) => {
  const secret = "0123456789abcdef";
  const late = Promise.withResolvers<number>();
  t.teardown(() => late.resolve(403));
  const { connect } = await start(
    t,
    (req) => {
      if (req.args === "fail") throw new Error("of the handler");
      return req.args === "wait" ? late.promise : 403;
    },
    { secret, budget: 1000 },
  );
  const ask = async (args: string, policy: string[], known = secret): Promise<void> => {
    const asked: Pairs = [...file, ["QUERY_STRING", args]];
    const sealed = sealPairs(asked, { policy: ["ask", ...policy], secret: known });
    await connect().send(question(1, false, sealed)).closed;
  };
  const access = ["access mod_ts/judge"];
  counter.take();
  await ask("", access);
  await ask("", ["authen mod_ts/judge::accessHandler"]);
  await ask("", ["authz mod_ts/judge::accessHandler"]);
  await ask("fail", access);
  await ask("wait", access);
  await ask("", access, "another secret 0");
  const refused = Object.entries(counter.take()?.events ?? {}).filter(([name]) => {
    return name.startsWith("refused_");
  });
  t.same(Object.fromEntries(refused), {
    refused_access: 1,
    refused_authen: 1,
    refused_authz: 1,
    refused_failure: 1,
    refused_timeout: 1,
    refused_untrusted: 1,
  });
});
