import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { type Config, defineConfig, resolveConfig } from "../../src/config/config.ts";

const folder = mkdtempSync(join(tmpdir(), "mod-ts-"));
t.teardown(() => rmSync(folder, { recursive: true }));
const file = join(folder, "mod-ts.config.ts");
const resolve = (config: Config): ReturnType<typeof resolveConfig> => resolveConfig(config, file);

t.test("defaults", async (t) => {
  const config = resolve({});
  t.match(config, {
    file,
    directory: folder,
    handlers: [folder],
    secret: undefined,
    secrets: {},
    secretFiles: [],
    limits: {
      headerBytes: 65_536,
      bodyBytes: 1_073_741_824,
      handlerTimeout: 60_000,
      waitingRequests: 256,
      evaluateTimeout: 10_000,
      readyTimeout: 30_000,
      blockedTimeout: 2_000,
      overdueHandlers: 10,
    },
    reload: { freshness: "request", watch: false },
    keepAlive: 30_000,
    listenAt: "start",
    log: { level: "info" },
    development: false,
  });
  t.equal(config.pools["main"]!.workers, availableParallelism());
  t.equal(resolve({ development: true }).pools["main"]!.workers, 1);
  t.equal(resolve({ development: true }).limits.blockedTimeout, 10_000, "developers measure");
  t.same(config.listeners, [
    {
      pool: "main",
      transport: "decider",
      address: { path: join(config.run, "decide.sock") },
      shared: true,
    },
    { pool: "main", transport: "gateway", address: { path: join(config.run, "main.sock") } },
  ]);
  t.same(structuredClone(config), config, "survives IPC");
});

t.test("what is given wins, and undefined gives nothing", async (t) => {
  const config = resolve({
    handlers: [".", "/"],
    run: "run",
    limits: { bodyBytes: 5, headerBytes: undefined } as unknown as { bodyBytes: number },
    development: true,
  });
  t.same(config.handlers, [folder, "/"]);
  t.equal(config.run, join(folder, "run"));
  t.match(config.limits, { bodyBytes: 5, headerBytes: 65_536 });
  t.equal(config.reload.watch, true, "development watches");
  t.equal(resolve({ development: true, reload: { watch: false } }).reload.watch, false);
});

t.test("limits of workers, by pool", async (t) => {
  const main = { workers: 1, requests: 10_000 };
  const authorizer = { port: 9790, workers: 1, age: 3_600_000 };
  const { pools } = resolve({ pools: { main }, authorizer });
  const none = { heapBytes: 0, requests: 0, age: 0 };
  t.same(pools["main"], { ...none, memoryBytes: 1024 ** 3, ...main });
  t.same(pools["guards"], { ...none, memoryBytes: 1024 ** 3, workers: 1, age: 3_600_000 });
  const wrong = { workers: 1, memoryBytes: 5, age: 3, requests: -1 };
  t.throws(() => resolve({ pools: { main: wrong }, limits: { blockedTimeout: 20 } }), {
    message: /memoryBytes[^]+age[^]+requests[^]+blockedTimeout/,
  });
  t.doesNotThrow(() => resolve({ limits: { blockedTimeout: 0 } }));
});

t.test("listeners: main first, then by name; ports count up", async (t) => {
  const pools = { zoo: { workers: 1 }, admin: { workers: 2 } };
  const config = resolve({ pools, listen: { host: "127.0.0.1", port: 9700 } });
  t.same(
    config.listeners.map(({ pool, address }) => [pool, address]),
    [
      ["main", { host: "127.0.0.1", port: 9700 }],
      ["admin", { host: "127.0.0.1", port: 9701 }],
      ["zoo", { host: "127.0.0.1", port: 9702 }],
    ],
  );
  t.ok(config.pools["main"], "main is always there");
});

t.test("guards have a pool of their own, which serves nothing else", async (t) => {
  const authorizer = { port: 9800 };
  const given = { authorizer, pools: { main: { workers: 4 } } };
  const config = resolve(given);
  t.match(config.pools, { main: { workers: 4 }, guards: { workers: 2 } });
  t.same(
    config.listeners.map(({ pool, transport }) => [pool, transport]),
    [
      ["guards", "authorizer"],
      ["guards", "decider"],
      ["main", "gateway"],
    ],
  );
  t.match(resolve({ ...given, pools: { main: { workers: 1 } } }).pools, { guards: { workers: 1 } });
  t.match(resolve({ ...given, authorizer: { ...authorizer, workers: 5 } }).pools["guards"], {
    workers: 5,
  });
  for (const none of [
    { ...given, development: true },
    { ...given, authorizer: { ...authorizer, workers: 0 } },
  ]) {
    const { pools, listeners } = resolve(none);
    t.same(Object.keys(pools), ["main"]);
    t.match(listeners[0], { pool: "main", transport: "authorizer" });
  }
  t.throws(() => resolve({ pools: { guards: { workers: 1 } } }), { message: /pools\.guards/ });
});

