/** Worker process: composition root, and service of the connections passed on by the supervisor. */
import { createServer, type Server, type Socket } from "node:net";
import { join, resolve as resolvePath } from "node:path";
import { guardsPool, type ResolvedConfig } from "./config/config.ts";
import { countWorkers } from "./config/pools.ts";
import { connectionName } from "./config/listeners.ts";
import { Connections } from "./connections/connections.ts";
import { AccessLog } from "./access-log/access-log.ts";
import { Background, preload } from "./background/background.ts";
import { Authorizer } from "./authorizer/server.ts";
import { Decider } from "./decider/server.ts";
import { Stores } from "./handlers/auth/credentials/stores.ts";
import { createOwnRoutes, type OwnPlugin } from "./gateway/own-routes.ts";
import { createGateway, type Gateway } from "./gateway/server.ts";
import { createStatus } from "./handlers/status/status.ts";
import { statusRoutes } from "./handlers/status/routes.ts";
import { askStatus } from "./supervisor/control.ts";
import type { SidecarStatus } from "./supervisor/status.ts";
import type { Resolve } from "./engine/handler.ts";
import { createStaticFile } from "./handlers/static-file.ts";
import { createFastify } from "./handlers/applications/fastify.ts";
import { createFetch, fetchHandler } from "./handlers/applications/fetch.ts";
import { createCgi } from "./handlers/cgi/cgi.ts";
import { createForwardAuth } from "./handlers/auth/forward-auth.ts";
import { createHtpasswd, createSql } from "./handlers/auth/basic.ts";
import { createJwt } from "./handlers/auth/jwt.ts";
import { createPages, pagesFingerprint } from "./handlers/pages/pages.ts";
import { createLogin } from "./handlers/auth/login.ts";
import { createNode } from "./handlers/applications/node.ts";
import { createPublisher } from "./handlers/publisher/publisher.ts";
import { type ApacheSettings, createOrigin, Origin } from "./handlers/origin/origin.ts";
import { createRefusal } from "./handlers/refusal.ts";
import { createRefresh } from "./handlers/refresh/refresh.ts";
import { createTestPage } from "./handlers/test-page.ts";
import { ModTsError } from "./base/errors.ts";
import { setSecrets } from "./base/options.ts";
import * as face from "./index.ts";
import { createCompileCache } from "./loader/compile-cache.ts";
import { closeInspector, isDebugged, openInspector } from "./loader/debugger.ts";
import { GuardMarks } from "./loader/guard-marks.ts";
import { createLoader } from "./loader/loader.ts";
import { NodeFiles } from "./loader/node-files.ts";
import { Pasts } from "./loader/past.ts";
import { type LogOutput, openLog } from "./base/log-output.ts";
import { protectStreams } from "./base/log-sink.ts";
import { hideInLog } from "./base/redact.ts";
import { createEngine, type Engine } from "./engine/phases.ts";
import { Refusals } from "./engine/refusals.ts";
import { guardExports } from "./engine/site-modules.ts";
import { reportStrays } from "./engine/strays.ts";
import { Tracing } from "./engine/tracing.ts";
import type { ApacheRequest } from "./request/request.ts";
import { installLightResponse } from "./request/response/light-response.ts";
import { sweepTemporaryFiles } from "./request/body/temporary-files.ts";
import { createResolver, requireInside } from "./engine/directives.ts";
import { Sessions } from "./sessions/sessions.ts";
import { pageLanguage, translatePage } from "./handlers/pages/translate.ts";
import { version } from "./base/version.ts";
import { type BrokenModule, VersionStore } from "./base/version-store.ts";
import { counter } from "./base/counts.ts";
import { sourceFrame } from "./loader/stack.ts";
import { startReports } from "./supervisor/report.ts";
import { startWatchdog, takeLateness } from "./supervisor/watchdog.ts";
import type { FromWorker, InitMessage, ToWorker } from "./supervisor/worker-process.ts";

