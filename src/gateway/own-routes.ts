/**
 * Routes of the sidecar itself, `/.mod-ts/…` on the sockets of every pool: status, metrics, health,
 * and Fastify plugins of the configuration.
 *
 * Attack: a client reaches them through a mistaken proxy rule. So a request needs the header
 * `Mod-Ts-Secret`; without a secret there are no routes. Health checks need none: they reveal
 * nothing but the state.
 */
import type { RequestListener } from "node:http";
import fastify, { type FastifyInstance, type FastifyPluginAsync } from "fastify";
import { createSecretCheck } from "../base/crypto.ts";
import { isModTsError, ModTsError } from "../base/errors.ts";
import { refuse } from "./refuse.ts";
import { textOf } from "../base/log.ts";
import { logFailure } from "../engine/respond.ts";
import { errorPage } from "../base/html.ts";

export const ownPrefix = "/.mod-ts";

const openPath = /^\/\.mod-ts\/health\/(?:live|ready)$/;

export interface OwnRoutes {
  /** Creates the instance. Rejects with `MODTS_APPLICATION_FAILED`. */
  start(): Promise<void>;
  readonly listener: RequestListener;
  close(): Promise<void>;
}

/** A plugin, with its name for the log. */
export interface OwnPlugin {
  name: string;
  plugin: FastifyPluginAsync;
}

/**
 * The instance is created at the first request, as Fastify's compilers of schemas need 6 MB.
 * @param plugins loaded at that time
 */
export function createOwnRoutes(
  secret: string,
  plugins: () => Promise<readonly OwnPlugin[]>,
): OwnRoutes {
  let starting: Promise<FastifyInstance> | undefined;
  const start = (): Promise<FastifyInstance> => (starting ??= startInstance(secret, plugins));
  return {
    start: async () => void (await start()),
    listener: (message, reply) => {
      start().then(
        (app) => app.routing(message, reply),
        (error: unknown) => refuse(reply, error),
      );
    },
    close: async () => (await starting?.catch(() => undefined))?.close(),
  };
}

async function startInstance(
  secret: string,
  plugins: () => Promise<readonly OwnPlugin[]>,
): Promise<FastifyInstance> {
  const app = fastify({ logger: false });
  const checkSecret = createSecretCheck(secret);
  app.addHook("onRequest", async ({ url, headers }) => {
    if (openPath.test(url)) return;
    if (secret === "") throw new ModTsError("MODTS_SECRET_WRONG");
    const { ["mod-ts-secret"]: given } = headers;
    checkSecret(typeof given === "string" ? given : undefined);
  });
  app.setErrorHandler((error, _, reply) => {
    const { statusCode = 500 } = error as { statusCode?: number };
    const status = isModTsError(error) && error.status > 0 ? error.status : statusCode;
    if (isModTsError(error) || status >= 500) logFailure(error);
    return reply.code(status).type("text/html; charset=utf-8").send(errorPage(status, ""));
  });
  app.setNotFoundHandler((_, reply) =>
    reply.code(404).type("text/html; charset=utf-8").send(errorPage(404, "")),
  );
  for (const { name, plugin } of await plugins()) {
    try {
      await app.register(plugin, { prefix: ownPrefix });
    } catch (cause) {
      throw failed(name, cause);
    }
  }
  try {
    await app.ready();
  } catch (cause) {
    throw failed("fastify of the configuration", cause);
  }
  return app;
}

function failed(application: string, cause: unknown): ModTsError {
  return new ModTsError(
    "MODTS_APPLICATION_FAILED",
    { application, reason: textOf(cause) },
    { cause },
  );
}
