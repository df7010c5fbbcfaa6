import { once } from "node:events";
import { existsSync, lstatSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { formatAddress, isLocal, type ListenAddress, openListener } from "../src/listener.ts";

const folder = mkdtempSync(join(tmpdir(), "mod-ts-"));
t.teardown(() => rmSync(folder, { recursive: true }));
const at = (address: ListenAddress) => ({ pool: "main", door: "gateway", address }) as const;

t.test("a Unix socket: accepted connections come unread", async (t) => {
  const path = join(folder, "a.sock");
  const { promise, resolve } = Promise.withResolvers<Socket>();
  const listener = await openListener(at({ path }), process.getgid!(), resolve);
  const client = connect(path);
  client.write("hello");
  const accepted = await promise;
  t.ok(accepted.isPaused());
  t.equal(accepted.bytesRead, 0);
  accepted.destroy();
  client.destroy();
  t.equal(lstatSync(path).mode & 0o777, 0o660);
  listener.close();
  t.notOk(existsSync(path));
});

t.test("its mode: nobody but the owner without a group, and the umask is put back", async (t) => {
  const path = join(folder, "b.sock");
  const mask = process.umask();
  const listener = await openListener(at({ path }), undefined, () => {});
  t.equal(lstatSync(path).mode & 0o777, 0o600);
  t.equal(process.umask(), mask);
  listener.close();
});

t.test("a stale socket is replaced, a live one is not", async (t) => {
  const path = join(folder, "c.sock");
  const live = await openListener(at({ path }), undefined, (socket) => socket.destroy());
  await t.rejects(
    openListener(at({ path }), undefined, () => {}),
    {
      code: "MODTS_LISTEN_FAILED",
      message: /another process answers/,
    },
  );
  live.close();
  // A socket file nobody listens on: what a killed process leaves.
  const { spawnSync } = await import("node:child_process");
  spawnSync(process.execPath, [
    "-e",
    `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`,
  ]);
  t.ok(existsSync(path));
  const next = await openListener(at({ path }), undefined, () => {});
  t.pass("replaced");
  next.close();
});

t.test("other things in the way stay", async (t) => {
  const path = join(folder, "d.sock");
  writeFileSync(path, "precious");
  await t.rejects(
    openListener(at({ path }), undefined, () => {}),
    { code: "MODTS_LISTEN_FAILED" },
  );
  rmSync(path);
  symlinkSync("/nowhere", path);
  await t.rejects(
    openListener(at({ path }), undefined, () => {}),
    { code: "MODTS_LISTEN_FAILED" },
  );
  t.ok(lstatSync(path).isSymbolicLink());
  await t.rejects(
    openListener(at({ path: join(folder, "no", "x") }), undefined, () => {}),
    {
      code: "MODTS_LISTEN_FAILED",
    },
  );
});

t.test("TCP", async (t) => {
  const address = { host: "127.0.0.1", port: 0 };
  const listener = await openListener(at(address), undefined, (socket) => socket.destroy());
  const actual = listener.address as { host: string; port: number };
  t.ok(actual.port > 0);
  await once(connect(actual), "connect");
  await t.rejects(
    openListener(at(actual), undefined, () => {}),
    {
      code: "MODTS_LISTEN_FAILED",
      message: /EADDRINUSE/,
    },
  );
  listener.close();
});

t.test("isLocal", async (t) => {
  t.ok(isLocal({ path: "/x" }));
  for (const host of ["localhost", "127.0.0.1", "127.9.9.9", "::1"])
    t.ok(isLocal({ host, port: 1 }), host);
  for (const host of ["0.0.0.0", "::", "", "127.evil.example", "10.0.0.1", "127.0.0.1.example"]) {
    t.notOk(isLocal({ host, port: 1 }), host);
  }
});

t.test("formatAddress", async (t) => {
  t.equal(formatAddress({ path: "/run/x" }), "/run/x");
  t.equal(formatAddress({ host: "::1", port: 5 }), "[::1]:5");
  t.equal(formatAddress({ host: "a", port: 5 }), "a:5");
});
