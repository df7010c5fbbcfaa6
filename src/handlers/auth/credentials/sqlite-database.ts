/** SQLite with `node:sqlite`. */
import { linkSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { getOrCreate } from "../../../base/cache.ts";
import type { SqlDatabase } from "../../../base/sql-database.ts";
import type { SqlOptions } from "./sql-options.ts";

/**
 * Milliseconds to wait for a lock: the driver is synchronous and blocks the worker. In WAL mode
 * readers never wait.
 */
const lockTimeout = 200;

/** Opens the file on first use, read-only unless hashes are upgraded. */
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
    return getOrCreate(this.#statements, text, () =>
      (this.#database as DatabaseSync).prepare(text),
    );
  }

  close(): void {
    this.#database?.close();
    this.#database = undefined;
    this.#statements.clear();
  }

  /** Attack: a replaced file lives on while open, so deleted users could still log in. */
  #reopen(open: () => DatabaseSync): void {
    // Throws if the file is missing; SQLite would create an empty one.
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

/**
 * Atomic, as other workers may do the same. Attack: other users of the machine read the hashes, so the
 * file, and with it what SQLite creates beside it, is 0600.
 */
function createFrom(Database: typeof DatabaseSync, seed: string, path: string): void {
  const draft = `${path}.${process.pid}`;
  rmSync(draft, { force: true });
  writeFileSync(draft, "", { mode: 0o600, flag: "wx" });
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
