import { join } from "node:path";
import t from "tap";
import { resolveConfig } from "../../src/config/config.ts";
import { connectionName } from "../../src/config/listeners.ts";
import { shortFolder } from "../fixtures/short-folder.ts";

const folder = shortFolder(t, { "cert.pem": "cert", "key.pem": "key" });
const file = join(folder, "mod-ts.config.ts");
const resolved = (connections: object, more = {}) =>
  resolveConfig({ ...more, connections } as never, file);

t.test("defaults, and a listener for each", async (t) => {
  const tls = { certFile: "cert.pem", keyFile: "key.pem" };
  const pools = { main: { workers: 1 }, lines: { workers: 1 } };
  const both = {
    echo: { run: "echo.ts", port: 7007 },
    own: { run: "a.ts", port: 1, tls, pool: "lines" },
  };
  const { connections, listeners, secretFiles } = resolved(both, { pools });
  t.same(connections["echo"], {
    run: "echo.ts",
    address: { host: "127.0.0.1", port: 7007 },
    pool: "main",
    limit: 1000,
    idleTimeout: 300_000,
    tls: undefined,
  });
  t.same(
    listeners.filter(({ transport }) => connectionName(transport) !== undefined),
    [
      { pool: "main", transport: "connection.echo", address: { host: "127.0.0.1", port: 7007 } },
      { pool: "lines", transport: "connection.own", address: { host: "127.0.0.1", port: 1 } },
    ],
  );
  t.same(secretFiles, [join(folder, "key.pem")], "static files never contain the key");
  t.equal(connectionName("gateway"), undefined);
});

t.test("a Unix socket", async (t) => {
  const { listeners } = resolved({ local: { run: "a.ts", path: "run/local.sock" } });
  t.match(listeners.at(-1), {
    transport: "connection.local",
    address: { path: join(folder, "run/local.sock") },
  });
});

t.test("mistakes of addresses", async (t) => {
  const fails = (connections: object, message: RegExp): void => {
    t.throws(() => resolved(connections), { message });
  };
  fails({ x: { run: "a.ts" } }, /connections\.x needs a port or a path/);
  const neither = /connections\.x\.path: a Unix socket has neither host nor port/;
  fails({ x: { run: "a.ts", path: "a", port: 7 } }, neither);
  fails({ x: { run: "a.ts", path: "a", host: "::1" } }, neither);
  const long = /connections\.x\.path: the socket path .* more than 107/;
  fails({ x: { run: "a.ts", path: "a".repeat(108) } }, long);
  const taken = /connections\.y\.path: .* is the path of another socket/;
  fails({ x: { run: "a.ts", path: "a" }, y: { run: "a.ts", path: "./a" } }, taken);
});

t.test("mistakes", (t) => {
  const fails = (connection: object, message: RegExp): void => {
    t.throws(() => resolved({ x: { run: "a.ts", port: 7, ...connection } }), { message });
  };
  fails({ port: 0 }, /connections\.x\.port must be from 1/);
  fails({ pool: "none" }, /connections\.x\.pool: no pool none/);
  fails({ tls: { certFile: "cert.pem" } }, /connections\.x\.tls\.keyFile is missing/);
  fails({ tls: { certFile: "cert.pem", keyFile: "no.pem" } }, /connections\.x\.tls: ENOENT/);
  fails({ handler: "a.ts" }, /connections\.x\.handler is not an option/);
  t.end();
});
