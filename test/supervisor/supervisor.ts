import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, lstatSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import t, { type Test } from "tap";
import { logChannel } from "../../src/base/channels.ts";
import type { LogRecord } from "../../src/base/log.ts";
import { askReload, controlSocket } from "../../src/supervisor/control.ts";
import { shortFolder } from "../fixtures/short-folder.ts";
import {
  createSupervisor,
  type Supervisor,
  type SupervisorOptions,
} from "../../src/supervisor/supervisor.ts";

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
    directory: run,
    pools: { main: { workers: 1 } },
    listeners: [{ pool: "main", transport: "gateway", address: { path: join(run, "main.sock") } }],
    config: "good",
    linger: 100,
    drainTimeout: 5000,
    backoff: { first: 5, most: 20, reset: 60_000 },
    program: new URL(`../fixtures/workers/${worker}.ts`, import.meta.url),
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

t.test("two workers share the connections", async (t) => {
  const { supervisor, socketPath } = await started(t, "good", {
    pools: { main: { workers: 2 } },
    config: { a: new Map([[1, 2n]]) },
  });

  t.test("connections wait for the workers and reach all of them", async (t) => {
    // Nobody can be ready yet: a worker takes longer to start than this takes to get here.
    t.equal(
      records.filter(({ message }) => message === "ready").length,
      0,
      "no worker is ready when the first connections arrive",
    );
    const answers = await Promise.all([get({ socketPath }), get({ socketPath })]);
    t.match(answers[0], { pool: "main", generation: 1 }, "they are answered all the same");
    await supervisor.ready;
    const pids = await answerers(socketPath, 2);
    t.same([...pids].toSorted(), supervisor.pids("main").toSorted(), "both workers get some");
  });

  t.test("the fewest connections count, not the turn alone", async (t) => {
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

  t.test("a worker that hangs holds up one connection, not the queue", async (t) => {
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

t.test("a worker that cannot start is tried again and again", async (t) => {
  const { supervisor } = await started(t, "crash-at-start");
  while (codes().length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
  t.match(records.find(({ code }) => code)?.message, /exit code 3/);
  t.ok(supervisor.listeners.length > 0, "still listening");
});

t.test("a worker that fails, or never gets ready, is killed", async (t) => {
  await started(t, "fail");
  await started(t, "never-ready", { readyTimeout: 300 });
  for (const words of ["no luck", "not ready within 300 ms"]) {
    while (!records.some(({ code, message }) => code && message.includes(words))) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
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
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    agent.destroy();
  });
  for (let count = 0; count < 2; count += 1) t.match(await supervisor.reload(), { ok: true });
  while (!generations.has(3)) await new Promise((resolve) => setTimeout(resolve, 10));
  running.abort();
  await Promise.all(clients);
  t.same(
    [...generations],
    [1, 2, 3],
    `${answered} requests, answered by one generation after the other`,
  );
  t.match(await slow, { generation: 1, config: 1 }, "a request that runs ends where it began");
  await Promise.all(before.map(gone));
  t.match(await get({ socketPath }), { generation: 3, config: 3 });
  t.same(codes(), [], "no worker died");
});

t.test("a new generation that fails leaves the old one serving", async (t) => {
  const configs = ["fail", "crash", "good"];
  const pools = { main: { workers: 1 } };
  const { supervisor, socketPath } = await started(t, "by-config", {
    pools,
    reread: async () => ({ pools, config: configs.shift() }),
  });
  await supervisor.ready;
  const pids = supervisor.pids("main");
  const failed = { ok: false, code: "MODTS_WORKER_NOT_READY" };
  t.match(await supervisor.reload(), { ...failed, message: /as configured/ });
  t.match(await supervisor.reload(), { ...failed, message: /exit code 5/ });
  t.same(supervisor.pids("main"), pids);
  t.match(await get({ socketPath }), { generation: 1 });
  t.same(codes(), ["MODTS_WORKER_NOT_READY", "MODTS_WORKER_NOT_READY"]);
  t.match(records.find(({ code }) => code)?.message, /as configured/);
  t.match(await supervisor.reload(), { ok: true }, "and a good one gets through");
  t.match(await get({ socketPath }), { generation: 4 });
});

t.test("a reload that is refused leaves everything as it is", async (t) => {
  const listeners = [{ pool: "main", transport: "gateway", address: { host: "0.0.0.0", port: 0 } }];
  const pools = { main: { workers: 1 } };
  const reads = [
    () => Promise.reject(new Error("broken file")),
    async () => ({ pools, config: "good" }),
  ];
  const { supervisor } = await started(t, "good", {
    listeners,
    secured: true,
    reread: () => reads.shift()!(),
  });
  await supervisor.ready;
  const pids = supervisor.pids("main");
  t.match(
    await supervisor.reload(),
    { ok: false, code: "MODTS_RELOAD_FAILED", message: /broken file/ },
    "a configuration that cannot be read",
  );
  t.ok(
    records.some(({ level, error }) => level === "error" && String(error).includes("broken file")),
  );
  records.splice(0);
  t.match(
    await supervisor.reload(),
    { ok: false, code: "MODTS_SECRET_REQUIRED" },
    "a configuration that loses the secret of an open port",
  );
  t.same(codes(), ["MODTS_SECRET_REQUIRED"], "logged once");
  t.same(supervisor.pids("main"), pids, "the same workers serve");
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
  const outcomes = await Promise.all([...first, ...second]);
  t.same(
    outcomes.map((outcome) => outcome.ok && outcome.generation),
    [2, 2, 2, 3, 3],
  );
  t.equal(reads, 2);
});

t.test("a worker that does not drain is killed at the deadline", async (t) => {
  const pools = { main: { workers: 1 } };
  const { supervisor } = await started(t, "hang-in-drain", {
    reread: async () => ({ pools, config: 2, linger: 0, drainTimeout: 100 }),
  });
  await supervisor.ready;
  const [old] = supervisor.pids("main");
  t.match(await supervisor.reload(), { ok: true });
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
    { pool: "main", transport: "gateway", address: { host: "0.0.0.0", port: 0 } },
  ] as const;
  await t.rejects(createSupervisor({ ...options(shortFolder(t), "good"), listeners }).start(), {
    code: "MODTS_SECRET_REQUIRED",
  });
  const local = [{ ...listeners[0], address: { host: "127.0.0.1", port: 0 } }];
  const { supervisor } = await started(t, "good", { listeners: local });
  t.match(await get(supervisor.listeners[0]!.address), { pool: "main" });
});

/** The supervisor as a process of its own, for signals and sudden death. */
class Program {
  readonly child: ChildProcess;
  readonly lines: string[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(settings: SupervisorOptions, worker: string) {
    const file = new URL("../fixtures/workers/supervisor.ts", import.meta.url).pathname;
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

t.test("the control socket: a reload and its outcome", async (t) => {
  const run = shortFolder(t);
  const program = new Program(options(run, "good"), "good");
  t.teardown(() => program.child.kill("SIGKILL"));
  await program.line("ready");
  t.equal(lstatSync(controlSocket(run)).mode & 0o777, 0o600, "for its owner only");
  const link = join(shortFolder(t), "link");
  symlinkSync(run, link);
  t.match(await askReload(run, link), { ok: true, generation: 2 }, "by another name");
  t.match(await get({ socketPath: join(run, "main.sock") }), { generation: 2 });
  for (const other of [shortFolder(t), "/no/such/directory", ""]) {
    t.match(await askReload(run, other), { ok: false, code: "MODTS_OTHER_DIRECTORY" });
  }

  const texts = ["nonsense\n", "null\n", '{"command":"stop"}\n', "x".repeat(100_000)];
  for (const text of texts) {
    const socket = connect(controlSocket(run)).on("error", () => {});
    socket.resume().write(text);
    await once(socket, "close");
  }
  connect(controlSocket(run)).destroy();
  t.same(
    await askReload(run, run),
    { ok: true, generation: 3, restart: [], broken: [] },
    "it survives nonsense",
  );
  t.notOk(program.lines.some((line) => line.includes("MODTS_")));

  const idle = connect(controlSocket(run)).on("error", () => {});
  await once(idle, "connect");
  program.child.kill("SIGTERM");
  t.same(await once(program.child, "exit"), [0, null], "an open connection does not keep it");
  t.notOk(existsSync(controlSocket(run)));
  await t.rejects(askReload(run, run), { code: "MODTS_NOT_RUNNING" });
});

t.test("the control socket of a supervisor that dies meanwhile", async (t) => {
  const run = shortFolder(t);
  const program = new Program(options(run, "good"), "never-ready");
  t.teardown(() => program.child.kill("SIGKILL"));
  await program.line(join(run, "main.sock"));
  while (!existsSync(controlSocket(run))) await new Promise((resolve) => setTimeout(resolve, 10));
  const asked = askReload(run, run);
  await new Promise((resolve) => setTimeout(resolve, 200));
  program.child.kill("SIGKILL");
  await t.rejects(asked, { code: "MODTS_RELOAD_FAILED" });
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

t.test("a second supervisor is refused, until the first one is killed", async (t) => {
  const run = shortFolder(t);
  const socketPath = join(run, "main.sock");
  const program = new Program(options(run, "good"), "good");
  t.teardown(() => program.child.kill("SIGKILL"));
  await program.line("ready");
  await t.rejects(
    createSupervisor(options(run, "good")).start(),
    { code: "MODTS_ALREADY_RUNNING" },
    "two supervisors do not share a run directory",
  );
  const { pid } = await get({ socketPath });
  t.ok(pid > 0, "the first one is not disturbed");
  program.child.kill("SIGKILL");
  await once(program.child, "exit");
  await gone(pid);
  t.ok(existsSync(socketPath), "workers end with a killed supervisor, the socket file is left");
  const next = createSupervisor(options(run, "good"));
  await next.start();
  t.not((await get({ socketPath })).pid, pid, "the next one takes over its leftovers");
  await next.stop();
});
