/**
 * A worker process: puts the parts together and serves the connections that the supervisor hands over. No behaviour here.
 * @module
 */
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { countWorkers, type ResolvedConfig } from "./config.ts";
import { type Authorizer, createAuthorizer } from "./authorizer/server.ts";
import { Stores } from "./credentials/stores.ts";
import { createGateway, type Gateway } from "./gateway/server.ts";
import { serveFile } from "./handlers/default.ts";
import { createFastify } from "./handlers/fastify.ts";
import { createFetch } from "./handlers/fetch.ts";
import { createCgi } from "./handlers/cgi.ts";
import { createForwardAuth } from "./handlers/forward-auth.ts";
import { createHtpasswd } from "./handlers/htpasswd.ts";
import { createJwt } from "./handlers/jwt.ts";
import { createPages } from "./handlers/pages.ts";
import { createLogin } from "./handlers/login.ts";
import { createNode } from "./handlers/node.ts";
import { createPublisher } from "./handlers/publisher.ts";
import { createOrigin } from "./handlers/origin.ts";
import { createRefresh } from "./handlers/refresh.ts";
import { createSql } from "./handlers/sql.ts";
import { createTestPage } from "./handlers/test-page.ts";
import { type ErrorCode, ModTsError } from "./errors.ts";
import * as face from "./index.ts";
import { createCompileCache } from "./loader/compile-cache.ts";
import { createLoader } from "./loader/loader.ts";
import { log, subscribeLog } from "./log.ts";
import { type ApacheSettings, Origin } from "./origin/origin.ts";
import { createEngine, type Engine } from "./phases.ts";
import { sweepTemporaryFiles } from "./request/temporary-files.ts";
import { createResolver, requireInside } from "./resolver.ts";
import { Sessions } from "./sessions/sessions.ts";
import { pagesFingerprint } from "./pages/fingerprint.ts";
import { translatePage } from "./pages/translate.ts";
import { version } from "./version.ts";
import type { FromWorker, InitMessage, ToWorker } from "./worker-process.ts";

/** What a worker is made of, for whoever runs requests without a supervisor. */
export interface Parts {
  engine: Engine;
  gateway: Gateway;
  authorizer: Authorizer;
  close(): Promise<void>;
}

/** Builds loader, engine and gateway from a complete configuration. */
export async function createParts({
  config,
  pool,
  generation,
}: Omit<InitMessage<ResolvedConfig>, "type">): Promise<Parts> {
  const roots = config.handlers;
  const loader = createLoader({
    ...config.reload,
    evaluateTimeout: config.limits.evaluateTimeout,
    approve: (file) => requireInside(file, roots),
    builtins: { "mod-ts": face },
    languages: { ".tsp": translatePage },
    cache: createCompileCache(join(config.run, "cache"), pagesFingerprint),
  });
  const temporary = join(config.run, "tmp");
  sweepTemporaryFiles(temporary);
  const stores = new Stores(config.folder);
  const fastify = createFastify();
  const { folder, state } = config;
  const sessions = new Sessions({ folder, state, workers: config.pools[pool]?.workers ?? 1 });
  const origin = new Origin(apacheOf(config));
  const facts = { version, generation, roots, modules: () => loader.modules() };
  const refresh = config.development ? createRefresh((name) => resolve(name, "")) : undefined;
  const cgi = createCgi({ roots, handlerTimeout: config.limits.handlerTimeout });
  const resolve = createResolver({
    roots,
    load: (file, exportName) => loader.load(file, exportName),
    builtins: {
      "test-page": createTestPage(facts),
      "forward-auth": createForwardAuth(),
      cgi: cgi.module,
      jwt: createJwt(config.folder),
      htpasswd: createHtpasswd(stores),
      sql: createSql(stores),
      login: createLogin(stores, config),
      fetch: createFetch(),
      node: createNode(),
      fastify: fastify.module,
      publisher: createPublisher(),
      pages: createPages(),
      origin: createOrigin(origin),
      ...(refresh && { refresh: refresh.module }),
    },
  });
  const engine = createEngine({
    resolve,
    fallback: serveFile,
    handlerTimeout: config.limits.handlerTimeout,
    toolkit: { temporary, openSession: (req, options) => sessions.open(req, options), origin },
    ...(refresh && { pageTail: refresh.script }),
  });
  const door = { engine, interpreter: pool, secret: config.secret ?? "" };
  const authorizer = createAuthorizer(door);
  const gateway = await createGateway({
    ...door,
    ...config.limits,
    keepAlive: config.keepAlive,
    auth: config.auth,
  });
  const close = async (): Promise<void> => {
    origin.close();
    await fastify.close();
    await Promise.all([loader.close(), stores.close(), sessions.close(), cgi.close()]);
  };
  return { engine, gateway, authorizer, close };
}

/** A third of Apache's threads may be held by requests that call back, see `origin/call-gate.ts`; each process has its share. */
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

/**
 * What nobody caught. A rejected promise that a handler forgot harms no other request; a throw in a timer or an event may have left
 * anything half done, so the worker ends and another takes over.
 */
function reportStrays(): void {
  process.on("unhandledRejection", (reason) => report("MODTS_UNHANDLED_REJECTION", reason));
  process.on("uncaughtException", (error) => {
    report("MODTS_UNCAUGHT_EXCEPTION", error);
    process.exit(1);
  });
}

function report(code: ErrorCode, error: unknown): void {
  const { level, message } = new ModTsError(code);
  log(level, message, { code, error });
}

/** Serves the supervisor at the other end of the IPC channel. */
function serveSupervisor(): void {
  reportStrays();
  let parts: Parts | undefined;
  // The supervisor is gone: nobody will send connections or take logs any more.
  process.on("disconnect", () => process.exit(0));
  // Ctrl-C, systemd and a closed terminal signal the whole group; when to end is the supervisor's to say.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {});
  const servers: Server[] = [];
  process.on("message", async (message: ToWorker<ResolvedConfig>, socket?: Socket) => {
    if (message.type === "init") {
      subscribeLog(message.config.log.level);
      try {
        parts = await createParts(message);
        send({ type: "ready" });
      } catch (error) {
        send({ type: "failed", message: String(error) });
      }
    } else if (message.type === "connection" && socket) {
      send({ type: "accepted" });
      socket.once("close", () => send({ type: "closed" }));
      doorOf(parts, message.door).accept(socket);
      socket.resume();
    } else if (message.type === "listen" && socket) {
      const { accept } = doorOf(parts, message.door);
      servers.push(createServer({ noDelay: true }, accept).listen(socket));
    } else if (message.type === "drain") {
      for (const server of servers) server.close();
      await Promise.all([parts?.gateway.drain(message.linger), parts?.authorizer.drain()]);
      await parts?.close();
      process.exit(0);
    }
  });
}

function doorOf(parts: Parts | undefined, name: string): { accept(socket: Socket): void } {
  const door = name === "authorizer" ? parts?.authorizer : parts?.gateway;
  return { accept: (socket) => door?.accept(socket) };
}

function send(message: FromWorker): void {
  process.send?.(message);
}

if (process.send) serveSupervisor();
