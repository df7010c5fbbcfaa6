/**
 * The sidecar's own configuration: listeners, pools, limits, and where handler files may live. Which handler runs where
 * is said in the Apache configuration and nowhere else.
 *
 * It is data: a short-lived process may evaluate `mod-ts.config.ts` and hand it to the supervisor, which runs no user code.
 * @module
 */
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { AuthEndpoints } from "./gateway/auth-endpoint.ts";
import { findMistakes } from "./config-shape.ts";
import { ModTsError } from "./errors.ts";
import type { LogLevel } from "./log.ts";

/** What a configuration file may say; everything is optional. */
export interface Config {
  /**
   * Folders that handler files may lie in, relative to the configuration file. A relative handler name is looked up in
   * the first one first. A handler outside is refused, so that nobody who may write `.htaccess` runs any file at will.
   * @default ["."]
   */
  handlers?: string[];
  /**
   * Folder for the sockets and the pid file; made when missing. Two supervisors never share one.
   * @default "/run/mod-ts" where that can be written, else ".mod-ts/run" beside the configuration file
   */
  run?: string;
  /**
   * Folder for what has to outlive a restart of the machine: sessions on SQLite, the key of the login form and its list of ended
   * sessions. Made when missing.
   * @default the one that systemd names (`StateDirectory=`), else {@link run}
   */
  state?: string;
  /**
   * TCP address in place of the Unix sockets: `port` for the pool main, the next ports for the other pools in the order of
   * their names. Anything but loopback needs a {@link secret}.
   */
  listen?: { host: string; port: number };
  /**
   * TCP address where Apache asks for access, authentication and authorization (`TsAuthenHandler` and its like), served by
   * the pool main; `host` is 127.0.0.1 by default. mod_authnz_fcgi speaks TCP alone. Anything but loopback needs a {@link secret}.
   * @default none: those macros cannot be used
   */
  authorizer?: { host?: string; port: number };
  /**
   * Group that may open the Unix sockets: the one httpd runs as.
   * @default the first there is of www-data, apache, httpd
   */
  socketGroup?: string;
  /** Shared secret, at least 16 characters, that Apache sends with every request. Whoever knows it is Apache. */
  secret?: string;
  /** File that holds the secret, relative to the configuration file; white space around it is cut. Not with {@link secret}. */
  secretFile?: string;
  /**
   * Pools of worker processes by name ("interpreters", `Use TsInterpreter name`). The pool main is always there.
   * @default { main: { workers: number of processors } }, in development 1
   */
  pools?: Record<string, { workers: number }>;
  /**
   * Questions of other servers (nginx, Traefik, Caddy, Envoy) that handlers answer at `/.mod-ts/auth/<name>`, on the sockets of every
   * pool. Needs a {@link secret}, which the asking server sends as `Mod-Ts-Secret`.
   * @default {}
   */
  auth?: AuthEndpoints;
  /**
   * Lets `mod_ts/origin`, `fetchOrigin()` and `req.internalRedirect()` call Apache back. Needs a {@link secret}, mod_remoteip in
   * Apache, and `Define MOD_TS_ORIGIN`, which `mod-ts conf` writes.
   * @default none: they reach other servers alone
   */
  origin?: OriginConfig;
  limits?: Partial<Limits>;
  reload?: Partial<ReloadConfig>;
  /**
   * Milliseconds for which an idle connection from Apache is kept, and for which a worker that was replaced lingers.
   * Must exceed the `ttl` of the `<Proxy>` in `apache-conf/mod_ts.conf`, or Apache sends on a connection just closed.
   * @default 30_000
   */
  keepAlive?: number;
  log?: { level?: LogLevel };
  /**
   * Errors name files and show stacks to the browser, and files are watched. `mod-ts dev` sets it.
   * @default false
   */
  development?: boolean;
}

/** Bounds on what a peer, or a handler, can make a worker hold. */
export interface Limits {
  /** Bytes of a request's header block, ours included; more is a 431. @default 65_536 */
  headerBytes: number;
  /** Bytes of a request body; more is a 413. @default 1 GiB */
  bodyBytes: number;
  /** Milliseconds that a handler may take to answer; then 504. @default 60_000 */
  handlerTimeout: number;
  /** Milliseconds that the top level of a handler module may take. @default 10_000 */
  evaluateTimeout: number;
}

/** Apache, as the sidecar reaches it. */
export interface OriginConfig {
  /** Where it listens, e.g. `http://127.0.0.1:80`. A virtual host at another port says `Use TsOption mod_ts.origin.apache …`. */
  url: string;
  /**
   * `MaxRequestWorkers` of Apache. A request that is called back for holds two of them; a third is the limit for call backs, as many may wait.
   * @default 150
   */
  requestWorkers?: number;
  /** The header that `RemoteIPHeader` of Apache names, where it is in use for something else already. */
  clientHeader?: string;
}

