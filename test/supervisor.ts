import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, lstatSync, readFileSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import t, { type Test } from "tap";
import { logChannel } from "../src/channels.ts";
import type { LogRecord } from "../src/log.ts";
import { shortFolder } from "./fixtures/short-folder.ts";
import { createSupervisor, type Supervisor, type SupervisorOptions } from "../src/supervisor.ts";

const records: LogRecord[] = [];
logChannel.subscribe((record) => records.push(record as LogRecord));
const codes = (): (string | undefined)[] => records.map(({ code }) => code).filter(Boolean);
t.beforeEach(() => void records.splice(0));

interface Answer {
  pid: number;
  pool: string;
  generation: number;
  config: unknown;
}

function options(run: string, worker: string): SupervisorOptions {
  return {
    run,
    pools: { main: { workers: 1 } },
    listeners: [{ pool: "main", door: "gateway", address: { path: join(run, "main.sock") } }],
    config: "good",
    linger: 100,
    drainTimeout: 5000,
    backoff: { first: 5, most: 20, reset: 60_000 },
    program: new URL(`fixtures/workers/${worker}.ts`, import.meta.url),
  };
}

async function started(
  test: Test,
  worker: string,
  more: Partial<SupervisorOptions> = {},
): Promise<{ supervisor: Supervisor; socketPath: string }> {
  const run = shortFolder(test);
  const supervisor = createSupervisor({ ...options(run, worker), ...more });
  await supervisor.start();
  test.teardown(async () => {
    const stopping = supervisor.stop();
    await supervisor.stop();
    await stopping;
  });
  return { supervisor, socketPath: join(run, "main.sock") };
}

function get(where: object, path = "/", agent: Agent | false = false): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const req = request({ ...where, path, agent }, (res) => {
      let text = "";
      res.setEncoding("utf8");
      res.on("data", (part) => (text += part));
      res.on("end", () => resolve(JSON.parse(text) as Answer));
    });
    req.on("error", reject);
    req.end();
  });
}

/** Asks until so many workers have answered. */
async function answerers(socketPath: string, count: number): Promise<Set<number>> {
  const pids = new Set<number>();
  while (pids.size < count) pids.add((await get({ socketPath })).pid);
  return pids;
}

