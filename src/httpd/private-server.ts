/**
 * An Apache httpd of one's own: complete, in one folder, beside any other that runs on the machine.
 *
 * `mod-ts dev`, `mod-ts check` and the tests use it, so that all three see the same server.
 * @module
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ModTsError } from "../errors.ts";
import type { Httpd } from "./find.ts";
import { freePort } from "./free-port.ts";
import { type Identity, unprivilegedUser } from "./identity.ts";
import { readTail } from "./log-tail.ts";
import { writeServerRoot } from "./server-root.ts";

/** What a private server is made of. */
export interface PrivateServerOptions {
  /** ServerRoot: the configuration, the logs and the pid file are written into it. Made when missing. */
  folder: string;
  httpd: Httpd;
  /** Configuration at server level, after the modules, `Listen` and the logs. */
  conf: string;
  /**
   * Port on `host`; 0 is any free one.
   * @default 0
   */
  port?: number;
  /**
   * Address to listen on.
   * @default "127.0.0.1"
   */
  host?: string;
  /**
   * Modules in the order in which they are loaded, as in `mod_headers`; those compiled in are skipped.
   * @default what there is of `defaultModules` in `server-root.ts`, in the order of the alphabet, as Debian and Red Hat load them
   */
  modules?: readonly string[];
  /**
   * User to run as when we are root.
   * @default the first there is of www-data, apache, httpd, _www, nobody
   */
  user?: Identity;
  /**
   * Milliseconds until it must accept connections.
   * @default 10_000
   */
  startTimeout?: number;
}

/** A private server that runs. */
export interface PrivateServer {
  /** E.g. `http://127.0.0.1:8080`. */
  readonly url: string;
  readonly port: number;
  /** Id of httpd's parent process. */
  readonly pid: number;
  readonly folder: string;
  readonly errorLogFile: string;
  readonly accessLogFile: string;
  /** Settles when the server has ended, whoever ended it. */
  readonly ended: Promise<void>;
  /** Ends it: within half a second, or after the requests that run (`graceful`; a second at least). Settles when it has ended. */
  stop(how?: "now" | "graceful"): Promise<void>;
}

const pidFile = "logs/httpd.pid";

/**
 * Writes the folder, starts httpd and waits until it accepts connections.
 * @throws ModTsError `MODTS_HTTPD_FAILED`, with the tail of its error log
 */
export async function createPrivateServer(options: PrivateServerOptions): Promise<PrivateServer> {
  // Another program may take a free port between our look and httpd's bind: then another one is tried.
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOnce(options);
    } catch (error) {
      const taken = /could not bind|Address already in use/i.test(String(error));
      if (!taken || options.port || attempt === 5) throw error;
    }
  }
}

async function startOnce(options: PrivateServerOptions): Promise<PrivateServer> {
  const { folder, httpd } = options;
  const host = options.host ?? "127.0.0.1";
  const port = options.port || (await freePort(host));
  const user = process.getuid?.() === 0 ? (options.user ?? unprivilegedUser()) : undefined;
  const { conf, modules } = options;
  await endStale(folder);
  writeServerRoot({ folder, httpd, host, port, modules, conf, user });
  const errorLogFile = join(folder, "logs/error.log");
  const child = launch(httpd, folder);
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  try {
    await accepting({ host, port, folder, ended, timeout: options.startTimeout ?? 10_000 });
  } catch (error) {
    await stopChild(child, ended);
    throw failed(httpd, folder, error);
  }
  const pid = Number(readFileSync(join(folder, pidFile), "utf8"));
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${port}`,
    port,
    pid,
    folder,
    errorLogFile,
    accessLogFile: join(folder, "logs/access.log"),
    ended,
    stop: (how) => stopChild(child, ended, how === "graceful" ? pid : undefined),
  };
}

/** Whoever started the server of this folder before may have been killed, and its httpd lives on. */
async function endStale(folder: string): Promise<void> {
  const file = join(folder, pidFile);
  const pid = existsSync(file) ? Number(readFileSync(file, "utf8")) : 0;
  if (!Number.isInteger(pid) || pid <= 1) return;
  if (isServerOf(folder, pid)) process.kill(pid, "SIGTERM");
  for (let tries = 0; tries < 100 && isServerOf(folder, pid); tries += 1) await sleep(50);
  rmSync(file, { force: true });
}

/** The number may belong to another program by now: only a process that was started with this folder is ours. */
function isServerOf(folder: string, pid: number): boolean {
  const { stdout } = spawnSync("ps", ["-o", "args=", "-p", String(pid)], { encoding: "utf8" });
  return stdout?.includes(`-d ${folder} -f `) ?? false;
}

/**
 * Runs httpd and ends it when descriptor 3 is closed, so also when our process was killed and cannot clean up any more.
 * The trap keeps the shell until httpd has ended, as httpd's parent signals its whole group, the shell included. The last line
 * ends the children of a parent that was killed: they would go on answering.
 */
const guard = `trap : TERM
"$@" 3<&- & httpd=$!
{ cat <&3 >/dev/null; kill -TERM "$httpd"; } 2>/dev/null &
while kill -0 "$httpd" 2>/dev/null; do wait "$httpd"; done
kill -KILL 0`;

function launch(httpd: Httpd, folder: string): ChildProcess {
  const log = openSync(join(folder, "logs/startup.log"), "a");
  const command = [httpd.binary, "-d", folder, "-f", join(folder, "httpd.conf"), "-DFOREGROUND"];
  const child = spawn("/bin/sh", ["-c", guard, "sh", ...command], {
    // On SIGTERM the parent of httpd signals its whole process group, which would be ours and that of the terminal.
    detached: true,
    stdio: ["ignore", log, log, "pipe"],
  });
  closeSync(log);
  child.once("exit", () => release(child));
  return child;
}

/** Closes descriptor 3 of the guard. */
function release(child: ChildProcess): void {
  const pipe = child.stdio[3];
  if (pipe) pipe.destroy();
}

interface Wait {
  host: string;
  port: number;
  folder: string;
  ended: Promise<void>;
  timeout: number;
}

async function accepting({ host, port, folder, ended, timeout }: Wait): Promise<void> {
  let over = false;
  void ended.then(() => (over = true));
  const deadline = Date.now() + timeout;
  while (Date.now() < deadline) {
    if (over) throw new Error("it ended during its start");
    // The pid file comes after the configuration was read and the port bound: whoever answers before is somebody else.
    if (existsSync(join(folder, pidFile)) && (await canConnect(host, port))) return;
    await Promise.race([sleep(10), ended]);
  }
  throw new Error(`it did not accept connections within ${timeout} ms`);
}

function canConnect(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const settle = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => settle(true));
    socket.once("error", () => settle(false));
  });
}

async function stopChild(
  child: ChildProcess,
  ended: Promise<void>,
  graceful?: number,
): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  if (graceful === undefined) release(child);
  else process.kill(graceful, "SIGWINCH");
  // httpd waits ten seconds for a child that has a request open, and a browser that listens to server-sent events always has one.
  const patience = graceful === undefined ? 500 : 15_000;
  const killer = setTimeout(() => process.kill(-(child.pid as number), "SIGKILL"), patience);
  await ended;
  clearTimeout(killer);
}

function failed(httpd: Httpd, folder: string, cause: unknown): ModTsError {
  const tail = ["startup.log", "error.log"]
    .map((name) => readTail(join(folder, "logs", name)))
    .join("");
  const reason = `${(cause as Error).message}\n${tail}`.trimEnd();
  return new ModTsError("MODTS_HTTPD_FAILED", { binary: httpd.binary, reason }, { cause });
}
