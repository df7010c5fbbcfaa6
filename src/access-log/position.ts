/**
 * How far the access log has been read: in a SQLite file that the reading process locks, so that
 * one process reads at a time, and the next one goes on where it stopped.
 */
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync, StatementSync } from "node:sqlite";

/** A byte of a file. The inode tells a file from its successor of the same name. */
export interface LogPosition {
  readonly device: number;
  readonly inode: number;
  readonly offset: number;
}

/** The position, as long as this process may read. */
export class PositionFile {
  readonly #database: DatabaseSync;
  readonly #save: StatementSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
    database.exec(`CREATE TABLE IF NOT EXISTS position (
      id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
      device INTEGER NOT NULL,
      inode INTEGER NOT NULL,
      offset INTEGER NOT NULL
    ) STRICT`);
    this.#save = database.prepare("INSERT OR REPLACE INTO position VALUES (1, ?, ?, ?)");
  }

  /**
   * Opens or creates the file, for our user only. Returns undefined while another process has it:
   * the kernel drops the lock of one that was killed.
   */
  static async open(path: string): Promise<PositionFile | undefined> {
    const { DatabaseSync: Database } = await import("node:sqlite");
    mkdirSync(dirname(path), { recursive: true });
    closeSync(openSync(path, "a", 0o600));
    const database = new Database(path, { timeout: 0 });
    try {
      // The lock of the first write is kept until the file is closed.
      database.exec(
        "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = NORMAL; BEGIN EXCLUSIVE; COMMIT",
      );
      return new PositionFile(database);
    } catch (error) {
      database.close();
      if (isLocked(error)) return undefined;
      throw error;
    }
  }

  read(): LogPosition | undefined {
    const row = this.#database.prepare("SELECT device, inode, offset FROM position").get();
    return row as LogPosition | undefined;
  }

  write({ device, inode, offset }: LogPosition): void {
    this.#save.run(device, inode, offset);
  }

  close(): void {
    this.#database.close();
  }
}

function isLocked(error: unknown): boolean {
  // SQLITE_BUSY and SQLITE_LOCKED.
  return error instanceof Error && [5, 6].includes((error as { errcode?: number }).errcode ?? 0);
}
