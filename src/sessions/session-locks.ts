/**
 * Locks of sessions across all processes that share a store: the line in this process first, then the text in the store.
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import { ModTsError } from "../errors.ts";
import { ownIdentity } from "../process-identity.ts";
import { lockedError, LockQueue, type Patience } from "./lock-queue.ts";
import { type Holder, join, leave, leaseTime, lockOf, renew } from "./lock-state.ts";
import type { Found, SessionChange, SessionRecord, SessionStore } from "./session-store.ts";

/** Milliseconds between two looks at a lock that another process has; they grow up to this. */
const longestPause = 25;

/** The text changes with each holder that comes and goes; more often than this it changes only if the store is broken. */
const mostTries = 100;

let count = 0;

/** The locks that the requests of this process have. */
export class SessionLocks {
  readonly #store: SessionStore;
  readonly #queue = new LockQueue();
  readonly #held = new Set<HeldLock>();
  #timer: NodeJS.Timeout | undefined;
  /** Milliseconds for which a lock is held without being renewed. */
  readonly lease: number;

  /** @param lease for tests */
  constructor(store: SessionStore, lease: number = leaseTime) {
    this.#store = store;
    this.lease = lease;
  }

  /**
   * Locks a session and loads it. Undefined: there is none. Rejects with `MODTS_SESSION_LOCKED` when its time is over, with
   * `MODTS_CLIENT_GONE`, and with what the store says.
   */
  async acquire(
    key: string,
    shared: boolean,
    patience: Patience,
  ): Promise<{ lock: HeldLock; record: SessionRecord } | undefined> {
    const began = Date.now();
    await this.#queue.enter(key, shared, patience);
    try {
      const holder = newHolder(this.lease);
      const lock = new HeldLock(this, key, { shared, id: holder.id });
      const deadline = { at: began + patience.limit, ...patience };
      const found = await this.#takeOver(key, lock, deadline);
      if (found) {
        this.#hold(lock, found.lock);
        return { lock, record: found.record };
      }
    } catch (error) {
      this.#queue.leave(key);
      throw error;
    }
    this.#queue.leave(key);
    return undefined;
  }

  /** The lock of a session that nobody else knows yet; the record is to be inserted with {@link HeldLock.text}. */
  adopt(key: string, shared: boolean): HeldLock {
    const holder = newHolder(this.lease);
    const lock = new HeldLock(this, key, { shared, id: holder.id });
    void this.#queue.enter(key, shared, alone);
    this.#hold(lock, lockOf(holder, shared));
    return lock;
  }

  /** For {@link HeldLock}. */
  get store(): SessionStore {
    return this.#store;
  }

  /** For {@link HeldLock}: others may come. */
  forget(lock: HeldLock): void {
    if (!this.#held.delete(lock)) return;
    this.#queue.leave(lock.key);
    if (this.#held.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** For {@link HeldLock}: it goes on under another key. */
  move(lock: HeldLock, to: string): void {
    this.#queue.leave(lock.key);
    void this.#queue.enter(to, lock.shared, alone);
  }

  #hold(lock: HeldLock, text: string): void {
    lock.text = text;
    this.#held.add(lock);
    this.#timer ??= setInterval(() => this.#renew(), this.lease / 4).unref();
  }

  async #takeOver(
    key: string,
    { id, shared }: HeldLock,
    { at, limit, signal }: Patience & { at: number },
  ): Promise<Found | undefined> {
    for (let pause = 1; ; pause = Math.min(pause * 2, longestPause)) {
      const holder = newHolder(this.lease, id);
      const wanted = lockOf(holder, shared);
      const found = await this.#store.take(key, wanted);
      if (!found || found.lock === wanted) return found;
      const { granted, text, since } = join(found.lock, holder, shared);
      const isWritten =
        text !== undefined && (await this.#store.update(key, { lock: text }, found.lock));
      // What was read before the lock was ours may be old by now.
      if (granted && isWritten) return this.#store.load(key);
      if (granted) continue;
      if (Date.now() >= at) throw lockedError(since, limit);
      await pauseFor(pause * (0.5 + Math.random()), signal());
    }
  }

  /** Requests that take long renew their leases; whoever has lost its lock learns that when it saves. */
  #renew(): void {
    const now = Date.now();
    for (const lock of this.#held) {
      if (now - lock.renewed >= this.lease / 4) void lock.renew(now + this.lease);
    }
  }
}

/** A lock that a request has. */
export class HeldLock {
  /** Key of the session. */
  key: string;
  readonly shared: boolean;
  readonly id: string;
  /** The text in the store as far as we know. */
  text = "";
  /** Milliseconds since 1970. */
  renewed: number = Date.now();
  readonly #locks: SessionLocks;

  constructor(locks: SessionLocks, key: string, { shared, id }: { shared: boolean; id: string }) {
    this.#locks = locks;
    this.key = key;
    this.shared = shared;
    this.id = id;
  }

  /** Writes to the session, and keeps the lock. */
  write(change: SessionChange): Promise<WriteResult> {
    return this.#swap(change, (text) => renew(text, this.id, Date.now() + this.#locks.lease));
  }

  /** Writes to the session, if there is something to write, and gives the lock back. */
  async release(change: SessionChange): Promise<WriteResult> {
    try {
      return await this.#swap(change, (text) => leave(text, this.id, Date.now()));
    } finally {
      this.#locks.forget(this);
    }
  }

  /** Follows a session that got another key. */
  move(key: string): void {
    this.#locks.move(this, key);
    this.key = key;
  }

  /** Gives the lock of a session back that there is no more. */
  drop(): void {
    this.#locks.forget(this);
  }

  /** Prolongs the lease; never rejects. */
  async renew(until: number): Promise<void> {
    this.renewed = Date.now();
    await this.#swap({}, (text) => renew(text, this.id, until)).catch(() => {});
  }

  async #swap(
    change: SessionChange,
    next: (text: string) => string | undefined,
  ): Promise<WriteResult> {
    const { store } = this.#locks;
    for (let tries = 0; tries < mostTries; tries += 1) {
      const expected = this.text;
      const lock = next(expected);
      if (lock === undefined) return "lost";
      if (await store.update(this.key, { ...change, lock }, expected)) {
        this.text = lock;
        return "written";
      }
      const found = await store.load(this.key);
      if (!found) return "gone";
      this.text = found.lock;
    }
    throw new Error("its lock changes without end");
  }
}

/** `lost`: the lease was over and another request has taken the lock. `gone`: the record was removed. */
export type WriteResult = "written" | "lost" | "gone";

const alone: Patience = { limit: 0, signal: () => AbortSignal.abort() };

function newHolder(lease: number, id?: string): Holder {
  const since = Date.now();
  const process = ownIdentity();
  return { id: id ?? `${process}.${(count += 1)}`, process, since, until: since + lease };
}

async function pauseFor(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal });
  } catch {
    throw new ModTsError("MODTS_CLIENT_GONE");
  }
}
