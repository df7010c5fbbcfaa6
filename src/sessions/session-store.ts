/**
 * Where sessions are kept. A store keeps records and one text of lock state with each; what that text means is `lock-state.ts`'s
 * business, so that locks are the same in every store.
 *
 * The two steps of a request are one question each: {@link SessionStore.take} locks and loads, {@link SessionStore.update} saves and unlocks.
 * @module
 */

/** Synchronous stores answer at once. */
export type Maybe<T> = T | Promise<T>;

/** Times are whole seconds since 1970. */
export interface SessionRecord {
  /** JSON text of an object. */
  readonly data: string;
  readonly created: number;
  /** End of the last request that used it. */
  readonly accessed: number;
  /** Seconds without a request after which it ends. */
  readonly timeout: number;
  /** From when on the record may be removed. */
  readonly expires: number;
}

export interface Found {
  readonly record: SessionRecord;
  /** Empty: nobody has a lock. */
  readonly lock: string;
}

/** What an update writes; members that are undefined stay as they are. */
export interface SessionChange {
  readonly lock?: string | undefined;
  readonly accessed?: number | undefined;
  readonly expires?: number | undefined;
  readonly timeout?: number | undefined;
  readonly data?: string | undefined;
}

/** Keys are 43 characters of base64url. Everything may throw or reject with whatever the driver says. */
export interface SessionStore {
  /** Redis removes expired records itself. */
  readonly expiresItself: boolean;
  /** The record. Where its lock is free, it becomes `lock` in the same step; whose it is then says {@link Found.lock}. */
  take(key: string, lock: string): Maybe<Found | undefined>;
  load(key: string): Maybe<Found | undefined>;
  /** Adds a record. */
  insert(key: string, record: SessionRecord, lock: string): Maybe<void>;
  /** Changes a record whose lock is still `expected`, or whatever it is when undefined. False: it is another one, or there is no record. */
  update(key: string, change: SessionChange, expected: string | undefined): Maybe<boolean>;
  /** Gives a record another key; its lock stays. False: there is no record. */
  rename(key: string, to: string): Maybe<boolean>;
  delete(key: string): Maybe<void>;
  /** Removes a few expired records, those without a lock. True: there may be more to look at. */
  sweep(now: number): Maybe<boolean>;
  close(): Maybe<void>;
}

/** Seconds after which an expired record is removed in spite of its lock: whoever held it has died. */
export const abandonedAfter = 3600;