export interface ReloadConfig {
  /**
   * `request`: a saved file runs at the next request, for the price of a few `stat` calls each.
   * `manual`: only `mod-ts reload` brings new code.
   * @default "request"
   */
  freshness: "request" | "manual";
  /**
   * Warms up and reports what was saved before anyone asks for it. `{ poll }` looks every so many milliseconds, for file systems without
   * events. Correctness does not depend on it.
   * @default true in development, else false
   */
  watch: boolean | { poll: number };
}

/** A complete configuration: plain data that survives IPC. */
export interface ResolvedConfig {
  /** Absolute path of the configuration file; where there is none, of the one that would be read. */
  file: string;
  /** Absolute path of its folder. */
  folder: string;
  /** Absolute paths. */
  handlers: string[];
  /** Absolute path. */
  run: string;
  /** Absolute path. */
  state: string;
  /** Where each pool listens, in the order of their names, main first. */
  listeners: ConfigListener[];
  /** Undefined: sockets keep the group of the process. */
  socketGroup: string | undefined;
  secret: string | undefined;
  pools: Record<string, { workers: number }>;
  auth: AuthEndpoints;
  origin: (OriginConfig & { requestWorkers: number }) | undefined;
  limits: Limits;
  reload: ReloadConfig;
  keepAlive: number;
  log: { level: LogLevel };
  development: boolean;
}

/** One listening socket: what it is for and where it is. */
export interface ConfigListener {
  pool: string;
  /** Protocol spoken there: `gateway` is HTTP from mod_proxy, `authorizer` is FastCGI from mod_authnz_fcgi. */
  door: string;
  address: { path: string } | { host: string; port: number };
  /** The workers accept themselves. */
  shared?: boolean;
}

const defaults = {
  handlers: ["."],
  // Debian's; the default of httpd itself is more.
  origin: { requestWorkers: 150 },
  limits: {
    headerBytes: 65_536,
    bodyBytes: 1024 ** 3,
    handlerTimeout: 60_000,
    evaluateTimeout: 10_000,
  },
  reload: { freshness: "request" },
  keepAlive: 30_000,
  log: { level: "info" },
  development: false,
} as const;

/** Gives types and completion to a configuration file; returns what it is given. */
export function defineConfig(config: Config): Config {
  return config;
}

/**
 * Completes a configuration and makes its paths absolute, from the folder of `file` on.
 * Throws `MODTS_CONFIG_INVALID`, which lists all mistakes.
 */
export function resolveConfig(input: Config, file: string): ResolvedConfig {
  const mistakes = findMistakes(input);
  if (mistakes.length > 0) throw configInvalid(file, mistakes);
  const folder = dirname(resolve(file));
  const run = input.run === undefined ? defaultRunFolder(folder) : resolve(folder, input.run);
  // One process sees its own saves and counters alone: what a developer expects.
  const workers = input.development ? 1 : availableParallelism();
  const pools = { main: { workers }, ...input.pools };
  const config: ResolvedConfig = {
    file: resolve(file),
    folder,
    handlers: (input.handlers ?? defaults.handlers).map((name) => resolve(folder, name)),
    run,
    state: resolve(folder, input.state ?? process.env["STATE_DIRECTORY"] ?? run),
    listeners: [
      ...listeners(Object.keys(pools), input.listen, run),
      ...authorizers(input.authorizer),
    ],
    socketGroup: input.socketGroup ?? defaultGroup(),
    secret: readSecret(input, folder, mistakes),
    pools,
    auth: input.auth ?? {},
    origin: input.origin && { ...defaults.origin, ...defined(input.origin), url: input.origin.url },
    limits: { ...defaults.limits, ...defined(input.limits) },
    reload: {
      ...defaults.reload,
      watch: input.development ?? defaults.development,
      ...defined(input.reload),
    },
    keepAlive: input.keepAlive ?? defaults.keepAlive,
    log: { ...defaults.log, ...defined(input.log) },
    development: input.development ?? defaults.development,
  };
  judge(config, mistakes);
  if (mistakes.length > 0) throw configInvalid(file, mistakes);
  return config;
}

