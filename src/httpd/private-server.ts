/** Private Apache httpd in a directory of its own, for `mod-ts dev`, `mod-ts check` and tests. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, renameSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { randomInt } from "node:crypto";
import { attempt, ignoring } from "../base/attempt.ts";
import { ModTsError } from "../base/errors.ts";
import { probeSocket } from "../base/probe-socket.ts";
import type { Httpd } from "./find.ts";
import { guessMacro } from "./macro-guess.ts";
import { unprivilegedUser, writeConfiguration, writeServerRoot } from "./server-root.ts";

export interface PrivateServerOptions {
  /** ServerRoot with configuration, logs and pid file; created if missing. */
  directory: string;
  httpd: Httpd;
  /** Server-level configuration, after modules, `Listen` and logs. */
  conf: string;
  /** 0 is any free one. @default 0 */
  port?: number;
  /** @default "127.0.0.1" */
  host?: string;
  /**
   * Modules in their order, e.g. `mod_headers`; compiled-in ones are skipped.
   * @default those of `defaultModules` that exist, alphabetically, as Debian and Red Hat load them
   */
  modules?: readonly string[];
}

export interface PrivateServer {
  /** E.g. `http://127.0.0.1:8080`. */
  readonly url: string;
  readonly port: number;
  /** Id of the parent process. */
  readonly pid: number;
  readonly directory: string;
  readonly errorLogFile: string;
  readonly accessLogFile: string;
  /** Settles when the server has ended for any reason. */
  readonly ended: Promise<void>;
  /**
   * Takes another server-level configuration; running requests finish with the old one. Returns the
   * words of httpd if it rejects the configuration, which is then not used.
   */
  reload(conf: string): string | undefined;
  /** Resolves when it has ended: within half a second, or after running requests (`graceful`). */
  stop(how?: "now" | "graceful"): Promise<void>;
}

const pidFile = "logs/httpd.pid";

/** Milliseconds until it must accept connections. */
const startMs = 10_000;

/**
 * Writes the directory, starts httpd and waits until it accepts connections.
 * @throws ModTsError `MODTS_HTTPD_FAILED`, with the tail of its error log
 */
export async function createPrivateServer(options: PrivateServerOptions): Promise<PrivateServer> {
  // Another program may take the port before httpd binds it: then another one is tried.
  for (let tries = 1; ; tries += 1) {
    try {
      return await startOnce(options);
    } catch (error) {
      const taken = /could not bind|Address already in use/i.test(String(error));
      if (!taken || options.port || tries === 5) throw error;
    }
  }
}

