import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, lstatSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { freePort } from "../src/httpd/free-port.ts";
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

t.test(
  "a shared socket is bound here and accepted on elsewhere, one after the other",
  async (t) => {
    const port = await freePort("127.0.0.1");
    const address = { host: "127.0.0.1", port };
    const options = { pool: "main", door: "authorizer", address, shared: true };
    const listener = await openListener(options, undefined, () =>
      t.fail("nothing is accepted here"),
    );
    const answer = (): Promise<string> =>
      new Promise((resolve) => {
        let text = "";
        const socket = connect(port, "127.0.0.1");
        socket
          .on("data", (chunk) => (text += chunk))
          .on("error", (error) => resolve(error.message));
        socket.on("close", () => resolve(text));
      });
    t.match(await answer(), "ECONNREFUSED", "before the first worker");
    for (const name of ["first", "second"]) {
      const child = spawn(
        process.execPath,
        [join(import.meta.dirname, "fixtures/accept.ts"), name],
        {
          stdio: ["ignore", "inherit", "inherit", "ipc"],
        },
      );
      child.send("listen", listener.handle as never);
      await once(child, "message");
      t.equal(await answer(), name);
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    const waiting = answer();
    const last = spawn(
      process.execPath,
      [join(import.meta.dirname, "fixtures/accept.ts"), "last"],
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
    t.match(await answer(), "ECONNREFUSED", "after the end");
  },
);
