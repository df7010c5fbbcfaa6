/** The asking side, and servers that do not keep to the protocol. */
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import t, { type Test } from "tap";
import { startTime } from "../../src/base/process-identity.ts";
import { askReload, askStatus, controlSocket } from "../../src/supervisor/control.ts";
import { shortFolder } from "../fixtures/short-folder.ts";

/** A run directory of another process, whose control socket does this. */
async function serving(t: Test, accept: (socket: Socket) => void): Promise<string> {
  const run = shortFolder(t);
  writeFileSync(join(run, "mod-ts.pid"), `${process.ppid}\n${startTime(process.ppid)}\n`);
  const server = createServer(accept).listen(controlSocket(run));
  await once(server, "listening");
  t.teardown(() => server.close());
  return run;
}

t.test("nobody is asked where no sidecar runs", async (t) => {
  const run = shortFolder(t);
  await t.rejects(askReload(run, run), { code: "MODTS_NOT_RUNNING" });
  await t.rejects(askStatus(run), { code: "MODTS_NOT_RUNNING" });
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
