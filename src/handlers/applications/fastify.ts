/** `mod_ts/fastify`: a Fastify plugin on an instance of its own (docs/applications.md). */
import { format } from "node:util";
import { getOrCreate } from "../../base/cache.ts";
import {
  fastify,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyPluginAsync,
  type FastifyReply,
  type FastifyServerOptions,
  LogController,
} from "fastify";
import type { Outcome } from "../../base/outcome.ts";
import type { UpgradeHandler } from "../../engine/handler.ts";
import type { ApacheRequest } from "../../request/request.ts";
import { ModTsError } from "../../base/errors.ts";
import { log, type LogLevel, textOf } from "../../base/log.ts";
import { type HeldModule, internals } from "../../request/internals.ts";
import { isClass } from "../../engine/phase-runner.ts";
import {
  type ApplicationCall,
  type ApplicationUrl,
  createApplicationHandler,
  exportOf,
  notAnApplication,
} from "./application.ts";
import { callListener } from "./node.ts";
import { noWebSocket, passUpgrade, type RawConnection, type UpgradeCall } from "./sockets.ts";

/** Makes the module for the reference `mod_ts/fastify`; `close` ends all instances. */
export function createFastify(): {
  module: { handler(req: ApacheRequest): Promise<Outcome>; upgradeHandler: UpgradeHandler };
  close(): Promise<void>;
} {
  const applications = new Map<string, FastifyVersions>();
  const versionsOf = ({ name, base }: ApplicationCall): FastifyVersions =>
    getOrCreate(applications, `${name} ${base}`, () => new FastifyVersions());
  const handler = createApplicationHandler("fastify", (call) =>
    versionsOf(call).answer(sourceOf(call), call.req, call.url),
  );
  const find = createApplicationHandler("fastify", (call) => call);
  const upgradeHandler: UpgradeHandler = async (req, socket, head) => {
    const call = await find(req);
    if (typeof call === "number") throw noWebSocket("mod_ts/fastify");
    await versionsOf(call).upgrade(sourceOf(call), call, { socket, head });
  };
  const close = async (): Promise<void> => {
    await Promise.all(Array.from(applications.values(), (versions) => versions.close()));
  };
  return { module: { handler, upgradeHandler }, close };
}

function sourceOf(call: ApplicationCall): FastifySource {
  return { ...call, path: call.reference.path };
}

/** An application that could not start is tried again after this time: its database may be back. */
const retryAfterMs = 1000;

/** Instances by module version; the last good one serves while the newest cannot start. */
export class FastifyVersions {
  #serving: FastifyApplication | undefined;
  #starting: Promise<void> | undefined;
  #failure:
    | { readonly exports: object; readonly error: ModTsError; readonly at: number }
    | undefined;

  /** Responds with the instance of the request's module version, else with the one before. */
  async answer(source: FastifySource, req: ApacheRequest, url: ApplicationUrl): Promise<Outcome> {
    await this.#bringUp(source);
    // Synchronously: an instance retired now must count this request.
    return this.#choose(source.module, req[internals].context.debug).answer(req, url);
  }

  async upgrade(
    source: FastifySource,
    call: UpgradeCall,
    connection: RawConnection,
  ): Promise<void> {
    await this.#bringUp(source);
    this.#choose(source.module, call.req[internals].context.debug).upgrade(call, connection);
  }

  async close(): Promise<void> {
    await this.#starting;
    await this.#serving?.close();
  }

