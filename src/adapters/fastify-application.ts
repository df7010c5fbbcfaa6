/**
 * A Fastify instance for a version of a module that exports a plugin.
 * @module
 */
import {
  fastify,
  type FastifyInstance,
  type FastifyPluginAsync,
  type FastifyServerOptions,
} from "fastify";
import { isClass } from "../call-handler.ts";
import { ModTsError } from "../errors.ts";
import { log, textOf } from "../log.ts";
import type { Outcome } from "../outcome.ts";
import type { HeldModule } from "../request/internals.ts";
import type { ApacheRequest } from "../request/request.ts";
import { exportOf, notAnApplication } from "./application-module.ts";
import type { ApplicationUrl } from "./application-url.ts";
import { ApplicationLogController, createFastifyLog } from "./fastify-log.ts";
import { callListener } from "./node-listener.ts";

/** Where an instance comes from. */
export interface FastifySource {
  readonly module: HeldModule;
  /** Names of the export, none for the default one. */
  readonly path: readonly string[];
  /** Prefix of its routes, e.g. `/app`. */
  readonly base: string;
  /** For the log, e.g. `mod_ts/fastify app.ts`. */
  readonly name: string;
}

/** Ready to answer. It holds its module until it is retired and its last request has ended. */
export class FastifyApplication {
  /** The version of the module that it was made of. */
  readonly generation: number;
  readonly #name: string;
  readonly #instance: FastifyInstance;
  readonly #letGo: (() => void) | undefined;
  #requests = 0;
  #closed: Promise<void> | undefined;
  #isRetired = false;

  private constructor({ module, name }: FastifySource, instance: FastifyInstance) {
    this.generation = module.generation;
    this.#name = name;
    this.#instance = instance;
    this.#letGo = module.retain?.();
  }

  /**
   * Registers the plugin and waits until the instance is ready. What the module exports as `options` are options of the
   * instance, as with `fastify-cli`.
   * @throws ModTsError `MODTS_APPLICATION_FAILED`, `MODTS_NOT_AN_APPLICATION`, `MODTS_MISSING_EXPORT`
   */
  static async start(source: FastifySource): Promise<FastifyApplication> {
    const plugin = pluginOf(source);
    let instance: FastifyInstance | undefined;
    try {
      instance = fastify(optionsOf(source));
      await instance.register(plugin, source.base ? { prefix: source.base } : {});
      await instance.ready();
      return new FastifyApplication(source, instance);
    } catch (cause) {
      await instance?.close().catch(() => {});
      const reason = textOf(cause);
      throw new ModTsError(
        "MODTS_APPLICATION_FAILED",
        { application: source.name, reason },
        { cause },
      );
    }
  }

  /** Answers a request. Routes below the prefix see the whole URL. */
  async answer(req: ApacheRequest, { whole }: ApplicationUrl): Promise<Outcome> {
    this.#requests += 1;
    try {
      const url = { base: "", rest: whole, whole };
      return await callListener(
        req,
        (message, reply) => this.#instance.routing(message, reply),
        url,
      );
    } finally {
      this.#requests -= 1;
      if (this.#isRetired) void this.#closeWhenIdle();
    }
  }

  /** Another version answers from now on. */
  retire(): void {
    this.#isRetired = true;
    void this.#closeWhenIdle();
  }

  /** Runs the `onClose` hooks of the application. Never rejects. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #closeWhenIdle(): Promise<void> {
    if (this.#requests === 0) await this.close();
  }

  async #close(): Promise<void> {
    try {
      await this.#instance.close();
    } catch (error) {
      log("error", `${this.#name} failed to close`, { error });
    }
    this.#letGo?.();
  }
}

function pluginOf({ module, path }: FastifySource): FastifyPluginAsync {
  const value = exportOf(module, path);
  if (typeof value === "function" && !isClass(value)) return value as FastifyPluginAsync;
  throw notAnApplication(module, value, "a Fastify plugin, a function (fastify, options)");
}

function optionsOf({ module, name }: FastifySource): FastifyServerOptions {
  const given = Object.hasOwn(module.exports, "options") ? module.exports["options"] : undefined;
  const options = (Object(given) === given ? given : {}) as FastifyServerOptions;
  const hasLog = options.logger !== undefined || options.loggerInstance !== undefined;
  return {
    ...(!hasLog && {
      loggerInstance: createFastifyLog(name),
      logController: new ApplicationLogController(),
    }),
    ...options,
  };
}
