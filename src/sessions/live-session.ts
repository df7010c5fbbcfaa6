/**
 * A session while a request has it open.
 * @module
 */
import { ModTsError } from "../errors.ts";
import type { Session, SessionData } from "../request/session.ts";
import type { Patience } from "./lock-queue.ts";
import type { SessionCookie } from "./session-cookie.ts";
import { newSessionId } from "./session-id.ts";
import { sessionFromJson, sessionToJson } from "./session-json.ts";
import type { HeldLock, SessionLocks, WriteResult } from "./session-locks.ts";
import type { SessionSettings } from "./session-settings.ts";
import type { SessionChange, SessionRecord, SessionStore } from "./session-store.ts";

/** Seconds after which a request that holds no lock tells the store that the session is in use. */
const touchInterval = 60;

/** What a session is made with. */
export interface SessionParts {
  readonly store: SessionStore;
  readonly locks: SessionLocks;
  readonly settings: SessionSettings;
  readonly cookie: SessionCookie;
  readonly patience: Patience;
  /** Key of an id in the store. */
  keyOf(id: string): string;
  /** Seconds since 1970. */
  now(): number;
}

/** What was found in the store. */
export interface Opened {
  readonly id: string;
  readonly record: SessionRecord;
  /** Undefined: opened without. */
  readonly lock: HeldLock | undefined;
}

export class LiveSession implements Session {
  readonly isNew: boolean;
  readonly #parts: SessionParts;
  readonly #data: SessionData;
  #id: string;
  #record: SessionRecord;
  #lock: HeldLock | undefined;
  #isStored: boolean;
  /** What handlers have begun last. */
  #work: Promise<void> | undefined;
  #state: "open" | "closed" | "ended" = "open";
  /** Whether the store is to be told that the session is in use, or for how long it may be out of use. */
  #isDue: boolean;
  /** Whether the browser knows the id, or is going to. */
  #isAnnounced: boolean;

  /** @param opened undefined: a new session. Throws for a record that is none. */
  constructor(parts: SessionParts, opened?: Opened) {
    this.#parts = parts;
    this.isNew = opened === undefined;
    this.#isStored = opened !== undefined;
    this.#isAnnounced = opened !== undefined;
    this.#id = opened?.id ?? newSessionId();
    this.#record = opened?.record ?? this.#newRecord();
    this.#data = sessionFromJson(this.#record.data);
    this.#lock = opened?.lock;
    const { accessed, timeout } = this.#record;
    this.#isDue = parts.now() - accessed >= Math.min(touchInterval, timeout / 10);
  }

  get id(): string {
    return this.#id;
  }
  get created(): number {
    return this.#record.created;
  }
  get lastAccessed(): number {
    return this.#record.accessed;
  }
  get data(): SessionData {
    return this.#data;
  }
  get timeout(): number {
    return this.#record.timeout;
  }
  set timeout(seconds: number) {
    if (!(seconds > 0 && seconds <= Number.MAX_SAFE_INTEGER / 2)) {
      const reason = "it must be a number of seconds above 0";
      throw new ModTsError("MODTS_BAD_ARGUMENT", { name: "session.timeout", reason });
    }
    this.#record = { ...this.#record, timeout: Math.ceil(seconds) };
    this.#isDue = true;
  }

  /** Whether a request can go on with it. */
  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** Whether others wait for this request. */
  get isLocked(): boolean {
    return this.#lock !== undefined;
  }

  /** The id that the store knows it by; undefined: it does not. */
  get storedId(): string | undefined {
    return this.#isStored && this.#state !== "ended" ? this.#id : undefined;
  }

  /**
   * The head of the response leaves before the handlers are done: tells the browser of a new session that may yet get data. Otherwise only of
   * one that is kept: a request without any, which was on its way during a login, would take the cookie of that away.
   */
  announce(): void {
    if (this.isOpen) this.#tellBrowser();
  }

  save(): Promise<void> {
    return this.#inTurn(() => this.#save());
  }