t.test("secretFile", async (t) => {
  writeFileSync(join(folder, "secret"), "0123456789abcdef\n");
  t.equal(resolve({ secretFile: "secret" }).secret, "0123456789abcdef");
  writeFileSync(join(folder, "short"), "abc");
  t.throws(() => resolve({ secretFile: "short" }), { message: /at least 16 characters/ });
  t.throws(() => resolve({ secretFile: "none" }), { message: /ENOENT/ });
});

t.test("secrets, by value and from files", async (t) => {
  writeFileSync(join(folder, "db"), "mysql://app:hunter2@db/x\n");
  const config = resolve({ secrets: { db: { file: "db" }, other: "word" } });
  t.same(config.secrets, { db: "mysql://app:hunter2@db/x", other: "word" });
  t.same(config.secretFiles, [join(folder, "db")]);
  t.throws(() => resolve({ secrets: { a: { file: "none" } } }), { message: /secrets\.a: ENOENT/ });
  t.throws(() => resolve({ secrets: { "a b": "x" } }), { code: "MODTS_CONFIG_INVALID" });
});

t.test("mistakes that need the whole, all at once", async (t) => {
  const wrong: Config = {
    handlers: ["nowhere", "."],
    run: "x".repeat(120),
    socketGroup: "no-such-group",
    secret: "0123456789abcdef",
    secretFile: "none",
  };
  t.throws(() => resolve(wrong), {
    code: "MODTS_CONFIG_INVALID",
    message: /errors: 6\)\n/,
  });
  for (const part of [
    "nowhere",
    "exclude each other",
    "socketGroup: .*no-such-group",
    "more than 107",
  ]) {
    t.throws(() => resolve(wrong), { message: new RegExp(part) });
  }
  t.throws(() => resolve({ pools: { b: { workers: 1 } }, listen: { host: "::1", port: 65_535 } }), {
    message: /pool b would get port 65536/,
  });
});

t.test("auth needs a secret and handlers", async (t) => {
  const auth = { wiki: { convention: "path", access: "a.ts" } } as const;
  t.same(resolve({ secret: "0123456789abcdef", auth }).auth, auth);
  t.same(resolve({}).auth, {});
  t.throws(() => resolve({ auth }), /auth\.wiki: it needs secret or secretFile/);
  t.throws(
    () => resolve({ secret: "0123456789abcdef", auth: { wiki: { convention: "path" } } }),
    /auth\.wiki: name access, authen or authz/,
  );
});

t.test("origin needs a secret, an address, and threads for every process", async (t) => {
  const secret = "0123456789abcdef";
  const pools = { main: { workers: 2 }, other: { workers: 1 } };
  const url = "http://127.0.0.1:80";
  t.same(resolve({ secret, pools, origin: { url } }).origin, { url, requestWorkers: 150 });
  t.equal(resolve({}).origin, undefined);
  t.throws(() => resolve({ pools, origin: { url } }), /origin: it needs secret or secretFile/);
  for (const wrong of ["127.0.0.1:80", "ftp://x", "http://x/path", "http://user@x/"]) {
    t.throws(() => resolve({ secret, origin: { url: wrong } }), /origin\.url: it must be/, wrong);
  }
  t.throws(
    () => resolve({ secret, pools, origin: { url, requestWorkers: 8 } }),
    /origin\.requestWorkers: 3 worker processes need 9 at least/,
  );
});

t.test("mistakes of shape are reported in full", async (t) => {
  const wrong = { handler: 1, keepAlive: "x" } as unknown as Config;
  t.throws(() => resolve(wrong), {
    code: "MODTS_CONFIG_INVALID",
    message: /errors: 2\)\n {2}- handler is not .*\n {2}- keepAlive must be/,
  });
});

t.test("defineConfig changes nothing", async (t) => {
  const config = { development: true };
  t.equal(defineConfig(config), config);
});

t.test("a sidecar with a name has its own run directory, a secret, and Unix sockets", (t) => {
  const named = { name: "blog", secret: "0123456789abcdef" };
  t.match(resolve(named).run, /blog|\.mod-ts\/run$/);
  const origin = { url: "http://localhost:80" };
  t.match(resolve({ ...named, origin }), { origin }, "callbacks, in a virtual host of its own");
  const wrong: [Config, RegExp][] = [
    [{ name: "blog" }, /name: it needs secret/],
    [{ ...named, name: "main" }, /name must be/],
    [{ ...named, name: "a b" }, /name must be/],
    [{ ...named, listen: { host: "127.0.0.1", port: 9700 } }, /listen: a sidecar with a name/],
    [{ ...named, origin: { ...origin, clientHeader: "X-Real-IP" } }, /origin.clientHeader: a side/],
  ];
  for (const [config, message] of wrong) t.throws(() => resolve(config), { message });
  t.end();
});
