/** Sockets of the sidecar's own, with its real processes: Redis' client, TLS, reload, upgrade, stop. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { promisify } from "node:util";
import t from "tap";
import { freePort } from "../../src/httpd/private-server.ts";
import { askStatus } from "../../src/supervisor/control.ts";
import { createCertificate } from "../fixtures/certificate.ts";
import { modTs, Running } from "../fixtures/mod-ts.ts";
import { isAlive } from "../fixtures/processes.ts";
import { shortFolder } from "../fixtures/short-folder.ts";
import { until } from "../fixtures/until.ts";

const run = promisify(execFile);
const folder = shortFolder(t);
const [echo, secure, redis] = [
  await freePort("127.0.0.1"),
  await freePort("127.0.0.1"),
  await freePort("127.0.0.1"),
];
const unused = await freePort("127.0.0.1");
const { cert, key } = createCertificate(folder, "localhost");
mkdirSync(join(folder, "handlers"));
for (const name of ["echo.ts", "redis.ts"]) {
  cpSync(join(import.meta.dirname, "../../examples", name), join(folder, "handlers", name));
}
const own = (version: string): string => `export async function connectionHandler(connection) {
  await connection.write("${version}\\n");
  while ((await connection.readLine()) !== null) await connection.write("${version} again\\n");
}`;
writeFileSync(join(folder, "handlers/own.ts"), own("v1"));
const config = {
  handlers: ["handlers"],
  run: join(folder, "run"),
  keepAlive: 50,
  pools: { main: { workers: 2 }, redis: { workers: 1 } },
  log: { format: "text" },
  connections: {
    echo: { run: "echo.ts", port: echo },
    local: { run: "echo.ts", path: "local.sock" },
    own: { run: "own.ts", port: secure, tls: { certFile: cert, keyFile: key } },
    redis: { run: "redis.ts", port: redis, pool: "redis" },
  },
};
const configure = (next: object): void =>
  writeFileSync(join(folder, "mod-ts.config.json"), JSON.stringify(next));
configure(config);

const running = new Running("start", folder);
t.teardown(async () => {
  running.child.kill("SIGKILL");
  // The successor, where a test has failed.
  const status = await askStatus(config.run).catch(() => undefined);
  if (status) process.kill(status.pid, "SIGKILL");
});
await running.logged(`redis: listening on 127.0.0.1:${redis}`);

const open = (): Socket => connect(echo, "127.0.0.1");
const openSecure = (): Socket =>
  connectTls({
    host: "127.0.0.1",
    port: secure,
    servername: "localhost",
    rejectUnauthorized: false,
  });
const heard = async (socket: Socket): Promise<string> => String((await once(socket, "data"))[0]);

t.test("a line protocol", async (t) => {
  const client = open();
  client.write("one\r\ntwo\n");
  let text = "";
  while (text !== "one\r\ntwo\r\n") text += await heard(client);
  client.write("quit\n");
  await once(client.resume(), "close");
  t.equal(text, "one\r\ntwo\r\n");
});

const echoOf = async (path: string): Promise<string> => {
  const client = connect(path);
  client.write("local\n");
  const text = await heard(client);
  client.destroy();
  return text;
};

t.test("a Unix socket, closed to others", async (t) => {
  const path = join(folder, "local.sock");
  t.equal(await echoOf(path), "local\r\n");
  t.equal(statSync(path).mode & 0o007, 0);
});

const isThere = ["/usr/bin/redis-cli", "/usr/local/bin/redis-cli"].some((path) => existsSync(path));

t.test("redis-cli", { skip: !isThere && "it is not installed" }, async (t) => {
  const ask = async (...words: string[]): Promise<string> =>
    (await run("redis-cli", ["-p", `${redis}`, ...words])).stdout.trim();
  t.equal(await ask("PING"), "PONG");
  t.equal(await ask("SET", "planet", "Mars är röd"), "OK");
  t.equal(await ask("GET", "planet"), "Mars är röd");
  t.equal(await ask("DBSIZE"), "1");
  t.equal(await ask("DEL", "planet"), "1");
  t.equal(await ask("GET", "planet"), "");
  t.match(await ask("FLUSHALL"), "ERR unknown command");
});

t.test("redis-cli subscribes", { skip: !isThere && "it is not installed" }, async (t) => {
  const publish = async (): Promise<string> =>
    (await run("redis-cli", ["-p", `${redis}`, "PUBLISH", "news", "Mars är röd"])).stdout.trim();
  t.equal(await publish(), "0", "nobody listens");
  const client = spawn("redis-cli", ["-p", `${redis}`, "SUBSCRIBE", "news"]);
  t.teardown(() => client.kill());
  let text = "";
  client.stdout.setEncoding("utf8").on("data", (part: string) => (text += part));
  await until(() => text, "subscribe\nnews\n1");
  t.equal(await publish(), "1");
  await until(() => text, "message\nnews\nMars är röd");
  client.kill();
  await until(publish, "0");
});

t.test("TLS, and a save that the next connection sees", async (t) => {
  const first = openSecure();
  t.equal(await heard(first), "v1\n");
  writeFileSync(join(folder, "handlers/own.ts"), own("v2"));
  const second = openSecure();
  t.equal(await heard(second), "v2\n");
  first.write("x\n");
  t.equal(await heard(first), "v1 again\n", "an open one keeps its version");
  first.destroy();
  second.destroy();
  const plain = connect(secure, "127.0.0.1");
  plain.on("error", () => {});
  plain.write("no handshake\n");
  await once(plain.resume(), "close");
});

t.test("a reload ends open connections, and refuses none", async (t) => {
  const client = open();
  const closed = once(client, "close");
  client.write("before\n");
  await heard(client);
  const { echo: kept, own: other, local } = config.connections;
  const moved = { ...config.connections.redis, port: unused };
  configure({ ...config, connections: { echo: kept, own: other, local, redis: moved } });
  const { code, stdout, stderr } = await modTs("reload", folder);
  t.equal(code, 0, stderr);
  t.match(stdout + stderr, "connections.redis", "another port needs an upgrade");
  await closed;
  const next = open();
  next.write("after\n");
  t.equal(await heard(next), "after\r\n");
  next.destroy();
  configure(config);
});

t.test("an upgrade hands the sockets over, and a stop ends connections", async (t) => {
  const client = open();
  const closed = once(client, "close");
  const replaced = once(running.child, "exit");
  client.write("before\n");
  await heard(client);
  const { code, stderr } = await modTs("upgrade", folder);
  t.equal(code, 0, stderr);
  const next = open();
  const ended = once(next, "close");
  next.write("after\n");
  t.equal(await heard(next), "after\r\n");
  await closed;
  await replaced;
  const path = join(folder, "local.sock");
  t.equal(await echoOf(path), "local\r\n", "the Unix socket too");
  const { pid } = await askStatus(config.run);
  process.kill(pid, "SIGTERM");
  await ended;
  await until(() => String(isAlive(pid)), "false");
  t.notOk(existsSync(path), "the file of a Unix socket is gone");
});
