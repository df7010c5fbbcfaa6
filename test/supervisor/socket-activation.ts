import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import t from "tap";
import { inheritedSocket, socketName } from "../../src/supervisor/socket-activation.ts";
import { shortFolder } from "../fixtures/short-folder.ts";
import { until } from "../fixtures/until.ts";

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

t.test("the name of each kind of socket", async (t) => {
  const nameOf = (transport: string, pool = "main"): string => socketName({ pool, transport });
  t.equal(nameOf("gateway"), "main");
  t.equal(nameOf("gateway", "reports"), "reports");
  t.equal(nameOf("authorizer"), "guards");
  t.equal(nameOf("decider"), "decide");
  t.equal(nameOf("connection.echo"), "connection.echo", "not the socket of its pool");
});

const program = "/usr/bin/systemd-socket-activate";
const skip = !existsSync(program) && "no systemd here";

t.test("a socket that was there before the sidecar, by systemd's own tool", { skip }, async (t) => {
  const folder = shortFolder(t);
  const [path, own] = [join(folder, "given.sock"), join(folder, "main.sock")];
  const supervisor = join(import.meta.dirname, "../fixtures/workers/supervisor.ts");
  const settings = {
    run: folder,
    directory: folder,
    pools: { main: { workers: 1 } },
    listeners: [{ pool: "main", transport: "gateway", address: { path: own } }],
    config: "good",
    worker: "./good.ts",
  };
  const options = ["--listen", path, "--fdname", "main", "--setenv", "NODE_COMPILE_CACHE"];
  const command = [process.execPath, supervisor, JSON.stringify(settings)];
  const child = spawn(program, [...options, ...command], { stdio: ["ignore", "pipe", "pipe"] });
  t.teardown(() => child.kill("SIGKILL"));
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (part: string) => (text += part));
  await until(() => text, "Listening on");
  t.equal(await ask(path), 200, "the request that started it was kept");
  t.equal(await ask(path), 200, "the next one is answered as well");
  t.match(text, /main: listening on/, "the socket is that of the listener");
  t.notOk(existsSync(own), "it opened none of its own");
  child.kill("SIGTERM");
  t.same(await once(child, "exit"), [0, null], "it ends as it is told");
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