  async #save(): Promise<void> {
    if (this.#state === "ended") return;
    this.#mustBeOpen();
    if (!this.#isStored) return this.#insert(true);
    const change = this.#change();
    const result = await (this.#lock ? this.#lock.write(change) : this.#writeFreely(change));
    if (result !== "written") throw lost(reasons[result]);
    this.#remember(change);
  }

  invalidate(): Promise<void> {
    return this.#inTurn(() => this.#invalidate());
  }

  delete(): Promise<void> {
    return this.invalidate();
  }

  rotate(): Promise<void> {
    return this.#inTurn(() => this.#rotate());
  }

  /** One after the other, also where a handler does not wait. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const before = this.#work;
    return (this.#work = before ? before.catch(() => {}).then(work) : work());
  }

  async #invalidate(): Promise<void> {
    if (this.#state === "ended") return;
    this.#mustBeOpen();
    if (this.#isStored) await this.#parts.store.delete(this.#parts.keyOf(this.#id));
    this.#state = "ended";
    this.#takeLock()?.drop();
    this.#replaceData("{}");
    this.#parts.cookie.clear();
  }

  async #rotate(): Promise<void> {
    this.#mustBeOpen();
    const { store, cookie, keyOf } = this.#parts;
    const id = newSessionId();
    // Before anything else: an id that the browser is not told would be a session lost.
    cookie.set(id);
    this.#isAnnounced = true;
    if (this.#isStored) {
      const [from, to] = [keyOf(this.#id), keyOf(id)];
      try {
        this.#isStored = await store.rename(from, to);
      } catch (error) {
        // What is still under the old id must be found there again.
        cookie.set(this.#id);
        throw error;
      }
      if (!this.#isStored) {
        // Attack: whoever was logged out elsewhere goes on with the data of before, under a new id.
        this.#takeLock()?.drop();
        throw lost(reasons.gone);
      }
      this.#lock?.move(to);
    }
    this.#id = id;
  }

  async lock(): Promise<void> {
    this.#mustBeOpen();
    if (!this.#isStored || this.#lock?.shared === false) return;
    // To wait for the exclusive lock with a shared one in hand is to wait for whoever does the same.
    await this.#conclude(true);
    const key = this.#parts.keyOf(this.#id);
    const found = await this.#parts.locks.acquire(key, false, this.#parts.patience);
    if (!found) throw lost(reasons.gone);
    await this.#refuseLate(found.lock);
    this.#lock = found.lock;
    this.#record = found.record;
    this.#replaceData(found.record.data);
  }

  async unlock(): Promise<void> {
    this.#mustBeOpen();
    await this.#conclude(true);
  }

  /** The request is done with it: saves what has changed, unless a handler failed, and lets others in. */
  async finish(isGood: boolean): Promise<void> {
    if (!this.isOpen) return;
    try {
      await this.#conclude(isGood);
    } finally {
      this.#state = "closed";
    }
  }

  async #conclude(saves: boolean): Promise<void> {
    // Trap: a save() that nobody waited for takes the lock of a new session when the request is over; a rotate() would leave it behind
    // under the new id, and the change unsaved.
    await this.#work?.catch(() => {});
    if (this.#state === "ended") return;
    if (!this.#isStored) return saves ? this.#insert(false) : undefined;
    let change: SessionChange = this.#touch();
    try {
      if (saves) change = this.#change();
    } catch (error) {
      await this.#takeLock()?.release(change);
      throw error;
    }
    const lock = this.#takeLock();
    if (!lock && change.data === undefined && !this.#isDue) return;
    const result = await (lock ? lock.release(change) : this.#writeFreely(change));
    if (result === "lost" && change.data !== undefined) throw lost(reasons.lost);
    // A user who has logged out meanwhile stays logged out.
    if (result === "written") this.#remember(change);
  }

  async #insert(always: boolean): Promise<void> {
    const { store, locks, settings, keyOf } = this.#parts;
    const data = sessionToJson(this.#data, settings.maxBytes);
    if (!always && data === this.#record.data) return;
    const record = { ...this.#record, ...this.#touch(), data };
    const key = keyOf(this.#id);
    const lock =
      always && settings.lock !== false ? locks.adopt(key, settings.lock === "shared") : undefined;
    try {
      await store.insert(key, record, lock?.text ?? "");
    } catch (error) {
      lock?.drop();
      throw error;
    }
    this.#lock = lock;
    this.#isStored = true;
    this.#record = record;
    this.#tellBrowser();
  }

  #tellBrowser(): void {
    if (!this.#isAnnounced) this.#parts.cookie.set(this.#id);
    this.#isAnnounced = true;
  }

  /** Trap: a handler that was given up still waits for its lock. Once it came, nobody would give it back, and it would be renewed for ever. */
  async #refuseLate(lock: HeldLock): Promise<void> {
    if (this.isOpen) return;
    await lock.release({});
    this.#mustBeOpen();
  }

  #change(): SessionChange {
    const data = sessionToJson(this.#data, this.#parts.settings.maxBytes);
    if (data === this.#record.data) return this.#touch();
    if (this.#lock?.shared) throw lost(reasons.shared);
    return { ...this.#touch(), data };
  }

  #touch(): { accessed: number; expires: number; timeout: number } {
    const { timeout, created } = this.#record;
    const accessed = this.#parts.now();
    const { maxLifetime } = this.#parts.settings;
    const end = maxLifetime > 0 ? created + Math.ceil(maxLifetime) : Infinity;
    return { accessed, timeout, expires: Math.min(accessed + timeout, end) };
  }

  async #writeFreely(change: SessionChange): Promise<WriteResult> {
    const key = this.#parts.keyOf(this.#id);
    return (await this.#parts.store.update(key, change, undefined)) ? "written" : "gone";
  }

  #remember({ data = this.#record.data }: SessionChange): void {
    this.#record = { ...this.#record, data };
  }

  /** Whoever has it gives it back. */
  #takeLock(): HeldLock | undefined {
    const lock = this.#lock;
    this.#lock = undefined;
    return lock;
  }

  /** In place: a handler may have `data` in a variable. */
  #replaceData(text: string): void {
    for (const name of Object.keys(this.#data)) delete this.#data[name];
    Object.assign(this.#data, sessionFromJson(text));
  }

  #newRecord(): SessionRecord {
    const now = this.#parts.now();
    // Stores hold whole seconds.
    const timeout = Math.ceil(this.#parts.settings.timeout);
    return { data: "{}", created: now, accessed: now, timeout, expires: now + timeout };
  }

  #mustBeOpen(): void {
    if (this.#state === "closed") throw lost(reasons.closed);
    if (this.#state === "ended") throw lost(reasons.ended);
  }
}

const reasons = {
  lost: "its lock was not renewed in time, and another request has taken it over",
  gone: "it was ended by another request, or has expired",
  shared: 'its data was changed, but it was opened with lock: "shared"',
  closed: "the handlers are done; save before they are",
  ended: "it was invalidated; req.session() begins a new one",
} as const;

function lost(reason: string): ModTsError {
  return new ModTsError("MODTS_SESSION_LOST", { reason });
}
