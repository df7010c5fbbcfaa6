/**
 * Configuration of the sidecar: listeners, pools, limits, directories of handlers. Which handler
 * runs where is configured in Apache only.
 *
 * It is data: a short-lived process evaluates `mod-ts.config.ts` for the supervisor, which runs no
 * user code.
 * @module mod-ts/config
 */
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, resolve } from "node:path";
import { type BackgroundConfig, judgeBackground, resolveBackground } from "./background.ts";
import {
  type ConnectionConfig,
  connectionListeners,
  judgeAddresses,
  judgeConnections,
  resolveConnections,
  type ResolvedConnection,
} from "./connections.ts";
import type { AuthEndpoints } from "../gateway/auth-endpoint.ts";
import {
  defined,
  guardWorkers,
  type PoolConfig,
  resolvePools,
  type WorkerLimits,
} from "./pools.ts";
import {
  authorizers,
  type ConfigListener,
  deciders,
  defaultGroup,
  defaultRunDirectory,
  groupId,
  judgeListeners,
  listeners,
} from "./listeners.ts";
import { judgeOrigin, type OriginConfig } from "./origin-config.ts";
import { readSecret, readSecrets, secretFiles } from "./secrets.ts";
import { configInvalid, findMistakes, judgeNamed } from "./validate.ts";
export type { ConfigListener } from "./listeners.ts";
import { type LogConfig, resolveLog, type ResolvedLogConfig } from "./log-config.ts";

export type { OriginConfig } from "./origin-config.ts";
export type { PoolConfig, WorkerLimits } from "./pools.ts";
export type { BackgroundConfig } from "./background.ts";
export type { ConnectionConfig } from "./connections.ts";
export type { ScheduledJob } from "../background/schedule.ts";

/** Content of a configuration file; everything is optional. */
export interface Config {
  /**
   * Directories of handler files, relative to the configuration file; relative handler names are
   * looked up in this order. Handlers elsewhere are rejected, so that an author of `.htaccess`
   * cannot run any file.
   * @default ["."]
   */
  handlers?: string[];
  /**
   * Name of this sidecar, where one Apache has several (`Use TsSidecar name`). Requires a
   * {@link secret}; callbacks need `Use TsSidecarHost name`.
   * @default none: the sidecar of `mod_ts.conf` itself
   */
  name?: string;
  /**
   * Directory of the sockets and the pid file, created if missing; one per supervisor.
   * @default "/run/mod-ts" (with a {@link name} "/run/mod-ts-name") if writable, else ".mod-ts/run" beside the configuration file
   */
  run?: string;
  /**
   * Directory of data that survives a reboot: SQLite sessions, the key of the login form, ended
   * login sessions. Created if missing.
   * @default systemd's `StateDirectory=`, else {@link run}
   */
  state?: string;
  /**
   * TCP address instead of Unix sockets: `port` for the pool main, the next ports for the other
   * pools in alphabetical order. Requires a {@link secret} except on loopback.
   */
  listen?: { host: string; port: number };
  /**
   * When the sockets open. `start`: requests that come before the workers serve wait for them.
   * `ready`: such requests are refused, for one of several sidecars behind a balancer.
   * @default "start"
   */
  listenAt?: "start" | "ready";
  /**
   * TCP address of the authorizer (`TsAuthenHandler` and similar); `host` is 127.0.0.1
   * by default. mod_authnz_fcgi supports TCP only. Requires a {@link secret} except on
   * loopback.
   * @default none: those macros cannot be used
   */
  authorizer?: AuthorizerConfig;
  /**
   * Group that may open the Unix sockets: that of httpd.
   * @default the first of www-data, apache, httpd that exists
   */
  socketGroup?: string;
  /** Secret shared with Apache, at least 16 characters. Whoever knows it can speak for Apache. */
  secret?: string;
  /** File with the secret, relative to the configuration file; white space around it is ignored. */
  secretFile?: string;
  /**
   * Values of `secret:name` in options (`Use TsOption mod_ts.sql.dsn secret:db`), or files that hold
   * them, relative to the configuration file; surrounding white space of a file is ignored.
   * @default {}
   */
  secrets?: Record<string, string | { file: string }>;
  /**
   * Pools of worker processes by name ("interpreters", `Use TsInterpreter name`); main always
   * exists.
   * @default { main: { workers: number of processors } }, in development 1
   */
  pools?: Record<string, PoolConfig>;
  /**
   * Modules that every worker loads before it serves, except those of the pool guards: files,
   * looked up like handlers. A broken one is logged, and stops nothing.
   * @default []
   */
  preload?: string[];
  /** Work that no request asks for; one worker of the sidecar does it at a time. */
  background?: Partial<BackgroundConfig>;
  /** Sockets of the sidecar's own, by name, for protocols other than HTTP. @default {} */
  connections?: Record<string, ConnectionConfig>;
  /**
   * Auth endpoints for other servers (nginx, Traefik, Caddy, Envoy) at `/.mod-ts/auth/<name>`, on
   * the sockets of every pool. Requires a {@link secret}, sent as `Mod-Ts-Secret`.
   * @default {}
   */
  auth?: AuthEndpoints;
  /**
   * Fastify plugins for routes of the sidecar itself, `/.mod-ts/…` on the sockets of every pool:
   * files with a default export, looked up like handlers. A request needs `Mod-Ts-Secret`.
   * @default []
   */
  fastify?: string[];
  /**
   * Callbacks to Apache for `mod_ts/origin`, `fetchOrigin()` and `req.internalRedirect()`. Requires
   * a {@link secret}, mod_remoteip in Apache, and `Define MOD_TS_ORIGIN` of `mod-ts conf`.
   * @default none: only other servers are reachable
   */
  origin?: OriginConfig;
  limits?: Partial<Limits>;
  reload?: Partial<ReloadConfig>;
  /**
   * Milliseconds for which idle connections are kept, and replaced workers linger. Must exceed the
   * `ttl` of the `<Proxy>` in `apache-conf/mod_ts.conf`, or Apache uses closed connections.
   * @default 30_000
   */
  keepAlive?: number;
  log?: LogConfig;
  /**
   * Log that Apache writes for `TsLogHandler` outside of handlers of mod_ts: `MOD_TS_ACCESS_LOG` in
   * `apache-conf/mod_ts.conf`. Relative to the configuration file. The user of the sidecar must be
   * allowed to read it, and only root to write it.
   * @default none: log handlers run for content of mod_ts only
   */
  accessLog?: string;
  /**
   * Shows errors with stacks in the browser, and watches files. Set by `mod-ts dev`.
   * @default false
   */
  development?: boolean;
}

