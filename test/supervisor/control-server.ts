/** Both ends of the control socket, without the processes around them. */
import { once } from "node:events";
import { lstatSync, symlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import t, { type Test } from "tap";
import { startTime } from "../../src/base/process-identity.ts";
import { askReload, askStatus, askUpgrade, controlSocket } from "../../src/supervisor/control.ts";
import { type ControlCommands, openControl } from "../../src/supervisor/control-server.ts";
import type { SidecarStatus } from "../../src/supervisor/status.ts";
import { shortFolder } from "../fixtures/short-folder.ts";

async function opened(t: Test, commands: Partial<ControlCommands> = {}): Promise<string> {
  const run = shortFolder(t);
  // Any other process that runs: the commands never ask their own.
  writeFileSync(join(run, "mod-ts.pid"), `${process.ppid}\n${startTime(process.ppid)}\n`);
  const control = await openControl(
    { run, directory: run, replaces: false },
    {
      reload: async () => ({ ok: true, generation: 2, restart: ["run"] }),
      drained: async () => {},
      upgrade: async () => ({ ok: true, pid: 7 }),
      status: () => ({ state: "ready" }) as SidecarStatus,
      ...commands,
    },
  );
  t.teardown(() => control?.close());
  return run;
}

t.test("each command has its answer", async (t) => {
  const run = await opened(t);
  t.equal(lstatSync(controlSocket(run)).mode & 0o777, 0o600, "the socket is its owner's only");
  t.same(await askReload(run, run), { ok: true, generation: 2, restart: ["run"] });
  t.same(await askUpgrade(run, run), { ok: true, pid: 7 });
  t.same(await askStatus(run), { state: "ready" });
});

t.test("whoever waits for the old workers has the answer after their end", async (t) => {
  const end = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const drained = (): Promise<void> => {
    asked.resolve();
    return end.promise;
  };
  const run = await opened(t, { drained });
  const order: string[] = [];
  const waiting = askReload(run, run, true).then((outcome) => {
    order.push("answer");
    return outcome;
  });
  await asked.promise;
  t.match(await askReload(run, run), { ok: true }, "others do not wait");
  order.push("end");
  end.resolve();
  t.match(await waiting, { ok: true });
  t.same(order, ["end", "answer"]);
});

t.test("a configuration elsewhere changes nothing, its status may be asked", async (t) => {
  const run = await opened(t);
  const link = join(shortFolder(t), "link");
  symlinkSync(run, link);
  t.match(await askReload(run, link), { ok: true }, "a link leads to the same directory");
  for (const other of [shortFolder(t), "/no/such/directory", ""]) {
    t.match(await askReload(run, other), { ok: false, code: "MODTS_OTHER_DIRECTORY" }, other);
    t.match(await askUpgrade(run, other), { ok: false, code: "MODTS_OTHER_DIRECTORY" }, other);
  }
});

t.test("nonsense closes the connection and harms nobody", async (t) => {
  const run = await opened(t);
  for (const text of ["nonsense\n", "null\n", '{"command":"stop"}\n', "x".repeat(100_000)]) {
    const socket = connect(controlSocket(run)).on("error", () => {});
    let answer = "";
    socket.setEncoding("utf8").on("data", (part: string) => (answer += part));
    socket.write(text);
    await once(socket, "close");
    t.equal(answer, "", `${text.slice(0, 20).trim()} has no answer`);
  }
  t.match(await askReload(run, run), { ok: true }, "the next command is obeyed");
});

t.test("a command that fails has no answer", async (t) => {
  const run = await opened(t, { reload: () => Promise.reject(new Error("broken")) });
  await t.rejects(askReload(run, run), { code: "MODTS_RELOAD_FAILED" }, "whoever asked is told");
});

t.test("a socket that cannot be opened is not fatal", async (t) => {
  const commands = {} as ControlCommands;
  const options = { run: "/no/such/directory", directory: "/", replaces: false };
  t.equal(await openControl(options, commands), undefined, "signals still work");
});
