/** Sessions in a SQLite file, using `node:sqlite`: shared by all workers, and persistent. */
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { isBusy } from "../base/locked-row.ts";
import { retryLimitMs, retryPauseMs, SqliteWrites } from "./sqlite-writes.ts";
import {
  abandonedAfter,
  type Found,
  type Maybe,
  type SessionChange,
  type SessionRecord,
  type SessionStore,
} from "./session-store.ts";

/** Wait inside SQLite, which blocks this process; a write takes a fraction of a millisecond. */
const busyTimeoutMs = 5;
/** Rows examined by one step of the clean-up. */
const batch = 500;

/** No index on `expires`: every request would pay for it, and the clean-up scans on. */
const schema = `CREATE TABLE IF NOT EXISTS session (
  id TEXT NOT NULL PRIMARY KEY,
  lock TEXT NOT NULL,
  created INTEGER NOT NULL,
  accessed INTEGER NOT NULL,
  timeout INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  data TEXT NOT NULL
) STRICT`;

const columns = "lock, created, accessed, timeout, expires, data";

/** Opens or creates the file, for our user only. */
export async function openSqliteStore(path: string): Promise<SessionStore> {
  const { DatabaseSync: Database } = await import("node:sqlite");
  mkdirSync(dirname(path), { recursive: true });
  // Attack: by default, SQLite makes world-readable files; its other two files inherit this mode.
  closeSync(openSync(path, "a", 0o600));
  const database = new Database(path, { timeout: busyTimeoutMs });
  try {
    await whenFree(() => {
      // NORMAL: a power failure may lose the last seconds, never the file.
      database.exec(
        "PRAGMA page_size = 1024; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL",
      );
      database.exec(schema);
    });
    return new SqliteStore(database);
  } catch (error) {
    database.close();
    throw error;
  }
}

type Row = [
  lock: string,
  created: number,
  accessed: number,
  timeout: number,
  expires: number,
  data: string,
];

class SqliteStore implements SessionStore {
  readonly expiresItself = false;
  readonly #database: DatabaseSync;
  readonly #writes: SqliteWrites;
  readonly #load: StatementSync;
  readonly #lock: StatementSync;
  readonly #insert: StatementSync;
  readonly #update: StatementSync;
  readonly #updateLocked: StatementSync;
  readonly #rename: StatementSync;
  readonly #delete: StatementSync;
  readonly #step: StatementSync;
  readonly #sweep: StatementSync;
  /** Position of the clean-up. */
  #position = 0;

  constructor(database: DatabaseSync) {
    const prepare = (sql: string): StatementSync => database.prepare(sql);
    const set = `UPDATE session SET lock = coalesce(?, lock), accessed = coalesce(?, accessed),
      timeout = coalesce(?, timeout), expires = coalesce(?, expires), data = coalesce(?, data) WHERE id = ?`;
    this.#database = database;
    this.#writes = new SqliteWrites(database);
    this.#load = prepare(`SELECT ${columns} FROM session WHERE id = ?`);
    this.#load.setReturnArrays(true);
    this.#lock = prepare("UPDATE session SET lock = ? WHERE id = ?");
    this.#insert = prepare(`INSERT INTO session (id, ${columns}) VALUES (?, ?, ?, ?, ?, ?, ?)`);
    this.#update = prepare(set);
    this.#updateLocked = prepare(`${set} AND lock = ?`);
    this.#rename = prepare("UPDATE session SET id = ? WHERE id = ?");
    this.#delete = prepare("DELETE FROM session WHERE id = ?");
    this.#step = prepare(
      "SELECT rowid FROM session WHERE rowid > ? ORDER BY rowid LIMIT 1 OFFSET ?",
    );
    this.#sweep = prepare(`DELETE FROM session WHERE rowid > ? AND rowid <= ? AND expires <= ?
      AND (lock = '' OR expires <= ?)`);
  }

  /** In one transaction: no other process can take the lock between the two statements. */
  take(key: string, lock: string): Promise<Found | undefined> {
    return this.#writes.add(() => {
      const found = this.#find(key);
      if (found?.lock !== "") return found;
      this.#lock.run(lock, key);
      return { record: found.record, lock };
    });
  }

  load(key: string): Maybe<Found | undefined> {
    return whenFree(() => this.#find(key));
  }

  insert(key: string, record: SessionRecord, lock: string): Promise<void> {
    const { created, accessed, timeout, expires, data } = record;
    return this.#writes.add(() => {
      this.#insert.run(key, lock, created, accessed, timeout, expires, data);
    });
  }

  update(key: string, change: SessionChange, expected: string | undefined): Promise<boolean> {
    const { lock = null, accessed = null, timeout = null, expires = null, data = null } = change;
    return this.#writes.add(() => {
      const { changes } =
        expected === undefined
          ? this.#update.run(lock, accessed, timeout, expires, data, key)
          : this.#updateLocked.run(lock, accessed, timeout, expires, data, key, expected);
      return changes === 1;
    });
  }

  rename(key: string, to: string): Promise<boolean> {
    return this.#writes.add(() => this.#rename.run(to, key).changes === 1);
  }

  delete(key: string): Promise<void> {
    return this.#writes.add(() => void this.#delete.run(key));
  }

  sweep(now: number): Promise<boolean> {
    return this.#writes.add(() => {
      const from = this.#position;
      const last = this.#step.get(from, batch) as { rowid: number } | undefined;
      this.#sweep.run(from, last?.rowid ?? Number.MAX_SAFE_INTEGER, now, now - abandonedAfter);
      this.#position = last?.rowid ?? 0;
      return last !== undefined;
    });
  }

  close(): void {
    this.#writes.flush();
    this.#database.close();
  }

  #find(key: string): Found | undefined {
    // Typed as an object: node:sqlite has no type for rows as arrays.
    const row = this.#load.get(key) as unknown as Row | undefined;
    if (!row) return undefined;
    const [lock, created, accessed, timeout, expires, data] = row;
    return { record: { data, created, accessed, timeout, expires }, lock };
  }
}

/** Runs `work` at once; while another process writes for long, retries without blocking. */
function whenFree<T>(work: () => T): Maybe<T> {
  try {
    return work();
  } catch (error) {
    if (!isBusy(error)) throw error;
    return retry(work, Date.now() + retryLimitMs);
  }
}

async function retry<T>(work: () => T, deadline: number): Promise<T> {
  for (;;) {
    await sleep(retryPauseMs());
    try {
      return work();
    } catch (error) {
      if (!isBusy(error) || Date.now() > deadline) throw error;
    }
  }
}
