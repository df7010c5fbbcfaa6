/**
 * The sessions that one request has open. Whoever asks again, a page and a handler, gets the same object.
 * @module
 */
import { ModTsError } from "../errors.ts";
import { textOf } from "../log.ts";
import type { Settling } from "../request/internals.ts";
import { type ApacheRequest, internals } from "../request/request.ts";
import type { LiveSession } from "./live-session.ts";
import type { SessionSettings } from "./session-settings.ts";

/** Opens a session. `id` is what this request knows it by already. */
export type OpenSession = (
  settings: SessionSettings,
  id: string | undefined,
) => Promise<LiveSession>;

export class RequestSessions implements Settling {
  readonly #req: ApacheRequest;
  readonly #start: OpenSession;
  readonly #sessions = new Map<string, LiveSession>();
  #tail: Promise<unknown> | undefined;
  #isOver = false;
  /** Whether no handler has failed. */
  #isGood = true;

  constructor(req: ApacheRequest, start: OpenSession) {
    this.#req = req;
    this.#start = start;
    req[internals].response.beforeHead = () => {
      for (const session of this.#sessions.values()) session.announce();
    };
  }

  /** One after the other: two parts of a handler that ask at the same time must not wait for each other's lock. */
  open(settings: SessionSettings): Promise<LiveSession> {
    const opened = this.#tail ? this.#tail.then(() => this.#open(settings)) : this.#open(settings);
    this.#tail = opened.catch(() => {});
    return opened;
  }

  async settle(isGood: boolean): Promise<void> {
    this.#isGood = isGood;
    const results = await Promise.allSettled(
      [...this.#sessions.values()].map((session) => session.finish(isGood)),
    );
    const failed = results.find((result) => result.status === "rejected");
    if (failed) throw failed.reason;
  }

  close(): void {
    this.#isOver = true;
    for (const session of this.#sessions.values()) {
      if (session.isOpen) session.finish(this.#isGood).catch((error) => this.#report(error));
    }
  }

  /** The response has left: nobody else will hear of it. */
  #report(error: unknown): void {
    const isOurs = error instanceof ModTsError;
    const message = isOurs ? `${error.code}: ${error.message}` : textOf(error);
    this.#req.logError(message, isOurs ? error.level : "error");
  }

  async #open(settings: SessionSettings): Promise<LiveSession> {
    const known = this.#sessions.get(settings.name);
    if (known?.isOpen) {
      if (settings.lock === "exclusive") await known.lock();
      return known;
    }
    this.#checkOrder(settings);
    const session = await this.#start(settings, known?.storedId);
    this.#sessions.set(settings.name, session);
    // Nobody would give its lock back.
    if (this.#isOver) await session.finish(false);
    return session;
  }

  /** Two requests that open two sessions in different order would wait for each other. */
  #checkOrder({ name, lock }: SessionSettings): void {
    if (lock === false) return;
    for (const [other, session] of this.#sessions) {
      if (!session.isOpen || !session.isLocked || other < name) continue;
      const reason = `session ${name} must be opened before ${other}: in alphabetical order, or two requests could wait for each other; or unlock ${other} first`;
      throw new ModTsError("MODTS_BAD_ARGUMENT", { name: "req.session", reason });
    }
  }
}