export interface AuthorizerConfig extends WorkerLimits {
  host?: string;
  port: number;
  /**
   * Worker processes of the pool guards, which decides about access only, so that a content handler that blocks its worker
   * blocks no access check. 0: the pool main decides.
   * @default 2, or as many as the pool main has; 0 in development
   */
  workers?: number;
}

/** Name of the pool that decides about access. */
export const guardsPool = "guards";

/** Limits on what a peer or a handler can make a worker hold. */
export interface Limits {
  /** Maximum size of a request's headers, ours included; more is 431. @default 65_536 */
  headerBytes: number;
  /** Maximum size of a request body; more is 413. @default 1 GiB */
  bodyBytes: number;
  /** Milliseconds until a handler must have begun its response; then 504. @default 60_000 */
  handlerTimeout: number;
  /** Requests of a worker whose response has not begun; more are 503. @default 256 */
  waitingRequests: number;
  /** Milliseconds for the top-level code of a handler module. @default 10_000 */
  evaluateTimeout: number;
  /** Milliseconds that a new worker has until it serves; doubled at each try that took longer. @default 30_000 */
  readyTimeout: number;
  /**
   * Milliseconds for which a worker may block its event loop, such as by a loop without `await`;
   * then it is replaced. 0: never, it is only logged. @default 2_000, 10_000 in development
   */
  blockedTimeout: number;
  /**
   * Handlers of a worker that still run after the 504 of their request; then the worker is
   * replaced. 0: never. @default 10
   */
  overdueHandlers: number;
}

export interface ReloadConfig {
  /**
   * `request`: a saved file runs at the next request, for a few `stat` calls each.
   * `manual`: only `mod-ts reload` loads new code.
   * @default "request"
   */
  freshness: "request" | "manual";
  /**
   * Loads and reports saved files before the next request. `{ poll }`: interval in milliseconds,
   * for file systems without events. Correctness does not depend on it.
   * @default true in development, else false
   */
  watch: boolean | { poll: number };
}

/** A complete configuration: plain data that survives IPC. */
export interface ResolvedConfig {
  /** Absolute path of the configuration file, which may not exist. */
  file: string;
  /** Absolute path of its directory. */
  directory: string;
  /** Empty: none. */
  name: string;
  handlers: string[];
  run: string;
  state: string;
  /** Sorted by the name of the pool, main first. */
  listeners: ConfigListener[];
  listenAt: "start" | "ready";
  /** Undefined: that of the process. */
  socketGroup: string | undefined;
  secret: string | undefined;
  secrets: Record<string, string>;
  /** Absolute paths of the files that hold secrets. */
  secretFiles: string[];
  pools: Record<string, Required<PoolConfig>>;
  preload: string[];
  background: BackgroundConfig;
  connections: Record<string, ResolvedConnection>;
  auth: AuthEndpoints;
  fastify: string[];
  origin: (OriginConfig & { requestWorkers: number }) | undefined;
  limits: Limits;
  reload: ReloadConfig;
  keepAlive: number;
  log: ResolvedLogConfig;
  /** Absolute path. */
  accessLog: string | undefined;
  development: boolean;
}

const defaults = {
  handlers: ["."],
  // Debian's, which is lower than httpd's.
  origin: { requestWorkers: 150 },
  limits: {
    headerBytes: 65_536,
    bodyBytes: 1024 ** 3,
    handlerTimeout: 60_000,
    waitingRequests: 256,
    evaluateTimeout: 10_000,
    readyTimeout: 30_000,
    blockedTimeout: 2_000,
    overdueHandlers: 10,
  },
  reload: { freshness: "request" },
  listenAt: "start",
  keepAlive: 30_000,
  development: false,
} as const;

