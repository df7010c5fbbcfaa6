/** Sessions opened by one request; opened again, a session is the same object. */
import { badArgument, ModTsError, report } from "../base/errors.ts";
import { textOf } from "../base/log.ts";
import { internals, type RequestFinalizer } from "../request/internals.ts";
import type { ApacheRequest } from "../request/request.ts";
import { LiveSession, type Opened, type SessionParts } from "./live-session.ts";
import type { SessionSettings } from "./session-settings.ts";

/** Opens a session; `id` is its known id in this request. */
export type OpenSession = (
  req: ApacheRequest,
  settings: SessionSettings,
  id: string | undefined,
) => Promise<LiveSession>;

export class RequestSessions implements RequestFinalizer {
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
    // Trap: with a closure here, V8 keeps the request until the next full collection.
    req[internals].response.beforeHead = this;
  }

  /** The head of the response is about to be sent. */
  announce(): void {
    for (const session of this.#sessions.values()) session.announce();
  }

  /** Sequential: concurrent parts of a handler must not wait for each other's lock. */
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

  /** The response was sent: this can only be logged. */
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
    const session = await this.#start(this.#req, settings, known?.storedId);
    this.#sessions.set(settings.name, session);
    // Otherwise its lock would not be released.
    if (this.#isOver) await session.finish(false);
    return session;
  }

  /** Deadlock: two requests open two sessions in different order. */
  #checkOrder({ name, lock }: SessionSettings): void {
    if (lock === false) return;
    for (const [other, session] of this.#sessions) {
      if (!session.isOpen || !session.isLocked || other < name) continue;
      throw badArgument(
        "req.session",
        `session ${name} must be opened before ${other}: in alphabetical order, or two requests could wait for each other; or unlock ${other} first`,
      );
    }
  }
}

/**
 * The first existing session of these ids, else a new one. Rejects with `MODTS_HEADERS_SENT` when
 * its cookie can no longer be set. Attack (fixation): a made-up or ended id becomes the session of
 * a later login. Unknown ids are never used.
 */
export async function openSession(
  parts: SessionParts,
  ids: readonly string[],
  store: string,
): Promise<LiveSession> {
  for (const id of ids) {
    const opened = await find(parts, id);
    if (!opened) continue;
    if (!hasExpired(parts, opened)) {
      const session = revive(parts, opened, store);
      if (session) return session;
    }
    await discard(parts, opened);
  }
  parts.cookie.requireTime();
  return new LiveSession(parts);
}

async function find(parts: SessionParts, id: string): Promise<Opened | undefined> {
  const { settings, locks, keyOf, wait } = parts;
  const key = keyOf(id);
  if (settings.lock === false) {
    const found = await parts.store.load(key);
    return found && { id, record: found.record, lock: undefined };
  }
  const found = await locks.acquire(key, settings.lock === "shared", wait);
  return found && { id, ...found };
}

/** If that fails, the lock must be released, or it would be renewed forever. */
async function discard({ store, keyOf }: SessionParts, { id, lock }: Opened): Promise<void> {
  try {
    await store.delete(keyOf(id));
  } catch (error) {
    await lock?.release({}).catch(() => {});
    throw error;
  }
  lock?.drop();
}

function hasExpired({ settings, now }: SessionParts, { record }: Opened): boolean {
  const { accessed, created, timeout } = record;
  // The configuration may have become stricter.
  const end = settings.maxLifetime > 0 ? created + settings.maxLifetime : Infinity;
  return now() >= Math.min(accessed + timeout, end);
}

/** Undefined for damaged records: failing would fail every request of that browser. */
function revive(parts: SessionParts, opened: Opened, store: string): LiveSession | undefined {
  try {
    return new LiveSession(parts, opened);
  } catch (error) {
    const reason = (error as Error).message;
    report(new ModTsError("MODTS_SESSION_CORRUPT", { store, reason }));
    return undefined;
  }
}
