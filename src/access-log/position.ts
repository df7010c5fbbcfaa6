/**
 * How far the access log has been read: in a SQLite file that the reading process locks, so that
 * one process reads at a time, and the next one goes on where it stopped.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { openLocked } from "../base/locked-database.ts";

/** A byte of a file. The inode tells a file from its successor of the same name. */
export interface LogPosition {
  readonly device: number;
  readonly inode: number;
  readonly offset: number;
}

const schema = `CREATE TABLE IF NOT EXISTS position (
  id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  device INTEGER NOT NULL,
  inode INTEGER NOT NULL,
  offset INTEGER NOT NULL
) STRICT`;

/** The position, as long as this process may read. */
export class PositionFile {
  readonly #database: DatabaseSync;
  readonly #save: StatementSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
    this.#save = database.prepare("INSERT OR REPLACE INTO position VALUES (1, ?, ?, ?)");
  }

  /** Undefined while another process reads. */
  static async open(path: string): Promise<PositionFile | undefined> {
    const database = await openLocked(path, schema);
    return database && new PositionFile(database);
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
