/**
 * From the ids that a browser sent to its session, or to a new one.
 * @module
 */
import { ModTsError } from "../errors.ts";
import { log } from "../log.ts";
import { LiveSession, type Opened, type SessionParts } from "./live-session.ts";

/**
 * The first of these sessions that there is; else a new one. Rejects with `MODTS_HEADERS_SENT` when its cookie could not be set any more.
 *
 * Attack (fixation): an id that somebody made up, or that has ended, becomes that of a session which a user then logs in to. An id that the
 * store does not know is never taken on.
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
  const { settings, locks, keyOf, patience } = parts;
  const key = keyOf(id);
  if (settings.lock === false) {
    const found = await parts.store.load(key);
    return found && { id, record: found.record, lock: undefined };
  }
  const found = await locks.acquire(key, settings.lock === "shared", patience);
  return found && { id, ...found };
}

/** Where the store fails at that, a lock that nobody gives back would be renewed for ever. */
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
  // The configuration may have become stricter since.
  const end = settings.maxLifetime > 0 ? created + settings.maxLifetime : Infinity;
  return now() >= Math.min(accessed + timeout, end);
}

/** Undefined: the record is damaged. To fail would be to fail with every request of that browser. */
function revive(parts: SessionParts, opened: Opened, store: string): LiveSession | undefined {
  try {
    return new LiveSession(parts, opened);
  } catch (error) {
    const reason = (error as Error).message;
    const { level, message, code } = new ModTsError("MODTS_SESSION_CORRUPT", { store, reason });
    log(level, message, { code });
    return undefined;
  }
}
