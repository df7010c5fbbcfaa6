/** Session locks across all processes: the queue of this one, then the lock text in the store. */
import { setTimeout as sleep } from "node:timers/promises";
import { ModTsError } from "../base/errors.ts";
import { ownIdentity } from "../base/process-identity.ts";
import { lockedError, LockQueue, type WaitLimit } from "./lock-queue.ts";
import { type Holder, join, leave, leaseMs, lockOf, renew } from "./lock-state.ts";
import type { Found, SessionChange, SessionRecord, SessionStore } from "./session-store.ts";

/** Longest pause between attempts to get the lock of another process; pauses double up to it. */
const maxPauseMs = 25;

/** The text changes with each holder; more often means a broken store. */
const maxAttempts = 100;

let count = 0;

export class SessionLocks {
  readonly #store: SessionStore;
  readonly #queue = new LockQueue();
  readonly #held = new Set<HeldLock>();
  #timer: NodeJS.Timeout | undefined;
  /** Lease without renewal, in milliseconds. */
  readonly lease: number;

  /** @param lease for tests */
  constructor(store: SessionStore, lease: number = leaseMs) {
    this.#store = store;
    this.lease = lease;
  }

  /** Locks and loads a session. Rejects with `MODTS_SESSION_LOCKED`, `MODTS_CLIENT_GONE`. */
  async acquire(
    key: string,
    shared: boolean,
    wait: WaitLimit,
  ): Promise<{ lock: HeldLock; record: SessionRecord } | undefined> {
    const began = Date.now();
    await this.#queue.enter(key, shared, wait);
    try {
      const holder = newHolder(this.lease);
      const lock = new HeldLock(this, key, { shared, id: holder.id });
      const deadline = { at: began + wait.limit, ...wait };
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

  /** Lock of a new session, to be inserted with {@link HeldLock.text}. */
  adopt(key: string, shared: boolean): HeldLock {
    const holder = newHolder(this.lease);
    const lock = new HeldLock(this, key, { shared, id: holder.id });
    void this.#queue.enter(key, shared, alone);
    this.#hold(lock, lockOf(holder, shared));
    return lock;
  }

  get store(): SessionStore {
    return this.#store;
  }

  /** For {@link HeldLock}: unlocks the queue. */
  forget(lock: HeldLock): void {
    if (!this.#held.delete(lock)) return;
    this.#queue.leave(lock.key);
    if (this.#held.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** For {@link HeldLock}: continues under another key. */
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
    { at, limit, signal }: WaitLimit & { at: number },
  ): Promise<Found | undefined> {
    for (let pause = 1; ; pause = Math.min(pause * 2, maxPauseMs)) {
      const holder = newHolder(this.lease, id);
      const wanted = lockOf(holder, shared);
      const found = await this.#store.take(key, wanted);
      if (!found || found.lock === wanted) return found;
      const { granted, text, since } = join(found.lock, holder, shared);
      const isWritten =
        text !== undefined && (await this.#store.update(key, { lock: text }, found.lock));
      // The record read before the lock was taken may be outdated.
      if (granted && isWritten) return this.#store.load(key);
      if (granted) continue;
      if (Date.now() >= at) throw lockedError(since, limit);
      await pauseFor(pause * (0.5 + Math.random()), signal());
    }
  }

  /** Long requests renew their leases; a request learns of a lost lock when it saves. */
  #renew(): void {
    const now = Date.now();
    for (const lock of this.#held) {
      if (now - lock.renewed >= this.lease / 4) void lock.renew(now + this.lease);
    }
  }
}

export class HeldLock {
  key: string;
  readonly shared: boolean;
  readonly id: string;
  /** Text in the store, as last seen. */
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

  /** Writes to the session and keeps the lock. */
  write(change: SessionChange): Promise<WriteResult> {
    return this.#swap(change, (text) => renew(text, this.id, Date.now() + this.#locks.lease));
  }

  /** Writes changes, if any, and unlocks. */
  async release(change: SessionChange): Promise<WriteResult> {
    try {
      return await this.#swap(change, (text) => leave(text, this.id, Date.now()));
    } finally {
      this.#locks.forget(this);
    }
  }

  /** Follows a session to another key. */
  move(key: string): void {
    this.#locks.move(this, key);
    this.key = key;
  }

  /** Unlocks a session that does not exist any more. */
  drop(): void {
    this.#locks.forget(this);
  }

  /** Extends the lease; never rejects. */
  async renew(until: number): Promise<void> {
    this.renewed = Date.now();
    await this.#swap({}, (text) => renew(text, this.id, until)).catch(() => {});
  }

  async #swap(
    change: SessionChange,
    next: (text: string) => string | undefined,
  ): Promise<WriteResult> {
    const { store } = this.#locks;
    for (let tries = 0; tries < maxAttempts; tries += 1) {
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
    throw new Error("the lock changes without end");
  }
}

/** `lost`: another request has taken the expired lock. `gone`: the record was removed. */
export type WriteResult = "written" | "lost" | "gone";

const alone: WaitLimit = { limit: 0, signal: () => AbortSignal.abort() };

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
