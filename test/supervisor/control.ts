/** The asking side, and servers that do not keep to the protocol. */
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { startTime } from "../../src/base/process-identity.ts";
import { askReload, askStatus, controlSocket } from "../../src/supervisor/control.ts";
import { shortFolder } from "../fixtures/short-folder.ts";

/** A run directory of another process, whose control socket does this. */
async function serving(t: Test, accept: (socket: Socket) => void): Promise<string> {
  const run = claimed(t);
  await listen(t, run, accept);
  return run;
}

/** A run directory of another process. */
function claimed(t: Test): string {
  const run = shortFolder(t);
  writeFileSync(join(run, "mod-ts.pid"), `${process.ppid}\n${startTime(process.ppid)}\n`);
  return run;
}

async function listen(t: Test, run: string, accept: (socket: Socket) => void): Promise<void> {
  const server = createServer(accept).listen(controlSocket(run));
  await once(server, "listening");
  t.teardown(() => server.close());
}

t.test("nobody is asked where no sidecar runs", async (t) => {
  const run = shortFolder(t);
  await t.rejects(askReload(run, run), { code: "MODTS_NOT_RUNNING" });
  await t.rejects(askStatus(run), { code: "MODTS_NOT_RUNNING" });
});

t.test("a sidecar that has only just started is waited for", async (t) => {
  const run = claimed(t);
  const status = askStatus(run);
  await sleep(10);
  await listen(t, run, (socket) => socket.resume().end('{"state":"starting"}\n'));
  t.same(await status, { state: "starting" });
});

t.test("an answer in pieces is read to the end of its line", async (t) => {
  const run = await serving(t, (socket) => {
    socket.once("data", (question: Buffer) => {
      const { command } = JSON.parse(String(question)) as { command: string };
      socket.write('{"state":');
      setImmediate(() => socket.end(`"${command}"}\nmore`));
    });
  });
  t.same(await askStatus(run), { state: "status" }, "what follows the line is not read");
});

t.test("a sidecar that ends before its answer", async (t) => {
  const run = await serving(t, (socket) => socket.resume().end());
  await t.rejects(askReload(run, run), { code: "MODTS_RELOAD_FAILED", message: /closed/ });
  await t.rejects(askStatus(run), /closed the connection/);
});

t.test("an answer without end is given up", async (t) => {
  const run = await serving(t, (socket) => {
    socket.on("error", () => {}).resume();
    const flood = (): void => {
      while (!socket.destroyed && socket.write(Buffer.alloc(1024 ** 2, "x")));
      if (!socket.destroyed) socket.once("drain", flood);
    };
    flood();
  });
  await t.rejects(askStatus(run), /closed the connection/, "after 16 MiB");
});
