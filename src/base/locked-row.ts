/** A row of numbers in a SQLite file, locked by one process at a time and read by the next one. */
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync, StatementSync } from "node:sqlite";

export class LockedRow<Column extends string> {
  readonly #database: DatabaseSync;
  readonly #select: StatementSync;
  readonly #save: StatementSync;
  readonly #columns: readonly Column[];

  private constructor(database: DatabaseSync, table: string, columns: readonly Column[]) {
    // The lock of the first write is kept until the file is closed.
    database.exec(
      "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = NORMAL; BEGIN EXCLUSIVE; COMMIT",
    );
    const numbers = columns.map((column) => `${column} INTEGER NOT NULL`).join(", ");
    const id = "id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1)";
    database.exec(`CREATE TABLE IF NOT EXISTS ${table} (${id}, ${numbers}) STRICT`);
    this.#database = database;
    this.#columns = columns;
    this.#select = database.prepare(`SELECT ${columns.join(", ")} FROM ${table}`);
    const values = columns.map(() => "?").join(", ");
    this.#save = database.prepare(`INSERT OR REPLACE INTO ${table} VALUES (1, ${values})`);
  }

  /**
   * Opens or creates the file, for our user only, and keeps it locked until it is closed. Undefined
   * while another process has it: the kernel drops the lock of one that was killed.
   */
  static async open<Column extends string>(
    path: string,
    table: string,
    columns: readonly Column[],
  ): Promise<LockedRow<Column> | undefined> {
    const { DatabaseSync: Database } = await import("node:sqlite");
    mkdirSync(dirname(path), { recursive: true });
    closeSync(openSync(path, "a", 0o600));
    const database = new Database(path, { timeout: 0 });
    try {
      return new LockedRow(database, table, columns);
    } catch (error) {
      database.close();
      if (isBusy(error)) return undefined;
      throw error;
    }
  }

  /** Undefined before the first {@link write}. */
  read(): Readonly<Record<Column, number>> | undefined {
    return this.#select.get() as Record<Column, number> | undefined;
  }

  write(row: Readonly<Record<Column, number>>): void {
    this.#save.run(...this.#columns.map((column) => row[column]));
  }

  close(): void {
    this.#database.close();
  }
}

/** SQLITE_BUSY, SQLITE_LOCKED and their extended codes (sqlite.org/rescode.html). */
export function isBusy(error: unknown): boolean {
  const code = Number((error as { errcode?: number }).errcode) & 0xff;
  return code === 5 || code === 6;
}
