/** Session while a request has it open. */
import { badArgument, ModTsError } from "../base/errors.ts";
import type { Session, SessionData } from "../request/session.ts";
import type { WaitLimit } from "./lock-queue.ts";
import { newSessionId, type SessionCookie } from "./session-cookie.ts";
import { sessionFromJson, sessionToJson } from "./session-json.ts";
import type { HeldLock, SessionLocks, WriteResult } from "./session-locks.ts";
import type { SessionSettings } from "./session-settings.ts";
import type { SessionChange, SessionRecord, SessionStore } from "./session-store.ts";

/** Without a lock, the store learns of the use of a session at most this often. */
const touchIntervalSeconds = 60;

export interface SessionParts {
  readonly store: SessionStore;
  readonly locks: SessionLocks;
  readonly settings: SessionSettings;
  readonly cookie: SessionCookie;
  readonly wait: WaitLimit;
  /** Key of an id in the store. */
  keyOf(id: string): string;
  /** Seconds since 1970. */
  now(): number;
}

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
  /** Last operation begun by a handler. */
  #work: Promise<void> | undefined;
  #state: "open" | "closed" | "ended" = "open";
  /** Whether the store must record the use or another time-out. */
  #isDue: boolean;
  /** Whether the browser knows the id, or will. */
  #isAnnounced: boolean;

  /** @param opened undefined: a new session. Throws for invalid records. */
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
    this.#isDue = parts.now() - accessed >= Math.min(touchIntervalSeconds, timeout / 10);
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
      throw badArgument("session.timeout", "must be a number of seconds above 0");
    }
    this.#record = { ...this.#record, timeout: Math.ceil(seconds) };
    this.#isDue = true;
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  get isLocked(): boolean {
    return this.#lock !== undefined;
  }

  /** Id in the store; undefined: not stored. */
  get storedId(): string | undefined {
    return this.#isStored && this.#state !== "ended" ? this.#id : undefined;
  }

  /**
   * The head of the response is sent early: a new session that may still get data needs its cookie
   * now. Attack: an empty session of a request on its way replaces the cookie of a login.
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

  /** Sequential, even without await in the handler. */
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
    // First: an id that the browser never gets would be a lost session.
    cookie.set(id);
    this.#isAnnounced = true;
    if (this.#isStored) {
      const [from, to] = [keyOf(this.#id), keyOf(id)];
      try {
        this.#isStored = await store.rename(from, to);
      } catch (error) {
        // The session is still stored under the old id.
        cookie.set(this.#id);
        throw error;
      }
      if (!this.#isStored) {
        // Attack: a user logged out elsewhere continues with the old data under a new id.
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
    // Deadlock: two holders of a shared lock wait for the exclusive one.
    await this.#conclude(true);
    const key = this.#parts.keyOf(this.#id);
    const found = await this.#parts.locks.acquire(key, false, this.#parts.wait);
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

  /** Ends the use by the request: saves changes, unless a handler failed, and unlocks. */
  async finish(isGood: boolean): Promise<void> {
    if (!this.isOpen) return;
    try {
      await this.#conclude(isGood);
    } finally {
      this.#state = "closed";
    }
  }

  async #conclude(saves: boolean): Promise<void> {
    // Trap: after the request, a save() without await takes the lock of a new session; a rotate()
    // leaves it behind under the new id, and the change unsaved.
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
    // A user logged out meanwhile stays logged out.
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

  /** Trap: an aborted handler gets its lock late; never released, it would be renewed forever. */
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

  #takeLock(): HeldLock | undefined {
    const lock = this.#lock;
    this.#lock = undefined;
    return lock;
  }

  /** In place: a handler may hold `data` in a variable. */
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
  lost: "lock not renewed in time, and taken over by another request",
  gone: "ended by another request, or expired",
  shared: 'data changed in a session opened with lock: "shared"',
  closed: "the handlers have finished; save earlier",
  ended: "already invalidated; req.session() begins a new one",
} as const;

function lost(reason: string): ModTsError {
  return new ModTsError("MODTS_SESSION_LOST", reason);
}