/** The parts of a worker, also for requests without a supervisor. */
export interface Parts {
  engine: Engine;
  gateway: Gateway;
  authorizer: Authorizer;
  decider: Decider;
  /** A changed file that this process cannot load again; never in production. */
  changedFile(): string | undefined;
  /** Loads what the configuration says, and returns what is broken. */
  preload(): Promise<BrokenModule[]>;
  /** Of the one worker of the sidecar that may do it. */
  startBackground(): Background;
  /** Sockets of the sidecar's own that this worker serves. */
  openConnections(): Connections;
  /** Loads what other workers use, and returns what is broken. */
  verify(limitMs: number): Promise<BrokenModule[]>;
  close(): Promise<void>;
}

/** @param versions of a sidecar; a test and `mod-ts run` neither serve them nor add to them */
export async function createParts(
  { config, pool, generation }: Omit<InitMessage<ResolvedConfig>, "type" | "slot">,
  versions?: VersionStore,
): Promise<Parts> {
  const { handlers: roots, directory, state } = config;
  setSecrets(config.secrets);
  // First: it must see every package.
  const nodeFiles = config.development ? new NodeFiles() : undefined;
  const changedFile = (): string | undefined => nodeFiles?.changed();
  const pasts = versions && new Pasts(versions, pagesFingerprint);
  const loader = createLoader({
    ...config.reload,
    evaluateTimeout: config.limits.evaluateTimeout,
    approve: (file) => requireInside(file, roots),
    builtins: { "mod-ts": face },
    languages: { ".tsp": translatePage },
    languageModules: { ".tsp": pageLanguage },
    renewsPackages: config.development,
    cache: createCompileCache(join(config.run, "cache"), pagesFingerprint),
    pasts,
    guards: guardExports,
    guardMarks: versions && new GuardMarks(join(state, "guards")),
  });
  const temporary = join(config.run, "tmp");
  sweepTemporaryFiles(temporary);
  const stores = new Stores(config.directory);
  const fastify = createFastify();
  const sessions = new Sessions({ directory, state, workers: countSessionWorkers(config, pool) });
  const origin = new Origin(apacheOf(config));
  const askSupervisor = (): Promise<SidecarStatus> => askStatus(config.run);
  const status = createStatus(askSupervisor);
  const facts = { version, generation, roots, modules: () => loader.modules() };
  const refresh = config.development
    ? createRefresh({ find: (name) => resolve(name, ""), changedFile })
    : undefined;
  const cgi = createCgi({ roots, handlerTimeout: config.limits.handlerTimeout, versions });
  const resolve = createResolver({
    roots,
    load: loader.load.bind(loader),
    isDeleted: (file) => pasts?.isDeleted(file) ?? false,
    builtins: {
      "test-page": createTestPage(facts),
      status: status.module,
      "forward-auth": createForwardAuth(),
      cgi: cgi.module,
      jwt: createJwt(config.directory),
      htpasswd: createHtpasswd(stores),
      sql: createSql(stores),
      login: createLogin(stores, config),
      fetch: createFetch(),
      node: createNode(),
      fastify: fastify.module,
      publisher: createPublisher(),
      pages: createPages((path) => loader.isFile(path)),
      origin: createOrigin(origin),
      refusal: createRefusal(new Refusals(config.secret ?? "")),
      ...(refresh && { refresh: refresh.module }),
    },
  });
  const engine = createEngine({
    resolve,
    fallback: createStaticFile([config.file, config.run, config.state, ...config.secretFiles]),
    application: fetchHandler,
    handlerTimeout: config.limits.handlerTimeout,
    tracing: new Tracing(config.directory),
    slowCall: config.log.slow,
    logsAccess: config.log.access,
    toolkit: {
      temporary,
      openSession: (req: ApacheRequest, options) => sessions.open(req, options),
      origin,
    },
    ...(refresh && { pageTail: refresh.script }),
  });
  const secret = config.secret ?? "";
  const common = { engine, interpreter: pool, sidecar: config.name, secret };
  const budget = isDebugged() ? { budget: dayMs } : {};
  const authorizer = new Authorizer({
    ...common,
    ...budget,
    parameterBytes: config.limits.headerBytes,
    tickets: { run: config.run, handlerFiles: () => loader.inputs() },
  });
  const decider = new Decider({ ...common, ...budget });
  const ownRoutes = createOwnRoutes(common.secret, async () => [
    { name: "mod_ts/status", plugin: statusRoutes(askSupervisor) },
    ...(await loadPlugins(config.fastify, resolve)),
  ]);
  // A mistake in a plugin is one of the start.
  if (config.fastify.length > 0) await ownRoutes.start();
  const gateway = await createGateway({
    ...common,
    ownRoutes: ownRoutes.listener,
    ...config.limits,
    keepAlive: config.keepAlive,
    oneRequest: config.development,
    auth: config.auth,
  });
  const close = async (): Promise<void> => {
    origin.close();
    nodeFiles?.close();
    await Promise.all([fastify.close(), status.close(), ownRoutes.close()]);
    await Promise.all([loader.close(), stores.close(), sessions.close(), cgi.close()]);
  };
  const { modules } = config.background;
  const single = roots.flatMap((root) => modules.map((name) => resolvePath(root, name)));
  const verify = async (limitMs: number): Promise<BrokenModule[]> => [
    ...(await loader.verify(limitMs, single)),
    ...(await cgi.verify()),
  ];
  const startBackground = (): Background =>
    new Background({
      ...config.background,
      dutyFile: join(config.state, "background.db"),
      resolve,
      unload: (file) => loader.unload(file),
    });
  const openConnections = (): Connections => new Connections(config.connections, pool, resolve);
  const run = { preload: () => preload(config.preload, resolve), startBackground, openConnections };
  return { engine, gateway, authorizer, decider, changedFile, verify, close, ...run };
}