async function startOnce(options: PrivateServerOptions): Promise<PrivateServer> {
  const { directory, httpd } = options;
  const host = options.host ?? "127.0.0.1";
  const port = options.port || (await freePort(host));
  const user = process.getuid?.() === 0 ? unprivilegedUser() : undefined;
  const { conf, modules } = options;
  await endStale(directory);
  const root = { directory, httpd, host, port, modules, user };
  writeServerRoot({ ...root, conf });
  const errorLogFile = join(directory, "logs/error.log");
  const child = launch(httpd, directory);
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  try {
    await accepting({ host, port, directory, ended });
  } catch (error) {
    await stopChild(child, ended);
    throw failed(httpd, directory, error);
  }
  const pid = Number(readFileSync(join(directory, pidFile), "utf8"));
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${port}`,
    port,
    pid,
    directory,
    errorLogFile,
    accessLogFile: join(directory, "logs/access.log"),
    ended,
    reload: (text) => {
      writeConfiguration({ ...root, conf: text }, "httpd.conf.new");
      const words = rejection(httpd, directory, "httpd.conf.new");
      if (words !== undefined) return words;
      renameSync(join(directory, "httpd.conf.new"), join(directory, "httpd.conf"));
      process.kill(pid, "SIGUSR1");
      return undefined;
    },
    stop: (how) => stopChild(child, ended, how === "graceful" ? pid : undefined),
  };
}

/** What `httpd -t` says against a configuration file. */
function rejection(httpd: Httpd, directory: string, file: string): string | undefined {
  const words = ["-d", directory, "-f", join(directory, file), "-t"];
  const { status, stderr } = spawnSync(httpd.binary, words, { encoding: "utf8" });
  return status === 0 ? undefined : guessMacro(stderr.trim());
}

/** The previous owner of the directory may have been killed without its httpd. */
async function endStale(directory: string): Promise<void> {
  const file = join(directory, pidFile);
  // It may end by itself meanwhile.
  const pid = Number(ignoring("ENOENT", () => readFileSync(file, "utf8")) ?? 0);
  if (!Number.isInteger(pid) || pid <= 1) return;
  if (isServerOf(directory, pid)) ignoring("ESRCH", () => process.kill(pid, "SIGTERM"));
  for (let tries = 0; tries < 100 && isServerOf(directory, pid); tries += 1) await sleep(50);
  rmSync(file, { force: true });
}

/** The pid may belong to another program by now: ours has the directory in its arguments. */
function isServerOf(directory: string, pid: number): boolean {
  const { stdout } = spawnSync("ps", ["-o", "args=", "-p", String(pid)], { encoding: "utf8" });
  return stdout?.includes(`-d ${directory} -f `) ?? false;
}

/**
 * Runs httpd and ends it when descriptor 3 is closed, so also if our process was killed. The trap
 * keeps the shell alive until httpd has ended, as httpd's parent signals its whole group. The last
 * line ends the children of a parent that was killed, which would keep serving.
 */
const guard = `trap : TERM
"$@" 3<&- & httpd=$!
{ cat <&3 >/dev/null; kill -TERM "$httpd"; } 2>/dev/null &
while kill -0 "$httpd" 2>/dev/null; do wait "$httpd"; done
kill -KILL 0`;

function launch(httpd: Httpd, directory: string): ChildProcess {
  const log = openSync(join(directory, "logs/startup.log"), "a");
  const command = [
    httpd.binary,
    "-d",
    directory,
    "-f",
    join(directory, "httpd.conf"),
    "-DFOREGROUND",
  ];
  const child = spawn("/bin/sh", ["-c", guard, "sh", ...command], {
    // On SIGTERM httpd's parent signals its whole process group, which would be ours.
    detached: true,
    stdio: ["ignore", log, log, "pipe"],
  });
  closeSync(log);
  child.once("exit", () => release(child));
  return child;
}

function release(child: ChildProcess): void {
  const pipe = child.stdio[3];
  if (pipe) pipe.destroy();
}

interface Wait {
  host: string;
  port: number;
  directory: string;
  ended: Promise<void>;
}

async function accepting({ host, port, directory, ended }: Wait): Promise<void> {
  let over = false;
  void ended.then(() => (over = true));
  const deadline = Date.now() + startMs;
  while (Date.now() < deadline) {
    if (over) throw new Error("exited during its start");
    // The pid file is written after the bind: an earlier response is from another program.
    if (existsSync(join(directory, pidFile)) && !(await probeSocket({ host, port }))) return;
    await Promise.race([sleep(10), ended]);
  }
  throw new Error(`no connection accepted within ${startMs} ms`);
}

async function stopChild(
  child: ChildProcess,
  ended: Promise<void>,
  graceful?: number,
): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  if (graceful === undefined) release(child);
  else process.kill(graceful, "SIGWINCH");
  // httpd waits ten seconds for children with open requests, such as server-sent events.
  const patience = graceful === undefined ? 500 : 15_000;
  const killer = setTimeout(() => process.kill(-(child.pid as number), "SIGKILL"), patience);
  await ended;
  clearTimeout(killer);
}

function failed(httpd: Httpd, directory: string, cause: unknown): ModTsError {
  const tail = ["startup.log", "error.log"]
    .map((name) => readTail(join(directory, "logs", name)))
    .join("");
  const reason = guessMacro(`${(cause as Error).message}\n${tail}`.trimEnd());
  return new ModTsError("MODTS_HTTPD_FAILED", { binary: httpd.binary, reason }, { cause });
}

/** The last `lines` lines of a file; empty if unreadable. */
export function readTail(file: string, lines = 20): string {
  const text = attempt(() => readFileSync(file, "utf8"), "").trimEnd();
  return text === "" ? "" : `${text.split("\n").slice(-lines).join("\n")}\n`;
}

const tries = 50;

/** Ports that this process was given: it may not listen on them yet. */
const given = new Set<number>();

/**
 * A free TCP port on `host`: `wanted` or one of the next 49, or any for 0. Another program may take
 * it later. To make that rare, "any" is below the range of outgoing connections (32768 on Linux).
 * @throws ModTsError `MODTS_LISTEN_FAILED` if all are taken, or `host` is not an address of this
 * machine
 */
export async function freePort(host: string, wanted = 0): Promise<number> {
  let reason = "";
  const first = wanted === 0 ? randomInt(20_000, 32_000) : wanted;
  for (let port = first; port < first + tries && port < 65_536; port += 1) {
    if (wanted === 0 && given.has(port)) continue;
    const error = await tryListen(host, port);
    if (!error) {
      given.add(port);
      return port;
    }
    reason = error.message;
    if (error.code !== "EADDRINUSE" && error.code !== "EACCES") break;
  }
  throw new ModTsError("MODTS_LISTEN_FAILED", { address: `${host}:${first}`, reason });
}

function tryListen(host: string, port: number): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", resolve);
    server.listen(port, host, () => server.close(() => resolve(undefined)));
  });
}
