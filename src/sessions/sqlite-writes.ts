/**
 * Writes to a SQLite file. All that one turn of the event loop asks for is one transaction: its
 * locks and its write to the log cost more than the statements. Results are known after the commit.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { isBusy } from "../base/locked-row.ts";

/** While another process writes for long, the writes are repeated without blocking this process. */
export const retryLimitMs = 2000;
/** Random, so that processes do not try at the same time again and again. */
export const retryPauseMs = (): number => 5 + Math.random() * 20;
/** Other processes wait for a transaction. */
const maxWrites = 100;

interface Write {
  readonly work: () => unknown;
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
  /** Milliseconds since 1970; set by the first attempt that finds the file busy. */
  deadline?: number;
}

export class SqliteWrites {
  readonly #database: DatabaseSync;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  #waiting: Write[] = [];
  #isPlanned = false;
  readonly #flush = (): void => this.flush();

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#begin = database.prepare("BEGIN IMMEDIATE");
    this.#commit = database.prepare("COMMIT");
  }

  /** Adds synchronous work, which must bear repetition. Resolves with its result when committed. */
  add<T>(work: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ work, resolve, reject });
      if (this.#isPlanned) return;
      this.#isPlanned = true;
      setImmediate(this.#flush);
    });
  }

  /** Writes all that waits, except what another process holds up. */
  flush(): void {
    this.#isPlanned = false;
    const all = this.#waiting;
    this.#waiting = [];
    for (let at = 0; at < all.length; at += maxWrites) this.#write(all.slice(at, at + maxWrites));
  }

  #write(writes: readonly Write[]): void {
    let results: unknown[];
    try {
      results = this.#commitAll(writes);
    } catch (error) {
      if (isBusy(error)) return this.#repeat(writes, error);
      if (writes.length === 1) return writes[0]?.reject(error);
      // One of them fails: the others must not.
      for (const write of writes) this.#write([write]);
      return;
    }
    for (const [index, write] of writes.entries()) write.resolve(results[index] as never);
  }

  #commitAll(writes: readonly Write[]): unknown[] {
    try {
      this.#begin.run();
      const results = writes.map(({ work }) => work());
      this.#commit.run();
      return results;
    } catch (error) {
      if (this.#database.isOpen && this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  #repeat(writes: readonly Write[], error: unknown): void {
    const now = Date.now();
    for (const write of writes) {
      write.deadline ??= now + retryLimitMs;
      if (now > write.deadline) write.reject(error);
      else this.#waiting.push(write);
    }
    if (this.#isPlanned || this.#waiting.length === 0) return;
    this.#isPlanned = true;
    setTimeout(this.#flush, retryPauseMs());
  }
}
