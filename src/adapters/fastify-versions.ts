/**
 * The Fastify instances of one application: the one that answers, and the one that is to take over.
 * @module
 */
import type { ModTsError } from "../errors.ts";
import { log } from "../log.ts";
import type { Outcome } from "../outcome.ts";
import type { HeldModule } from "../request/internals.ts";
import { type ApacheRequest, internals } from "../request/request.ts";
import type { ApplicationUrl } from "./application-url.ts";
import { FastifyApplication, type FastifySource } from "./fastify-application.ts";

/** Milliseconds after which an application that could not start is tried again: its database may be back. */
const retryAfter = 1000;

/** Starts an instance for each version of the module, and keeps the last good one when the newest cannot start. */
export class FastifyVersions {
  #serving: FastifyApplication | undefined;
  #starting: Promise<void> | undefined;
  #failure:
    | { readonly exports: object; readonly error: ModTsError; readonly at: number }
    | undefined;

  /**
   * Answers a request with the instance of its version of the module, or with the one before while that cannot start.
   * Rejects when there is none.
   */
  async answer(source: FastifySource, req: ApacheRequest, url: ApplicationUrl): Promise<Outcome> {
    await this.#bringUp(source);
    // Without a wait in between: an instance that is retired now must know of this request.
    return this.#choose(source.module, req[internals].debug).answer(req, url);
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

  /** A request that began before the save finds the newer instance, and must not bring the old one back. */
  #isWanted({ module: { exports, generation } }: FastifySource): boolean {
    if ((this.#serving?.generation ?? -1) >= generation) return false;
    return this.#failure?.exports !== exports || performance.now() - this.#failure.at > retryAfter;
  }

  #choose({ generation }: HeldModule, debug: boolean): FastifyApplication {
    const serving = this.#serving;
    const isOlder = (serving?.generation ?? -1) < generation;
    // Who debugs wants to see why the save does not run, not the version before it.
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