/** What can only be judged of the whole. */
function judge(config: ResolvedConfig, mistakes: string[]): void {
  for (const folder of config.handlers) {
    if (!existsSync(folder)) mistakes.push(`handlers: there is no folder ${folder}`);
  }
  if (config.socketGroup !== undefined && groupId(config.socketGroup) === undefined) {
    mistakes.push(`socketGroup: there is no group ${config.socketGroup}`);
  }
  for (const [name, { access, authen, authz }] of Object.entries(config.auth)) {
    if (!access && !authen && !authz) mistakes.push(`auth.${name}: name access, authen or authz`);
    if (config.secret === undefined) mistakes.push(`auth.${name}: it needs secret or secretFile`);
  }
  if (config.origin) judgeOrigin(config, config.origin, mistakes);
  for (const { pool, address } of config.listeners) {
    if ("path" in address) {
      // sun_path holds 108 bytes with its final zero; beyond, bind() fails with a message that helps nobody.
      const bytes = Buffer.byteLength(address.path);
      if (bytes > 107)
        mistakes.push(
          `run: the socket path ${address.path} has ${bytes} bytes, more than 107; choose a shorter folder`,
        );
    } else if (address.port > 65_535) {
      mistakes.push(`listen.port: pool ${pool} would get port ${address.port}, more than 65535`);
    }
  }
}

/** Worker processes of all pools. */
export function countWorkers({ pools }: Pick<ResolvedConfig, "pools">): number {
  return Object.values(pools).reduce((sum, { workers }) => sum + workers, 0);
}

function judgeOrigin(
  config: ResolvedConfig,
  { url, requestWorkers }: OriginConfig & { requestWorkers: number },
  mistakes: string[],
): void {
  const { protocol, pathname, username } = URL.parse(url) ?? {};
  if (!/^https?:$/.test(protocol ?? "") || pathname !== "/" || username) {
    mistakes.push("origin.url: it must be http://host:port or https://host:port");
  }
  if (config.secret === undefined) mistakes.push("origin: it needs secret or secretFile");
  const workers = countWorkers(config);
  // Under `mod-ts dev` nobody has chosen the number, and one client does no harm.
  if (requestWorkers < 3 * workers && !config.development) {
    mistakes.push(
      `origin.requestWorkers: ${workers} worker processes need ${3 * workers} at least, or Apache can run out of threads`,
    );
  }
}

function listeners(pools: string[], listen: Config["listen"], run: string): ConfigListener[] {
  const names = ["main", ...pools.filter((name) => name !== "main").toSorted()];
  return names.map((pool, index) => ({
    pool,
    door: "gateway",
    address: listen
      ? { host: listen.host, port: listen.port + index }
      : { path: join(run, `${pool}.sock`) },
  }));
}

function authorizers(authorizer: Config["authorizer"]): ConfigListener[] {
  if (!authorizer) return [];
  const address = { host: authorizer.host ?? "127.0.0.1", port: authorizer.port };
  // A connection each request, so the workers accept themselves.
  return [{ pool: "main", door: "authorizer", address, shared: true }];
}

function readSecret(input: Config, folder: string, mistakes: string[]): string | undefined {
  if (input.secretFile === undefined) return input.secret;
  if (input.secret !== undefined) mistakes.push("secret and secretFile exclude each other");
  const file = resolve(folder, input.secretFile);
  try {
    const secret = readFileSync(file, "utf8").trim();
    if (secret.length >= 16) return secret;
    mistakes.push(`secretFile: ${file} must hold at least 16 characters`);
  } catch (error) {
    mistakes.push(`secretFile: ${(error as Error).message}`);
  }
  return undefined;
}

function defaultRunFolder(folder: string): string {
  const shared = "/run/mod-ts";
  try {
    accessSync(existsSync(shared) ? shared : dirname(shared), constants.W_OK);
    return shared;
  } catch {
    return join(folder, ".mod-ts", "run");
  }
}

function defaultGroup(): string | undefined {
  return ["www-data", "apache", "httpd"].find((name) => groupId(name) !== undefined);
}

/** Number of a group by its name or number, from `/etc/group`; undefined when there is no such group. */
export function groupId(name: string): number | undefined {
  if (/^\d+$/.test(name)) return Number(name);
  const line = groupFile()
    .split("\n")
    .find((candidate) => candidate.startsWith(`${name}:`));
  return line === undefined ? undefined : Number(line.split(":")[2]);
}

function groupFile(): string {
  try {
    return readFileSync("/etc/group", "utf8");
  } catch {
    return "";
  }
}

/** Without the members that are undefined, which would hide a default. */
function defined<T extends object>(value: T | undefined): Partial<T> {
  return Object.fromEntries(
    Object.entries(value ?? {}).filter(([, member]) => member !== undefined),
  ) as Partial<T>;
}

/** `MODTS_CONFIG_INVALID` with its list. */
export function configInvalid(file: string, mistakes: readonly string[]): ModTsError {
  const list = mistakes.map((mistake) => `  - ${mistake}`).join("\n");
  return new ModTsError("MODTS_CONFIG_INVALID", { file, count: mistakes.length, list });
}