/** Fastify plugins of the configuration, looked up like handlers. They live as long as the worker. */
async function loadPlugins(names: readonly string[], resolve: Resolve): Promise<OwnPlugin[]> {
  const loaded = names.map(async (name): Promise<OwnPlugin> => {
    const { exports } = await resolve(name, "default");
    const { default: plugin } = exports;
    if (typeof plugin === "function") return { name, plugin: plugin as OwnPlugin["plugin"] };
    const expected = "a Fastify plugin, a function (fastify, options), as the default export";
    throw new ModTsError("MODTS_NOT_AN_APPLICATION", {
      module: name,
      type: typeof plugin,
      expected,
    });
  });
  return Promise.all(loaded);
}

/** Processes that may open the same session: those of the pool, and those that decide about access to it. */
function countSessionWorkers({ pools }: ResolvedConfig, pool: string): number {
  const guards = pool === guardsPool ? pools["main"] : pools[guardsPool];
  return (pools[pool]?.workers ?? 1) + (guards?.workers ?? 0);
}

/**
 * Requests with callbacks may hold a third of Apache's threads, divided among the processes; see
 * `handlers/origin/callback-limiter.ts`.
 */
function apacheOf(config: ResolvedConfig): ApacheSettings | undefined {
  const { origin, secret } = config;
  if (!origin || secret === undefined) return undefined;
  const { url, clientHeader, requestWorkers } = origin;
  return {
    url,
    secret,
    clientHeader,
    calls: Math.max(1, Math.floor(requestWorkers / 3 / countWorkers(config))),
  };
}

