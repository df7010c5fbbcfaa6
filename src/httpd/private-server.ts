/**
 * An Apache httpd of one's own: complete, in one folder, beside any other that runs on the machine.
 *
 * `mod-ts dev`, `mod-ts check` and the tests use it, so that all three see the same server.
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { chownSync, existsSync, mkdirSync, openSync, closeSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ModTsError } from "../errors.ts";
import { type Httpd, hasModule, modulePath } from "./find.ts";
import { type Identity, unprivilegedUser } from "./identity.ts";
import { readTail } from "./log-tail.ts";
import { mediaTypes } from "./media-types.ts";

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
   * @default {@link defaultModules}, in the order of the alphabet, as Debian and Red Hat load them
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
  /** Id of the parent process, which is the id of its process group, too. */
  readonly pid: number;
  readonly folder: string;
  readonly errorLogFile: string;
  readonly accessLogFile: string;
  /** Settles when the server has ended, whoever ended it. */
  readonly ended: Promise<void>;
  /** Ends it: at once, or after the requests that run (`graceful`; takes a second more). Settles when it has ended. */
  stop(how?: "now" | "graceful"): Promise<void>;
}

/** What a usual httpd has, and what `apache-conf/mod_ts.conf` needs. */
export const defaultModules: readonly string[] = [
  "mod_alias",
  "mod_auth_basic",
  "mod_authn_core",
  "mod_authn_file",
  "mod_authz_core",
  "mod_authz_host",
  "mod_authz_user",
  "mod_autoindex",
  "mod_dir",
  "mod_env",
  "mod_filter",
  "mod_headers",
  "mod_log_config",
  "mod_macro",
  "mod_mime",
  "mod_mpm_event",
  "mod_negotiation",
  "mod_proxy",
  "mod_proxy_http",
  "mod_rewrite",
  "mod_setenvif",
  "mod_unique_id",
  "mod_unixd",
  "mod_version",
];

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

/** A free TCP port on `host`: `wanted` or one of the next 50, or any one when `wanted` is 0. */
export async function freePort(host: string, wanted = 0): Promise<number> {
  for (let port = wanted; port < wanted + 50; port += 1) {
    const found = await tryListen(host, port);
    if (found !== undefined) return found;
  }
  throw new ModTsError("MODTS_LISTEN_FAILED", {
    address: `${host}:${wanted}`,
    reason: "it and the 49 ports after it are taken",
  });
}

async function startOnce(options: PrivateServerOptions): Promise<PrivateServer> {
  const { folder, httpd } = options;
  const host = options.host ?? "127.0.0.1";
  const port = options.port || (await freePort(host));
  const user = process.getuid?.() === 0 ? (options.user ?? unprivilegedUser()) : undefined;
  writeServerRoot(options, { host, port, user });
  const errorLogFile = join(folder, "logs/error.log");
  const child = launch(httpd, folder, user);
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  try {
    await accepting({ host, port, folder, ended, timeout: options.startTimeout ?? 10_000 });
  } catch (error) {
    await stopChild(child, ended, "SIGTERM");
    throw failed(httpd, folder, error);
  }
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${port}`,
    port,
    pid: child.pid as number,
    folder,
    errorLogFile,
    accessLogFile: join(folder, "logs/access.log"),
    ended,
    stop: (how) => stopChild(child, ended, how === "graceful" ? "SIGWINCH" : "SIGTERM"),
  };
}

interface Place {
  host: string;
  port: number;
  user: Identity | undefined;
}

function writeServerRoot(options: PrivateServerOptions, place: Place): void {
  const { folder } = options;
  for (const name of ["", "logs", "htdocs"]) mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, "mime.types"), mediaTypes);
  writeFileSync(join(folder, "httpd.conf"), formatHttpdConf(options, place), { mode: 0o600 });
  // A log of the run before would be mistaken for this one's, in messages and by the wait for the start.
  for (const name of ["error.log", "access.log", "startup.log"]) {
    writeFileSync(join(folder, "logs", name), "");
  }
  if (!place.user) return;
  const names = ["", "logs", "httpd.conf", "logs/error.log", "logs/access.log", "logs/startup.log"];
  for (const name of names) chownSync(join(folder, name), place.user.uid, place.user.gid);
}

function formatHttpdConf(options: PrivateServerOptions, { host, port }: Place): string {
  const { folder, httpd, conf } = options;
  const modules = options.modules ?? defaultModules;
  return `# Written by mod_ts at each start: changes are lost.
ServerRoot "${folder}"
DefaultRuntimeDir "${folder}/logs"
PidFile "${folder}/logs/httpd.pid"
${modules.map((name) => loadModule(httpd, name)).join("")}
Listen ${host.includes(":") ? `[${host}]` : host}:${port}
ServerName localhost:${port}
ErrorLog "${folder}/logs/error.log"
LogLevel warn
LogFormat "%h %l %u %t \\"%r\\" %>s %b" common
CustomLog "${folder}/logs/access.log" common
TypesConfig "${folder}/mime.types"
DocumentRoot "${folder}/htdocs"
# A private server has few clients: small, so that it starts at once.
StartServers 1
ServerLimit 4
ThreadsPerChild 32
MaxRequestWorkers 128
MinSpareThreads 1
MaxSpareThreads 128
Timeout 60
KeepAliveTimeout 5
GracefulShutDownTimeout 5
<Directory "/">
    AllowOverride None
    Require all denied
</Directory>
<Directory "${folder}/htdocs">
    AllowOverride All
    Require all granted
</Directory>
<FilesMatch "^\\.ht">
    Require all denied
</FilesMatch>
${conf}`;
}

function loadModule(httpd: Httpd, name: string): string {
  if (httpd.compiledIn.includes(name)) return "";
  if (!hasModule(httpd, name)) {
    throw new ModTsError("MODTS_HTTPD_MODULE", { module: name, path: modulePath(httpd, name) });
  }
  return `LoadModule ${name.slice("mod_".length)}_module "${modulePath(httpd, name)}"\n`;
}

function launch(httpd: Httpd, folder: string, user: Identity | undefined): ChildProcess {
  const log = openSync(join(folder, "logs/startup.log"), "a");
  const child = spawn(
    httpd.binary,
    ["-d", folder, "-f", join(folder, "httpd.conf"), "-DFOREGROUND"],
    {
      // On SIGTERM the parent of httpd signals its whole process group, which would be ours and that of the terminal.
      detached: true,
      stdio: ["ignore", log, log],
      ...(user && { uid: user.uid, gid: user.gid }),
    },
  );
  closeSync(log);
  return child;
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
  const pidFile = join(folder, "logs/httpd.pid");
  while (Date.now() < deadline) {
    if (over) throw new Error("it ended during its start");
    // The pid file comes after the configuration was read and the port bound: whoever answers before is somebody else.
    if (existsSync(pidFile) && (await canConnect(host, port))) return;
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
  signal: NodeJS.Signals,
): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  // httpd gives its children some seconds; one that hangs would keep us for ever.
  const killer = setTimeout(() => process.kill(-(child.pid as number), "SIGKILL"), 15_000);
  await ended;
  clearTimeout(killer);
}

function tryListen(host: string, port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen(port, host, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" ? address?.port : undefined));
    });
  });
}

function failed(httpd: Httpd, folder: string, cause: unknown): ModTsError {
  const tail = ["startup.log", "error.log"]
    .map((name) => readTail(join(folder, "logs", name)))
    .join("");
  const reason = `${(cause as Error).message}\n${tail}`.trimEnd();
  return new ModTsError("MODTS_HTTPD_FAILED", { binary: httpd.binary, reason }, { cause });
}
