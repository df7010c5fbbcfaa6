/**
 * SQLite by `node:sqlite`.
 * @module
 */
import { linkSync, readFileSync, rmSync, statSync } from "node:fs";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { SqlDatabase } from "./sql-database.ts";
import type { SqlOptions } from "./sql-options.ts";

/**
 * Milliseconds to wait for a lock of another process: the driver is synchronous, and the whole worker waits with it. Readers of a
 * database in WAL mode never do.
 */
const lockTimeout = 200;

/** Opens the file when it is first asked, read-only unless hashes are renewed. */
export function openSqlite(options: SqlOptions): SqlDatabase {
  const file = new SqliteFile(options);
  return {
    select: async (statement, parameters) =>
      (await file.prepare(statement)).all(...parameters) as Record<string, unknown>[],
    change: async (statement, parameters) =>
      Number((await file.prepare(statement)).run(...parameters).changes),
    close: async () => file.close(),
  };
}

class SqliteFile {
  readonly #options: SqlOptions;
  readonly #statements = new Map<string, StatementSync>();
  #database: DatabaseSync | undefined;
  #inode = "";

  constructor(options: SqlOptions) {
    this.#options = options;
  }

  async prepare(text: string): Promise<StatementSync> {
    const { DatabaseSync: Database } = await import("node:sqlite");
    const { source, seed, statements } = this.#options;
    if (seed !== undefined && !exists(source)) createFrom(Database, seed, source);
    this.#reopen(() => {
      const readOnly = statements.replace === undefined;
      return new Database(source, { readOnly, timeout: lockTimeout });
    });
    let statement = this.#statements.get(text);
    if (!statement) {
      statement = (this.#database as DatabaseSync).prepare(text);
      this.#statements.set(text, statement);
    }
    return statement;
  }

  close(): void {
    this.#database?.close();
    this.#database = undefined;
    this.#statements.clear();
  }

  /** A file that was replaced or removed lives on as long as it is open: users deleted by a restored copy could still log in. */
  #reopen(open: () => DatabaseSync): void {
    // Throws when the file is gone; SQLite would make an empty one in its place.
    const { dev, ino } = statSync(this.#options.source);
    const inode = `${dev} ${ino}`;
    if (this.#database && inode === this.#inode) return;
    this.close();
    this.#database = open();
    this.#inode = inode;
  }
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Whole or not at all: another worker may look for the file, or make it, at the same moment. */
function createFrom(Database: typeof DatabaseSync, seed: string, path: string): void {
  const draft = `${path}.${process.pid}`;
  const database = new Database(draft);
  try {
    database.exec(readFileSync(seed, "utf8"));
    database.close();
    linkSync(draft, path);
  } catch (error) {
    if (database.isOpen) database.close();
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}
