/**
 * Sessions as handlers see them: data on the server that belongs to one browser.
 *
 * `sessions/` implements this, two floors up.
 * @module
 */

/** What a session holds. Extend it by declaration merging to have your own fields typed. */
export interface SessionData {
  [name: string]: unknown;
}

/** Given by `req.session()`. Times are seconds. */
export interface Session {
  /** The id that the cookie holds: 43 characters, 256 random bits. Whoever knows it is the user: keep it out of logs and pages. */
  readonly id: string;
  /** Whether it began with this request. */
  readonly isNew: boolean;
  /** When it began, seconds since 1970. */
  readonly created: number;
  /** When the last request before this one used it, seconds since 1970. */
  readonly lastAccessed: number;
  /** Seconds without a request after which it ends. What is set here is kept with the session. */
  timeout: number;
  /**
   * JSON values by name. Changes are saved when the handlers are done, unless one of them failed. What JSON cannot hold (dates, maps,
   * functions, cycles) rejects with `MODTS_SESSION_DATA`, which names the place.
   */
  readonly data: SessionData;
  /** Saves now, also a new session without data. The lock stays. Rejects with `MODTS_SESSION_LOST` when somebody else has taken it over. */
  save(): Promise<void>;
  /** Ends the session: the record is gone, the browser forgets the cookie. Later saves do nothing; `req.session()` begins a new one. */
  invalidate(): Promise<void>;
  /** Same as {@link invalidate}. */
  delete(): Promise<void>;
  /**
   * Gives the session a new id, with the same data; the old id is worth nothing from then on. To be called whenever somebody logs in, or an
   * id that an attacker has planted in the browser becomes that of a user. Rejects with `MODTS_HEADERS_SENT`.
   */
  rotate(): Promise<void>;
  /** Takes the exclusive lock again, and reads {@link data} anew. Rejects with `MODTS_SESSION_LOCKED`. */
  lock(): Promise<void>;
  /** Saves changes and lets other requests in. Later changes need {@link lock} first, or the last one to save wins. */
  unlock(): Promise<void>;
}

/** Each overrides `Use TsOption mod_ts.session.*` for one session. */
export interface SessionOptions {
  /**
   * `exclusive`, the default: one request at a time has the session. `shared`: many may read it, none may change it. `false`: no lock; the last
   * one to save wins.
   */
  lock?: "exclusive" | "shared" | false;
  /** Seconds to wait for the lock. */
  lockTimeout?: number;
  /** Seconds without a request after which a session ends; counts for new ones. */
  timeout?: number;
  /** Seconds after which it ends in any case; 0: never. */
  maxLifetime?: number;
  /** Name of the cookie. Sessions of different names are different sessions; they must be opened in alphabetical order. */
  name?: string;
  /** Path of the cookie. */
  path?: string;
  /** Domain of the cookie; missing: this host alone. */
  domain?: string;
  /** Whether the cookie is for TLS alone; missing: when the request came by TLS. */
  secure?: boolean;
  /** What requests from other sites carry the cookie. */
  sameSite?: "strict" | "lax" | "none";
}
