/**
 * Interface of session stores. Each record has a lock text, so that locks work alike in every
 * store. A request needs two queries: one locks and loads, one saves and unlocks.
 */

/** Synchronous stores return at once. */
export type Maybe<T> = T | Promise<T>;

/** Times are whole seconds since 1970. */
export interface SessionRecord {
  /** JSON text of an object. */
  readonly data: string;
  readonly created: number;
  /** End of the last request that used it. */
  readonly accessed: number;
  /** Seconds of disuse after which it ends. */
  readonly timeout: number;
  /** The record may be removed from then on. */
  readonly expires: number;
}

export interface Found {
  readonly record: SessionRecord;
  /** Empty: not locked. */
  readonly lock: string;
}

/** The values lock, created, accessed, timeout, expires, data as a record; none without a lock. */
export function foundInRow(row: readonly unknown[] | null): Found | undefined {
  const [lock, ...times] = row ?? [];
  if (typeof lock !== "string") return undefined;
  const data = String(times.pop());
  const [created, accessed, timeout, expires] = times.map(Number) as [
    number,
    number,
    number,
    number,
  ];
  return { lock, record: { created, accessed, timeout, expires, data } };
}

/** Undefined members stay unchanged. */
export interface SessionChange {
  readonly lock?: string | undefined;
  readonly accessed?: number | undefined;
  readonly expires?: number | undefined;
  readonly timeout?: number | undefined;
  readonly data?: string | undefined;
}

/** Keys are 43 characters of base64url. All methods may fail with driver errors. */
export interface SessionStore {
  /** Redis removes expired records itself. */
  readonly expiresItself: boolean;
  /** Loads a record and, if unlocked, sets `lock` in the same step; {@link Found.lock} tells. */
  take(key: string, lock: string): Maybe<Found | undefined>;
  load(key: string): Maybe<Found | undefined>;
  insert(key: string, record: SessionRecord, lock: string): Maybe<void>;
  /** Changes a record whose lock is `expected`; undefined: any. False: other lock, or no record. */
  update(key: string, change: SessionChange, expected: string | undefined): Maybe<boolean>;
  /** Changes the key; the lock stays. False: there is no record. */
  rename(key: string, to: string): Maybe<boolean>;
  delete(key: string): Maybe<void>;
  /** Removes a few expired, unlocked records. True: there may be more. */
  sweep(now: number): Maybe<boolean>;
  close(): Maybe<void>;
}

/** Expired records are removed after this time in spite of a lock: its holder has died. */
export const abandonedAfter = 3600;

export interface StoreAddress {
  readonly kind: "memory" | "sqlite" | "redis" | "mysql" | "postgres";
  /** URL for the driver, or the absolute path of a SQLite file. */
  readonly source: string;
  /** For messages: the source without the password. */
  readonly title: string;
  /** Table of a SQL server, one or two plain names. */
  readonly table: string;
}
