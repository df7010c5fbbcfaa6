import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { mock } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { counter } from "../../src/base/counts.ts";
import t, { type Test } from "tap";
import { Connections, type ConnectionSettings } from "../../src/connections/connections.ts";
import type { Connection } from "../../src/engine/connection.ts";
import type { HandlerModule } from "../../src/engine/handler.ts";
import { logChannel } from "../../src/base/channels.ts";
import type { LogRecord } from "../../src/base/log.ts";
import { createCertificate } from "../fixtures/certificate.ts";
import { until } from "../fixtures/until.ts";

interface Running {
  connections: Connections;
  open(): Promise<Socket>;
  /** Codes and levels of the log. */
  logged(): string;
  /** Versions of the module that are held. */
  held(): number;
}

async function start(
  t: Test,
  connectionHandler: unknown,
  settings: Partial<ConnectionSettings> = {},
  handshakeMs?: number,
): Promise<Running> {
  let held = 0;
  const resolve = (): HandlerModule => {
    held += 1;
    return {
      file: "m.ts",
      exports: { connectionHandler, own: connectionHandler },
      generation: 1,
      release: () => void (held -= 1),
    };
  };
  const port = { pool: "main", run: "m.ts", tls: undefined, limit: 10, idleTimeout: 0 };
  const other = { ...port, pool: "other" };
  const all = { test: { ...port, ...settings }, other };
  const connections = new Connections(all, "main", resolve, handshakeMs);
  const server = createServer((socket) => connections.accept("test", socket)).listen(0);
  await once(server, "listening");
  const lines: string[] = [];
  const listen = (record: unknown): void => {
    const { level, code } = record as LogRecord & { code?: string };
    lines.push(`${level} ${code}`);
  };
  logChannel.subscribe(listen);
  t.teardown(async () => {
    logChannel.unsubscribe(listen);
    server.close();
    await connections.drain(0);
  });
  return {
    connections,
    async open() {
      const client = connect((server.address() as { port: number }).port);
      client.on("error", () => {});
      t.teardown(() => client.destroy());
      await once(client, "connect");
      return client;
    },
    logged: () => lines.join("\n"),
    held: () => held,
  };
}

const textOf = async (client: Socket): Promise<string> => (await client.toArray()).join("");

t.test(
  "a connection closes when its handler has returned, after all that was written",
  async (t) => {
    const large = "x".repeat(4 * 1024 ** 2);
    const { open, held } = await start(t, async (connection: Connection) => {
      t.equal(await connection.readLine(), "hello");
      void connection.write(large);
    });
    const client = await open();
    client.write("hello\nand what nobody reads");
    t.equal((await textOf(client)).length, large.length);
    await until(() => `${held()}`, "0");
  },
);

t.test("a client that reads late gets everything, too", async (t) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.teardown(() => mock.timers.reset());
  const large = "x".repeat(16 * 1024 ** 2);
  const { open, held } = await start(t, async (connection: Connection) => {
    await connection.readLine();
    void connection.write(large);
  });
  const client = await open();
  client.write("hello\n");
  await once(client, "readable");
  while (held() > 0) await turn();
  await turn();
  mock.timers.tick(60_000);
  t.equal((await textOf(client)).length, large.length);
});

t.test("an export by name", async (t) => {
  const { open } = await start(t, (connection: Connection) => connection.write("own"), {
    run: "m.ts::own",
  });
  t.equal(await textOf(await open()), "own");
});

t.test("a handler that fails, or is none", async (t) => {
  const failing = await start(t, () => Promise.reject(new Error("no")));
  t.equal(await textOf(await failing.open()), "");
  await until(failing.logged, "error MODTS_CONNECTION_FAILED");
  t.equal(failing.held(), 0);
  const none = await start(t, undefined);
  t.equal(await textOf(await none.open()), "");
  await until(none.logged, "error MODTS_MISSING_EXPORT");
  const text = await start(t, "text");
  t.equal(await textOf(await text.open()), "");
  await until(text.logged, "error MODTS_NOT_CALLABLE");
});

t.test("a client that goes away is no failure", async (t) => {
  let ended = 0;
  const { open, logged, held } = await start(t, async (connection: Connection) => {
    try {
      while (await connection.read()) await connection.write("x");
      await connection.write("too late");
    } finally {
      ended += 1;
    }
  });
  (await open()).resetAndDestroy();
  await until(() => `${ended} ${held()}`, "1 0");
  t.equal(logged(), "");
});

t.test("a client that does not shake hands holds no place", async (t) => {
  const { cert: certFile, key: keyFile } = createCertificate(t.testdir(), "localhost");
  const settings = { tls: { certFile, keyFile }, limit: 1 };
  const { open } = await start(t, () => undefined, settings, 100);
  t.equal(await textOf(await open()), "", "one that is silent");
  const client = await open();
  // The begin of a ClientHello.
  client.write(Buffer.from([22, 3, 1, 2, 0]));
  t.equal(await textOf(client), "", "one that does not go on");
});

t.test("no more connections than the limit", async (t) => {
  const { open, logged } = await start(
    t,
    async (connection: Connection) => {
      await connection.write("in");
      await connection.read();
    },
    { limit: 1 },
  );
  const first = await open();
  await once(first, "data");
  t.equal(await textOf(await open()), "", "closed");
  t.equal(await textOf(await open()), "");
  t.equal(logged(), "warn MODTS_CONNECTIONS_FULL", "one line");
  t.equal(counter.sockets.get("test"), 1);
  t.match(counter.take()?.events, { connections_refused_test: 2 });
  first.end();
  await once(first, "close");
  const next = await open();
  t.equal(String((await once(next, "data"))[0]), "in");
});

t.test("silence has a limit", async (t) => {
  const { open, held } = await start(t, (connection: Connection) => connection.readLine(), {
    idleTimeout: 20,
  });
  t.equal(await textOf(await open()), "");
  await until(() => `${held()}`, "0");
});

t.test("the worker is about to end", async (t) => {
  const heard: string[] = [];
  const { open, connections } = await start(t, async (connection: Connection) => {
    await connection.write("ready");
    connection.signal.addEventListener("abort", () => heard.push("ending"));
    heard.push(String(await connection.readLine()));
    await connection.write("bye").catch(() => {});
  });
  const [polite, silent] = [await open(), await open()];
  await Promise.all([once(polite, "data"), once(silent, "data")]);
  const waiting = connections.drain(60_000);
  await until(() => heard.join(), "ending,ending");
  polite.write("last\n");
  t.equal(await textOf(polite), "bye", "a last answer");
  await connections.drain(0);
  await waiting;
  t.same(heard, ["ending", "ending", "last", "null"]);
});

t.test("a client that reads nothing does not keep the worker", async (t) => {
  const { open, connections, held } = await start(t, async (connection: Connection) => {
    await connection.readLine();
    connection.write("x".repeat(16 * 1024 ** 2)).catch(() => {});
  });
  const client = await open();
  client.write("hello\n");
  await once(client, "readable");
  await until(() => `${held()}`, "0");
  await connections.drain(0);
  t.ok((await textOf(client)).length < 16 * 1024 ** 2, "closed");
});

t.test("a socket that the configuration no longer has", async (t) => {
  const { connections } = await start(t, () => {});
  const server = createServer((socket) => connections.accept("other", socket)).listen(0);
  t.teardown(() => server.close());
  await once(server, "listening");
  const client = connect((server.address() as { port: number }).port);
  t.equal(await textOf(client), "", "of another pool, too");
});
