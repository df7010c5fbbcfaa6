/** The program, as the supervisor talks to it. What it serves is tested through Apache. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { type Config, resolveConfig, type ResolvedConfig } from "../src/config/config.ts";
import type { FromWorker, InitMessage } from "../src/supervisor/worker-process.ts";
import { shortFolder } from "./fixtures/short-folder.ts";

const program = join(import.meta.dirname, "../src/worker.ts");
const execArgv = ["--experimental-vm-modules", "--disable-warning=ExperimentalWarning"];

t.test("a start that fails is told, one that succeeds serves until it is drained", async (t) => {
  const folder = shortFolder(t);
  const configOf = (more: Config): ResolvedConfig =>
    resolveConfig(
      { run: folder, reload: { watch: false }, log: { file: "a.log" }, ...more },
      join(folder, "mod-ts.config.ts"),
    );
  const worker = fork(program, [], {
    execArgv,
    serialization: "advanced",
    stdio: ["ignore", "ignore", "ignore", "ipc", "pipe"],
  });
  t.teardown(() => worker.kill("SIGKILL"));
  worker.stdio[4]?.destroy();
  const answers: FromWorker[] = [];
  const answered = async (type: FromWorker["type"]): Promise<FromWorker> => {
    for (;;) {
      const found = answers.find((answer) => answer.type === type);
      if (found) return found;
      const [answer] = (await once(worker, "message")) as [FromWorker];
      answers.push(answer);
    }
  };
  const init: InitMessage = { type: "init", config: {}, pool: "main", slot: 1, generation: 1 };
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