/**
 * Types and completion for a configuration file; returns its argument.
 *
 * @example
 * ```ts
 * import { defineConfig } from "mod-ts/config";
 *
 * export default defineConfig({
 *   handlers: ["handlers"],
 *   pools: { main: { workers: 4 }, reports: { workers: 1 } },
 * });
 * ```
 */
export function defineConfig(config: Config): Config {
  return config;
}

/** Adds defaults and resolves paths. Throws `MODTS_CONFIG_INVALID` with all mistakes. */
export function resolveConfig(input: Config, file: string): ResolvedConfig {
  const mistakes = findMistakes(input);
  if (mistakes.length > 0) throw configInvalid(file, mistakes);
  const directory = dirname(resolve(file));
  const run =
    input.run === undefined
      ? defaultRunDirectory(directory, input.name)
      : resolve(directory, input.run);
  // With one process, saves and counters are as developers expect.
  const workers = input.development ? 1 : availableParallelism();
  const served = { main: { workers }, ...input.pools };
  const guards = guardWorkers(input, served.main.workers);
  const pools = resolvePools({
    ...served,
    ...(guards > 0 && { [guardsPool]: { ...input.authorizer, workers: guards } }),
  });
  judgeAddresses(input.connections, mistakes);
  const connections = resolveConnections(input.connections, directory);
  const keyFiles = Object.values(connections).flatMap(({ tls }) => (tls ? [tls.keyFile] : []));
  const config: ResolvedConfig = {
    file: resolve(file),
    directory,
    name: input.name ?? "",
    handlers: (input.handlers ?? defaults.handlers).map((name) => resolve(directory, name)),
    run,
    state: resolve(directory, input.state ?? process.env["STATE_DIRECTORY"] ?? run),
    // Apache asks for decisions once it sees the sockets of the pools.
    listeners: [
      ...authorizers(input.authorizer, run, guards > 0 ? guardsPool : "main", input.development),
      ...deciders(input.listen, run, guards > 0 ? guardsPool : "main", input.development),
      ...listeners(Object.keys(served), input.listen, run),
      ...connectionListeners(connections),
    ],
    listenAt: input.listenAt ?? defaults.listenAt,
    socketGroup: input.socketGroup ?? defaultGroup(),
    secret: readSecret(input, directory, mistakes),
    secrets: readSecrets(input, directory, mistakes),
    secretFiles: [...secretFiles(input).map((name) => resolve(directory, name)), ...keyFiles],
    pools,
    preload: input.preload ?? [],
    background: resolveBackground(input.background),
    connections,
    auth: input.auth ?? {},
    fastify: input.fastify ?? [],
    origin: input.origin && { ...defaults.origin, ...defined(input.origin), url: input.origin.url },
    limits: {
      ...defaults.limits,
      // Developers measure. Under `mod-ts dev --inspect`, workers have no limit.
      ...(input.development && { blockedTimeout: 10_000 }),
      ...defined(input.limits),
    },
    reload: {
      ...defaults.reload,
      watch: input.development ?? defaults.development,
      ...defined(input.reload),
    },
    keepAlive: input.keepAlive ?? defaults.keepAlive,
    accessLog: input.accessLog === undefined ? undefined : resolve(directory, input.accessLog),
    log: resolveLog(input.log, directory, input.development ?? defaults.development),
    development: input.development ?? defaults.development,
  };
  if (Object.hasOwn(input.pools ?? {}, guardsPool)) {
    mistakes.push(`pools.${guardsPool}: this name is reserved; use authorizer.workers`);
  }
  judge(config, mistakes);
  if (config.name !== "") judgeNamed({ ...input, secret: config.secret }, mistakes);
  if (mistakes.length > 0) throw configInvalid(file, mistakes);
  return config;
}

/** Checks of the whole. */
function judge(config: ResolvedConfig, mistakes: string[]): void {
  for (const directory of config.handlers) {
    if (!existsSync(directory)) mistakes.push(`handlers: no such directory ${directory}`);
  }
  if (config.socketGroup !== undefined && groupId(config.socketGroup) === undefined) {
    mistakes.push(`socketGroup: no such group ${config.socketGroup}`);
  }
  for (const [name, { access, authen, authz }] of Object.entries(config.auth)) {
    if (!access && !authen && !authz) mistakes.push(`auth.${name}: name access, authen or authz`);
    if (config.secret === undefined) mistakes.push(`auth.${name}: it needs secret or secretFile`);
  }
  const serving = Object.keys(config.pools).filter((name) => name !== guardsPool);
  judgeBackground(config.background, serving, mistakes);
  judgeConnections(config.connections, serving, mistakes);
  if (config.origin) judgeOrigin(config, config.origin, mistakes);
  judgeListeners(config.listeners, mistakes);
}