async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    if (readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ")) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

t.test("connections wait for the workers and reach all of them", async (t) => {
  const { supervisor, socketPath } = await started(t, "good", {
    pools: { main: { workers: 2 } },
    config: { a: new Map([[1, 2n]]) },
  });
  // Nobody can be ready yet: a worker takes longer to start than this takes to get here.
  t.equal(records.filter(({ message }) => message === "ready").length, 0);
  const answers = await Promise.all([get({ socketPath }), get({ socketPath })]);
  t.match(answers[0], { pool: "main", generation: 1 });
  await supervisor.ready;
  const pids = await answerers(socketPath, 2);
  t.same([...pids].toSorted(), supervisor.pids("main").toSorted(), "dealt to both");
});

t.test("the fewest connections count, not the turn alone", async (t) => {
  const { socketPath } = await started(t, "good", { pools: { main: { workers: 2 } } });
  await answerers(socketPath, 2);
  const agent = new Agent({ keepAlive: true });
  t.teardown(() => agent.destroy());
  const { pid: busy } = await get({ socketPath }, "/", agent);
  // In turn they would alternate. It takes a moment until the supervisor hears that a connection has ended.
  let others = 0;
  while (others < 4) {
    others = (await get({ socketPath })).pid === busy ? 0 : others + 1;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  t.pass("four in a row went to the worker without a connection");
});

t.test("socket, pid file and their removal", async (t) => {
  const run = shortFolder(t);
  const supervisor = createSupervisor({ ...options(run, "good"), group: process.getgid!() });
  await supervisor.start();
  t.equal(lstatSync(join(run, "main.sock")).mode & 0o777, 0o660);
  t.match(readFileSync(join(run, "mod-ts.pid"), "utf8"), new RegExp(`^${process.pid}\n`));
  await supervisor.stop();
  t.notOk(existsSync(join(run, "main.sock")));
  t.notOk(existsSync(join(run, "mod-ts.pid")));
});

t.test("a crash is a short wait", async (t) => {
  const { supervisor, socketPath } = await started(t, "good");
  const { pid } = await get({ socketPath });
  await t.rejects(get({ socketPath }, "/crash"), "the request that did it is lost");
  const after = await get({ socketPath });
  t.not(after.pid, pid);
  t.same(codes(), ["MODTS_WORKER_DIED"]);
  t.match(records.find(({ code }) => code)?.message, /exit code 7/);
  t.same(supervisor.pids("main"), [after.pid]);
});

t.test("a connection that a dying worker never accepted goes to the next", async (t) => {
  process.env["DIED_FLAG"] = join(shortFolder(t), "died");
  const { socketPath } = await started(t, "die-before-accept");
  t.match(await get({ socketPath }), { pool: "main" });
  t.same(codes(), ["MODTS_WORKER_DIED"]);
});

t.test("a worker that hangs holds up one connection, not the queue", async (t) => {
  const { socketPath } = await started(t, "good", { pools: { main: { workers: 2 } } });
  await answerers(socketPath, 2);
  const order: string[] = [];
  const began = Promise.withResolvers<void>();
  const spin = request({ socketPath, path: "/spin?700", agent: false });
  const ended = once(spin, "response").then(() => order.push("spin"));
  spin.on("information", () => began.resolve()).end();
  await began.promise;
  const more = Array.from({ length: 12 }, () =>
    get({ socketPath }).then(() => order.push("quick")),
  );
  await Promise.all([ended, ...more]);
  t.ok(order.indexOf("spin") >= 11, `answered before the hanging one: ${order.indexOf("spin")}`);
});

t.test("a worker that cannot start is tried again and again", async (t) => {
  const { supervisor } = await started(t, "crash-at-start");
  while (codes().length < 4) await new Promise((resolve) => setTimeout(resolve, 20));
  t.match(records.find(({ code }) => code)?.message, /exit code 3/);
  t.ok(supervisor.listeners.length > 0, "still listening");
});

t.test("a worker that fails, or never gets ready, is killed", async (t) => {
  await started(t, "fail");
  await started(t, "never-ready", { readyTimeout: 300 });
  while (codes().length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
  const messages = records.filter(({ code }) => code).map(({ message }) => message);
  t.ok(
    messages.some((text) => text.includes("no luck")),
    "failed",
  );
  while (!records.some(({ message }) => message.includes("not ready within 300 ms"))) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});

t.test("messages that are not ours do not matter", async (t) => {
  const { socketPath } = await started(t, "noisy");
  await get({ socketPath });
  t.match(await get({ socketPath }), { generation: 1 });
  t.same(codes(), []);
});

t.test("the queue is bounded", async (t) => {
  const { socketPath } = await started(t, "never-ready", { backlog: 3 });
  const sockets = Array.from({ length: 5 }, () => connect(socketPath));
  t.teardown(() => sockets.forEach((socket) => socket.destroy()));
  await Promise.all(sockets.slice(3).map((socket) => once(socket.resume(), "close")));
  t.same(
    sockets.map(({ destroyed }) => destroyed),
    [false, false, false, true, true],
  );
  t.same(codes(), ["MODTS_BACKLOG_FULL"], "said once");
});

t.test("a reload under keep-alive load fails nothing", async (t) => {
  let config = 1;
  const { supervisor, socketPath } = await started(t, "good", {
    pools: { main: { workers: 2 } },
    config,
    reread: async () => ({ pools: { main: { workers: 2 } }, config: ++config, linger: 150 }),
  });
  await supervisor.ready;
  const before = supervisor.pids("main");
  const slow = get({ socketPath }, "/slow?900");
  const running = new AbortController();
  const generations = new Set<number>();
  let answered = 0;
  const clients = Array.from({ length: 4 }, async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (!running.signal.aborted) {
      generations.add((await get({ socketPath }, "/", agent)).generation);
      answered += 1;
    }
    agent.destroy();
  });
  for (let count = 0; count < 3; count += 1) t.ok(await supervisor.reload());
  while (!generations.has(4)) await new Promise((resolve) => setTimeout(resolve, 10));
  running.abort();
  await Promise.all(clients);
  t.same([...generations], [1, 2, 3, 4]);
  t.ok(answered > 100, `${answered} requests`);
  t.match(await slow, { generation: 1, config: 1 }, "a request that runs ends where it began");
  await Promise.all(before.map(gone));
  t.match(await get({ socketPath }), { generation: 4, config: 4 });
  t.same(codes(), [], "no worker died");
});

t.test("a new generation that fails leaves the old one serving", async (t) => {
  const configs = ["fail", "crash", "good"];
  const pools = { main: { workers: 2 } };
  const { supervisor, socketPath } = await started(t, "by-config", {
    pools,
    reread: async () => ({ pools, config: configs.shift() }),
  });
  await supervisor.ready;
  const pids = supervisor.pids("main");
  t.notOk(await supervisor.reload());
  t.notOk(await supervisor.reload());
  t.same(supervisor.pids("main"), pids);
  t.match(await get({ socketPath }), { generation: 1 });
  t.same(codes(), ["MODTS_WORKER_NOT_READY", "MODTS_WORKER_NOT_READY"]);
  t.match(records.find(({ code }) => code)?.message, /as configured/);
  t.ok(await supervisor.reload(), "and a good one gets through");
  t.match(await get({ socketPath }), { generation: 4 });
});

t.test("a configuration that cannot be read leaves everything as it is", async (t) => {
  const { supervisor, socketPath } = await started(t, "good", {
    reread: () => Promise.reject(new Error("broken file")),
  });
  const { pid } = await get({ socketPath });
  t.notOk(await supervisor.reload());
  t.equal((await get({ socketPath })).pid, pid);
  t.ok(records.some(({ level, message }) => level === "error" && message.includes("broken file")));
});

t.test("reloads at once are one; a reload during a reload is one more", async (t) => {
  let reads = 0;
  const pools = { main: { workers: 1 } };
  const { supervisor } = await started(t, "good", {
    reread: async () => ({ pools, config: ++reads, linger: 0 }),
  });
  await supervisor.ready;
  const first = [supervisor.reload(), supervisor.reload(), supervisor.reload()];
  await new Promise((resolve) => setTimeout(resolve, 5));
  t.equal(reads, 1);
  const second = [supervisor.reload(), supervisor.reload()];
  t.same(await Promise.all([...first, ...second]), [true, true, true, true, true]);
  t.equal(reads, 2);
});

t.test("a worker that does not drain is killed at the deadline", async (t) => {
  const pools = { main: { workers: 1 } };
  const { supervisor } = await started(t, "hang-in-drain", {
    reread: async () => ({ pools, config: 2, linger: 0, drainTimeout: 100 }),
  });
  await supervisor.ready;
  const [old] = supervisor.pids("main");
  t.ok(await supervisor.reload());
  await gone(old!);
  t.pass("ended");
});

t.test("stop lets a request finish, a second stop does not", async (t) => {
  const gentle = await started(t, "good");
  const last = get({ socketPath: gentle.socketPath }, "/slow?200");
  await gentle.supervisor.ready;
  await new Promise((resolve) => setTimeout(resolve, 50));
  await gentle.supervisor.stop();
  t.match(await last, { generation: 1 });

  const rough = await started(t, "hang-in-drain");
  await rough.supervisor.ready;
  const cut = get({ socketPath: rough.socketPath }, "/slow?5000");
  const rejected = t.rejects(cut);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const stopping = rough.supervisor.stop();
  await rough.supervisor.stop();
  await stopping;
  await rejected;
});

t.test("a worker that ignores drain is killed when the time to stop is over", async (t) => {
  const { supervisor } = await started(t, "hang-in-drain", { stopTimeout: 100 });
  await supervisor.ready;
  const [pid] = supervisor.pids("main");
  await supervisor.stop();
  await gone(pid!);
  t.pass("ended");
});

t.test("a second supervisor is refused and disturbs nothing", async (t) => {
  const run = shortFolder(t);
  const first = new Program(options(run, "good"), "good");
  t.teardown(() => first.child.kill("SIGKILL"));
  await first.line("ready");
  await t.rejects(createSupervisor(options(run, "good")).start(), {
    code: "MODTS_ALREADY_RUNNING",
  });
  t.match(await get({ socketPath: join(run, "main.sock") }), { generation: 1 });
});

t.test("what is in the way of a socket", async (t) => {
  const run = shortFolder(t);
  const path = join(run, "main.sock");
  const other = createServer().listen(path);
  await once(other, "listening");
  await t.rejects(createSupervisor(options(run, "good")).start(), { code: "MODTS_LISTEN_FAILED" });
  t.notOk(existsSync(join(run, "mod-ts.pid")), "a failed start leaves no pid file");
  other.close();
  await once(other, "close");
  writeFileSync(path, "");
  await t.rejects(createSupervisor(options(run, "good")).start(), { code: "MODTS_LISTEN_FAILED" });
  t.ok(existsSync(path), "a file that is no socket stays");
});

t.test("TCP: only loopback without a secret", async (t) => {
  const listeners = [
    { pool: "main", door: "gateway", address: { host: "0.0.0.0", port: 0 } },
  ] as const;
  await t.rejects(createSupervisor({ ...options(shortFolder(t), "good"), listeners }).start(), {
    code: "MODTS_SECRET_REQUIRED",
  });
  const local = [{ ...listeners[0], address: { host: "127.0.0.1", port: 0 } }];
  const { supervisor } = await started(t, "good", { listeners: local });
  t.match(await get(supervisor.listeners[0]!.address), { pool: "main" });
});

t.test("a reload that loses the secret of an open port is refused", async (t) => {
  const listeners = [{ pool: "main", door: "gateway", address: { host: "0.0.0.0", port: 0 } }];
  const pools = { main: { workers: 1 } };
  const { supervisor } = await started(t, "good", {
    listeners,
    secured: true,
    reread: async () => ({ pools, config: "good" }),
  });
  await supervisor.ready;
  const pids = supervisor.pids("main");
  t.equal(await supervisor.reload(), false);
  t.same(codes(), ["MODTS_SECRET_REQUIRED"]);
  t.same(supervisor.pids("main"), pids);
});

/** The supervisor as a process of its own, for signals and sudden death. */
class Program {
  readonly child: ChildProcess;
  readonly lines: string[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(settings: SupervisorOptions, worker: string) {
    const file = new URL("fixtures/workers/supervisor.ts", import.meta.url).pathname;
    const argument = JSON.stringify({ ...settings, worker: `./${worker}.ts` });
    this.child = spawn(process.execPath, [file, argument], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    createInterface({ input: this.child.stdout! }).on("line", (line) => {
      this.lines.push(line);
      for (const check of this.#waiting) check();
    });
  }

  line(text: string, times = 1): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (this.lines.filter((line) => line.endsWith(text)).length < times) return;
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
      check();
    });
  }
}

t.test("signals: SIGHUP reloads, SIGTERM stops", async (t) => {
  const run = shortFolder(t);
  const socketPath = join(run, "main.sock");
  const program = new Program(options(run, "good"), "good");
  await program.line("ready");
  t.match(await get({ socketPath }), { generation: 1 });
  program.child.kill("SIGHUP");
  await program.line("reloaded, generation 2");
  t.match(await get({ socketPath }), { generation: 2 });
  const last = get({ socketPath }, "/slow?200");
  await new Promise((resolve) => setTimeout(resolve, 50));
  program.child.kill("SIGTERM");
  t.match(await last, { generation: 2 });
  const [code] = (await once(program.child, "exit")) as [number];
  t.equal(code, 0);
  await program.line("stopped");
});

t.test("the second signal ends at once", async (t) => {
  const run = shortFolder(t);
  const program = new Program(options(run, "hang-in-drain"), "hang-in-drain");
  await program.line("ready");
  program.child.kill("SIGINT");
  await program.line("stopping");
  program.child.kill("SIGINT");
  t.same(await once(program.child, "exit"), [0, null]);
});

t.test(
  "children end with a killed supervisor, and the next one takes over its leftovers",
  async (t) => {
    const run = shortFolder(t);
    const socketPath = join(run, "main.sock");
    const program = new Program(options(run, "good"), "good");
    await program.line("ready");
    const { pid } = await get({ socketPath });
    program.child.kill("SIGKILL");
    await once(program.child, "exit");
    await gone(pid);
    t.ok(existsSync(socketPath), "the socket file is left over");
    const next = createSupervisor(options(run, "good"));
    await next.start();
    t.not((await get({ socketPath })).pid, pid);
    await next.stop();
  },
);
