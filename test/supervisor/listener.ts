import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, lstatSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { freePort } from "../../src/httpd/private-server.ts";
import {
  clearMarkers,
  formatAddress,
  type ListenAddress,
  type Listener,
  type ListenerOptions,
  openListener,
  requireTrust,
} from "../../src/supervisor/listener.ts";

const folder = mkdtempSync(join(tmpdir(), "mod-ts-"));
t.teardown(() => rmSync(folder, { recursive: true }));
const at = (address: ListenAddress) => ({ pool: "main", transport: "gateway", address }) as const;

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
      message: /another process/,
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

t.test("a marker exists from mark to close, and while a successor serves", async (t) => {
  const marker = join(folder, "listening");
  const isMarked = (): boolean => existsSync(marker);
  const options = (shared: boolean): ListenerOptions => ({
    ...at({ host: "127.0.0.1", port: 0 }),
    shared,
    marker,
  });
  for (const shared of [false, true]) {
    writeFileSync(marker, "left over from a crash");
    clearMarkers([options(shared)]);
    t.notOk(isMarked(), "nobody listens");
    const open = (): Promise<Listener> => openListener(options(shared), undefined, () => {});
    const listener = await open();
    t.notOk(isMarked(), "a predecessor may not listen there");
    listener.mark();
    t.ok(isMarked());
    listener.close({ keepFile: true });
    t.ok(isMarked(), "of a successor");
    const idle = await open();
    idle.close();
    t.ok(isMarked(), "of a predecessor");
    const other = await open();
    other.mark();
    other.close();
    t.notOk(isMarked(), "closed");
  }
});

t.test("who can reach a listener without a secret", async (t) => {
  const trust =
    (address: ListenAddress, isSecured = false) =>
    (): void =>
      requireTrust(isSecured, [{ pool: "main", transport: "gateway", address }]);
  t.doesNotThrow(trust({ path: "/x" }));
  for (const host of ["localhost", "127.0.0.1", "127.9.9.9", "::1"])
    t.doesNotThrow(trust({ host, port: 1 }), host);
  for (const host of ["0.0.0.0", "::", "", "127.evil.example", "10.0.0.1", "127.0.0.1.example"]) {
    t.throws(trust({ host, port: 1 }), { code: "MODTS_SECRET_REQUIRED" }, host);
    t.doesNotThrow(trust({ host, port: 1 }, true), host);
  }
});

t.test("a socket of the sidecar's own is for everybody", async (t) => {
  const address = { host: "0.0.0.0", port: 1 };
  const own = { pool: "main", transport: "connection.echo", address };
  t.doesNotThrow(() => requireTrust(false, [own]), "not for the peers of Apache's");
});

t.test("formatAddress", async (t) => {
  t.equal(formatAddress({ path: "/run/x" }), "/run/x");
  t.equal(formatAddress({ host: "::1", port: 5 }), "[::1]:5");
  t.equal(formatAddress({ host: "a", port: 5 }), "a:5");
});

for (const kind of ["TCP", "Unix"]) {
  const title = `a shared socket listens here and is accepted on elsewhere, one after the other: ${kind}`;
  t.test(title, async (t) => {
    const port = await freePort("127.0.0.1");
    const path = join(folder, "shared.sock");
    const address = kind === "TCP" ? { host: "127.0.0.1", port } : { path };
    const options = { pool: "main", transport: "authorizer", address, shared: true };
    const listener = await openListener(options, undefined, () =>
      t.fail("nothing is accepted here"),
    );
    const answer = (): Promise<string> =>
      new Promise((resolve) => {
        let text = "";
        const socket = connect(address);
        socket
          .on("data", (chunk) => (text += chunk))
          .on("error", (error) => resolve(error.message));
        socket.on("close", () => resolve(text));
      });
    const early = answer();
    for (const name of ["first", "second"]) {
      const child = spawn(
        process.execPath,
        [join(import.meta.dirname, "../fixtures/accept.ts"), name],
        {
          stdio: ["ignore", "inherit", "inherit", "ipc"],
        },
      );
      child.send("listen", listener.handle as never);
      await once(child, "message");
      t.equal(await early, "first", "who connects before the first worker waits for it");
      t.equal(await answer(), name);
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    const waiting = answer();
    const last = spawn(
      process.execPath,
      [join(import.meta.dirname, "../fixtures/accept.ts"), "last"],
      {
        stdio: ["ignore", "inherit", "inherit", "ipc"],
      },
    );
    last.send("listen", listener.handle as never);
    t.equal(await waiting, "last", "who connects while no worker is there waits for the next");
    last.kill();
    await once(last, "exit");
    await t.rejects(
      openListener(options, undefined, () => {}),
      { code: "MODTS_LISTEN_FAILED" },
    );
    listener.close();
    t.match(await answer(), kind === "TCP" ? "ECONNREFUSED" : "ENOENT", "after the end");
  });
}

t.test("a shared Unix socket has mode and file of any other", async (t) => {
  const path = join(folder, "e.sock");
  const mask = process.umask();
  const options = { pool: "main", transport: "decider", address: { path }, shared: true };
  const accept = (): void => void t.fail("nothing is accepted here");
  const listener = await openListener(options, process.getgid!(), accept);
  t.equal(lstatSync(path).mode & 0o777, 0o660);
  t.equal(process.umask(), mask);
  listener.close({ keepFile: true });
  t.ok(existsSync(path), "the successor serves it");
  const next = await openListener(options, undefined, accept);
  t.equal(lstatSync(path).mode & 0o777, 0o600, "a stale one was replaced");
  await t.rejects(openListener(options, undefined, accept), { message: /another process/ });
  next.close();
  t.notOk(existsSync(path));
  const missing = { ...options, address: { path: join(folder, "no", "x") } };
  await t.rejects(openListener(missing, undefined, accept), { code: "MODTS_LISTEN_FAILED" });
});