function serveSupervisor(): void {
  installLightResponse();
  reportStrays();
  protectStreams();
  let output: LogOutput | undefined;
  let parts: Parts | undefined;
  let accessLog: AccessLog | undefined;
  let background: Background | undefined;
  let connections: Connections | undefined;
  let isDraining = false;
  let reportCounts: (() => void) | undefined;
  // Without the supervisor there are neither connections nor logs.
  process.on("disconnect", () => {
    parts?.authorizer.abandon();
    process.exit(0);
  });
  // Ctrl-C, systemd and a closed terminal signal the whole group; the supervisor decides when to
  // end.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {});
  // By default, Node.js would open a debugger port.
  process.on("SIGUSR1", () => output?.reopen());
  const servers: Server[] = [];
  process.on("message", async (message: ToWorker<ResolvedConfig>, socket?: Socket) => {
    if (message.type === "init") {
      const { pool, slot, generation, config } = message;
      process.title = `mod-ts: ${pool}#${slot} gen ${generation}`;
      try {
        output = await openWorkerLog(message);
        if (message.inspect) {
          makePatient(config);
          await openInspector(message.inspect);
        }
        parts = await createParts(message, new VersionStore(config.run, pool));
        reportCounts = startReports({
          takeLateness,
          counter,
          locate,
          send: (observed) => send({ type: "report", report: observed }),
        });
        connections = parts.openConnections();
        const { blockedTimeout, evaluateTimeout, readyTimeout } = config.limits;
        const missing = pool === guardsPool ? [] : await parts.preload();
        // Top levels that hang must not make the worker late.
        const broken = message.verifies ? await parts.verify(readyTimeout / 2) : [];
        send({ type: "ready", broken: [...missing, ...broken] });
        startWatchdog({
          limitMs: blockedTimeout,
          buildMs: evaluateTimeout,
          slowMs: config.log.slow,
        });
        // A drain that came before would not stop what begins now.
        if (isDraining) return;
        accessLog = followAccessLog(message, parts);
        const isFirst = pool === config.background.pool && slot === 1;
        if (isFirst && hasBackground(config)) background = parts.startBackground();
      } catch (error) {
        send({ type: "failed", message: String(error) });
      }
    } else if (message.type === "connection" && socket) {
      const file = message.isFinal ? undefined : parts?.changedFile();
      if (file !== undefined) {
        send({ type: "outdated", file });
        socket.destroy();
        return;
      }
      send({ type: "accepted" });
      socket.once("close", () => send({ type: "closed" }));
      const name = connectionName(message.transport);
      if (name !== undefined) return connections?.accept(name, socket);
      transportOf(parts, message.transport).accept(socket);
      socket.resume();
    } else if (message.type === "listen" && socket) {
      const { accept } = transportOf(parts, message.transport);
      servers.push(createServer({ noDelay: true }, accept).listen(socket, message.queueLength));
    } else if (message.type === "reopenLog") {
      output?.reopen();
    } else if (message.type === "drain") {
      isDraining = true;
      closeInspector();
      for (const server of servers) server.close();
      await Promise.all([
        parts?.gateway.drain(message.linger),
        parts?.authorizer.drain(),
        parts?.decider.drain(),
        accessLog?.stop(),
        background?.stop(),
        connections?.drain(message.linger),
      ]);
      await parts?.close();
      reportCounts?.();
      process.exit(0);
    }
  });
}

/** Time that passes at a breakpoint must end nothing. */
function makePatient({ limits }: ResolvedConfig): void {
  limits.handlerTimeout = dayMs;
  limits.evaluateTimeout = dayMs;
  limits.blockedTimeout = 0;
}

const dayMs = 86_400_000;

/** Finds the line of a handler that an error comes from. */
function locate(error: unknown): { place: string; source: string } | undefined {
  const frame = sourceFrame(error);
  if (!frame) return undefined;
  const source = frame.text.find(({ hit }) => hit)?.text.trim() ?? "";
  return { place: `${frame.file}:${frame.line}:${frame.column}`, source };
}

function hasBackground({ background: { modules, schedule } }: ResolvedConfig): boolean {
  return modules.length > 0 || Object.keys(schedule).length > 0;
}

/** One worker follows the log; its successor continues where it stopped. */
function followAccessLog(
  { config, pool, slot }: InitMessage<ResolvedConfig>,
  { engine }: Parts,
): AccessLog | undefined {
  const { accessLog: file, name, state } = config;
  if (file === undefined || pool !== "main" || slot !== 1) return undefined;
  return new AccessLog({
    file,
    positionFile: join(state, "access-log.db"),
    engine,
    interpreter: pool,
    sidecar: name,
  });
}

function openWorkerLog({
  config,
  pool,
  generation,
}: InitMessage<ResolvedConfig>): Promise<LogOutput> {
  hideInLog([config.secret ?? "", ...Object.values(config.secrets)]);
  return openLog(config.log, { room: "handlers", fields: { pool, generation } });
}

function transportOf(parts: Parts | undefined, name: string): { accept(socket: Socket): void } {
  const { authorizer, decider, gateway } = parts ?? {};
  const transport = name === "authorizer" ? authorizer : name === "decider" ? decider : gateway;
  return { accept: (socket) => transport?.accept(socket) };
}

function send(message: FromWorker): void {
  // `disconnect` follows where the supervisor has died; without a callback the error would be uncaught.
  process.send?.(message, () => {});
}

// Also imported by `mod-ts/testing`, where a test runner may be the parent.
if (process.send && process.argv[1] === import.meta.filename) serveSupervisor();
