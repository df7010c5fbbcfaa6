/** Sessions: data on the server that belongs to one browser. Implemented in `sessions/`. */

/** Content of a session. Extend it by declaration merging for types. */
export interface SessionData {
  [name: string]: unknown;
}

/** Given by `req.session()`. Times are seconds. */
export interface Session {
  /** Id in the cookie: 256 random bits. Attack: who knows it is the user; keep it out of logs. */
  readonly id: string;
  /** Whether it was created by this request. */
  readonly isNew: boolean;
  /** Time of creation, seconds since 1970. */
  readonly created: number;
  /** Time of the previous request, seconds since 1970. */
  readonly lastAccessed: number;
  /** Idle timeout in seconds; stored with the session. */
  timeout: number;
  /**
   * JSON values by name. Changes are saved when the handlers are done, unless one failed. Values
   * that JSON cannot hold (dates, maps, functions, cycles) reject with `MODTS_SESSION_DATA`.
   */
  readonly data: SessionData;
  /** Saves now, even without data; keeps the lock. Without one: `MODTS_SESSION_LOST`. */
  save(): Promise<void>;
  /** Deletes record and cookie. Later saves do nothing; `req.session()` creates a new session. */
  invalidate(): Promise<void>;
  /** Same as {@link invalidate}. */
  delete(): Promise<void>;
  /**
   * Replaces the id, keeping the data. Attack: an id planted in the browser becomes that of a user;
   * so call it at every login. Rejects with `MODTS_HEADERS_SENT`.
   */
  rotate(): Promise<void>;
  /** Locks exclusively and reads {@link data} again. Rejects with `MODTS_SESSION_LOCKED`. */
  lock(): Promise<void>;
  /** Saves changes and unlocks. Later changes need {@link lock}, or the last save wins. */
  unlock(): Promise<void>;
}

/** Overrides of `Use TsOption mod_ts.session.*` for one session. */
export interface SessionOptions {
  /**
   * `exclusive` (default): one request at a time. `shared`: many may read, none may change.
   * `false`: no lock, the last save wins.
   */
  lock?: "exclusive" | "shared" | false;
  /** Seconds to wait for the lock. */
  lockTimeout?: number;
  /** Idle timeout of a new session in seconds. */
  timeout?: number;
  /** Maximum lifetime in seconds; 0: unlimited. */
  maxLifetime?: number;
  /** Name of the cookie. Several sessions must be opened in alphabetical order of their names. */
  name?: string;
  /** Path of the cookie. */
  path?: string;
  /** Domain of the cookie. @default this host only */
  domain?: string;
  /** Cookie only over TLS. @default whether the request came over TLS */
  secure?: boolean;
  /** Cookie in requests caused by other sites. */
  sameSite?: "strict" | "lax" | "none";
}
