import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import t from "tap";
import { inheritedSocket } from "../src/inherited-socket.ts";
import { shortFolder } from "./fixtures/short-folder.ts";
import { until } from "./fixtures/until.ts";

t.test("names are told apart, and other processes' sockets are left alone", async (t) => {
  const pid = String(process.pid);
  const passed = { LISTEN_PID: pid, LISTEN_FDS: "2", LISTEN_FDNAMES: "main:reports:more" };
  t.equal(inheritedSocket("main", passed), 3);
  t.equal(inheritedSocket("reports", passed), 4);
  t.equal(inheritedSocket("more", passed), undefined, "only two were passed");
  t.equal(inheritedSocket("other", passed), undefined);
  t.equal(inheritedSocket("main", { ...passed, LISTEN_PID: "1" }), undefined);
  t.equal(inheritedSocket("main", {}), undefined);
});

const program = "/usr/bin/systemd-socket-activate";
const skip = !existsSync(program) && "no systemd here";

t.test("a socket that was there before the sidecar, by systemd's own tool", { skip }, async (t) => {
  const config = { run: "run", pools: { main: { workers: 1 } } };
  const folder = shortFolder(t, { "mod-ts.config.json": JSON.stringify(config) });
  const path = join(folder, "given.sock");
  const cli = join(import.meta.dirname, "../src/cli.ts");
  const options = ["--listen", path, "--fdname", "main", process.execPath, cli, "start", folder];
  const child = spawn(program, options, { stdio: ["ignore", "ignore", "pipe"] });
  t.teardown(() => child.kill("SIGKILL"));
  let text = "";
  child.stderr.setEncoding("utf8").on("data", (part: string) => (text += part));
  await until(() => text, "Listening on");
  t.equal(await ask(path), 403, "the request that started it was kept, and is none of Apache");
  t.equal(await ask(path), 403);
  t.match(text, /main: listening on/);
  t.notOk(existsSync(join(folder, "run/main.sock")), "it opened none of its own");
  child.kill("SIGTERM");
  t.same(await once(child, "exit"), [0, null]);
  t.ok(existsSync(path), "the socket is systemd's");
});

function ask(socketPath: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const done = get({ socketPath, path: "/", agent: false }, (reply) => {
      reply.resume().once("end", () => resolve(reply.statusCode));
    });
    done.once("error", reject);
  });
}
