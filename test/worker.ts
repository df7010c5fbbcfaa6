/** The program, as the supervisor talks to it. What it serves is tested through Apache. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import type { Readable } from "node:stream";
import t, { type Test } from "tap";
import { type Config, resolveConfig, type ResolvedConfig } from "../src/config/config.ts";
import type { FromWorker, InitMessage } from "../src/supervisor/worker-process.ts";
import { shortFolder } from "./fixtures/short-folder.ts";

const program = join(import.meta.dirname, "../src/worker.ts");
const execArgv = ["--experimental-vm-modules", "--disable-warning=ExperimentalWarning"];

interface Program {
  readonly worker: ChildProcess;
  readonly folder: string;
  readonly answers: FromWorker[];
  configOf(more: Config): ResolvedConfig;
  /** The first answer of a type, once it has come. */
  answered(type: string): Promise<FromWorker>;
}

function startProgram(t: Test): Program {
  const folder = shortFolder(t);
  const worker = fork(program, [], {
    execArgv,
    serialization: "advanced",
    stdio: ["ignore", "ignore", "ignore", "ipc", "pipe"],
  });
  t.teardown(() => worker.kill("SIGKILL"));
  // Reports of the watchdog, which kills a worker without a supervisor.
  (worker.stdio[4] as Readable).resume();
  const answers: FromWorker[] = [];
  return {
    worker,
    folder,
    answers,
    configOf: (more) =>
      resolveConfig(
        { run: folder, reload: { watch: false }, log: { file: "a.log" }, ...more },
        join(folder, "mod-ts.config.ts"),
      ),
    answered: async (type) => {
      for (;;) {
        const found = answers.find((answer) => answer.type === type);
        if (found) return found;
        const [answer] = (await once(worker, "message")) as [FromWorker];
        answers.push(answer);
      }
    },
  };
}

const init: InitMessage = { type: "init", config: {}, pool: "main", slot: 1, generation: 1 };

t.test("a start that fails is told, one that succeeds serves until it is drained", async (t) => {
  const { worker, folder, answers, configOf, answered } = startProgram(t);
  worker.send({ ...init, config: configOf({ fastify: ["missing.ts"] }) });
  t.match(await answered("failed"), { message: /missing\.ts/ }, "the reason has the plugin");
  worker.send({ ...init, config: configOf({}) });
  await answered("ready");
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) worker.kill(signal);
  worker.send({ type: "drain", linger: 0, deadline: 60_000 });
  t.same(await once(worker, "exit"), [0, null], "signals of a terminal do not end it, drain does");
  t.ok(existsSync(join(folder, "a.log")), "it writes to the log of its configuration");
  t.match(answers.at(-1)?.type ?? "report", /report|ready/, "the last message has its counts");
});

/** Tells that it is loading, and goes on when the drain has come. */
const preloaded = `
  process.send({ type: "preloading" });
  await new Promise((resolve) => {
    process.on("message", ({ type }) => type === "drain" && resolve(undefined));
  });`;

t.test("a drain before the end of the start: nothing begins in the background", async (t) => {
  const { worker, folder, configOf, answered } = startProgram(t);
  const consumer = 'import { writeFileSync } from "node:fs"; writeFileSync("began", "");';
  writeFileSync(join(folder, "slow.ts"), preloaded);
  const began = join(folder, "began");
  writeFileSync(join(folder, "consumer.ts"), consumer.replace("began", began));
  const config = configOf({
    preload: ["slow.ts"],
    background: { modules: ["consumer.ts"] },
  });
  worker.send({ ...init, config });
  await answered("preloading");
  const { socket, client } = await openConnection(t);
  worker.send({ type: "connection", transport: "gateway", isFinal: true }, socket);
  await answered("accepted");
  worker.send({ type: "drain", linger: 0, deadline: 60_000 });
  await answered("ready");
  // The connection keeps the process: work would have time to begin.
  setTimeout(() => client.destroy(), 500);
  t.same(await once(worker, "exit"), [0, null]);
  t.notOk(existsSync(began));
});

/** A connection, from both sides. */
async function openConnection(t: Test): Promise<Record<"socket" | "client", Socket>> {
  const server = createServer({ pauseOnConnect: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  client.on("error", () => {});
  t.teardown(() => {
    client.destroy();
    server.close();
  });
  const [socket] = (await once(server, "connection")) as [Socket];
  return { socket, client };
}

t.test("a forked process that only imports the program is no worker", async (t) => {
  const child = fork(join(import.meta.dirname, "fixtures/workers/imports-worker.ts"), { execArgv });
  t.strictSame((await once(child, "message"))[0], { disconnects: 0 });
  t.strictSame(await once(child, "exit"), [0, null]);
});