  async #bringUp(source: FastifySource): Promise<void> {
    while (this.#isWanted(source)) {
      this.#starting ??= this.#start(source);
      await this.#starting;
    }
  }

  /** A request begun before the save must not bring the old instance back. */
  #isWanted({ module: { exports, generation } }: FastifySource): boolean {
    if ((this.#serving?.generation ?? -1) >= generation) return false;
    return (
      this.#failure?.exports !== exports || performance.now() - this.#failure.at > retryAfterMs
    );
  }

  #choose({ generation }: HeldModule, debug: boolean): FastifyApplication {
    const serving = this.#serving;
    const isOlder = (serving?.generation ?? -1) < generation;
    // With debugging on, the failure is shown, not the version before.
    if (this.#failure && isOlder && (debug || !serving)) throw this.#failure.error;
    return serving as FastifyApplication;
  }

  async #start(source: FastifySource): Promise<void> {
    try {
      const application = await FastifyApplication.start(source);
      this.#serving?.retire();
      this.#serving = application;
      this.#failure = undefined;
    } catch (cause) {
      const error = cause as ModTsError;
      this.#failure = { exports: source.module.exports, error, at: performance.now() };
      if (this.#serving) this.#report(error);
    } finally {
      this.#starting = undefined;
    }
  }

  #report({ code, message, cause }: ModTsError): void {
    log("error", `${message}; the version before it goes on serving`, { code, error: cause });
  }
}

export interface FastifySource {
  readonly module: HeldModule;
  /** Names of the export; empty: the default one. */
  readonly path: readonly string[];
  /** Prefix of its routes, e.g. `/app`. */
  readonly base: string;
  /** For the log, e.g. `mod_ts/fastify app.ts`. */
  readonly name: string;
}

/** Running instance. Holds its module until it is retired and its last request has ended. */
export class FastifyApplication {
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
   * Registers the plugin and waits until the instance is ready. The module's export `options` are
   * options of the instance, as with `fastify-cli`. Rejects with `MODTS_APPLICATION_FAILED`,
   * `MODTS_NOT_AN_APPLICATION`, `MODTS_MISSING_EXPORT`.
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

  /** Routes below the prefix see the whole URL. */
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

  /** A connection holds no instance: that of `@fastify/websocket` is closed with it. */
  upgrade({ req, url: { whole }, name }: UpgradeCall, connection: RawConnection): void {
    const url = { base: "", rest: whole, whole };
    passUpgrade(this.#instance.server, { req, url, name }, connection);
  }

  /** Another version serves from now on. */
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

/** Details that Fastify logs with a message. */
interface Details {
  readonly err?: unknown;
  readonly req?: { readonly raw?: { readonly apache?: ApacheRequest } };
  readonly res?: Partial<FastifyReply>;
}

/** Writes to the error log. Child loggers are the same: lines have their bindings already. */
export function createFastifyLog(application: string): FastifyBaseLogger {
  const at =
    (level: LogLevel) =>
    (first: unknown, ...rest: unknown[]): void => {
      const isText = typeof first === "string";
      const details = isText ? {} : detailsOf(first);
      const text = isText ? format(first, ...rest) : format(...rest);
      write(level, `${application}: ${text || messageOf(details)}`, details);
    };
  const logger = {
    level: "info",
    fatal: at("crit"),
    error: at("error"),
    warn: at("warn"),
    info: at("info"),
    debug: at("debug"),
    trace: at("debug"),
    silent: () => {},
    child: () => logger,
  };
  return logger as unknown as FastifyBaseLogger;
}

/** Without a line for each request: Apache writes the access log. */
export class ApplicationLogController extends LogController {
  override incomingRequest(): void {}
  override routeNotFound(): void {}
  override requestCompleted(...parameters: Parameters<LogController["requestCompleted"]>): void {
    if (parameters[0]) super.requestCompleted(...parameters);
  }
}

function detailsOf(first: unknown): Details {
  if (first instanceof Error) return { err: first };
  return (Object(first) === first ? first : {}) as Details;
}

function messageOf({ err }: Details): string {
  return err instanceof Error ? err.message : "";
}

function write(level: LogLevel, message: string, { err, req, res }: Details): void {
  const apache = req?.raw?.apache ?? res?.request?.raw.apache;
  log(level, message, {
    ...(apache && { client: apache.useragentAddr.join(":"), uniqueId: apache.uniqueId }),
    // Client errors need no stack.
    ...(err !== undefined && level !== "info" && { error: err }),
  });
}
