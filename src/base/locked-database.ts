/** A SQLite file that one process has at a time. */
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";

/**
 * Opens or creates the file, for our user only, and keeps it locked until it is closed. Returns
 * undefined while another process has it: the kernel drops the lock of one that was killed.
 * @param schema what creates the tables that are missing
 */
export async function openLocked(path: string, schema: string): Promise<DatabaseSync | undefined> {
  const { DatabaseSync: Database } = await import("node:sqlite");
  mkdirSync(dirname(path), { recursive: true });
  closeSync(openSync(path, "a", 0o600));
  const database = new Database(path, { timeout: 0 });
  try {
    // The lock of the first write is kept until the file is closed.
    database.exec(
      "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = NORMAL; BEGIN EXCLUSIVE; COMMIT",
    );
    database.exec(schema);
    return database;
  } catch (error) {
    database.close();
    if (isLocked(error)) return undefined;
    throw error;
  }
}

function isLocked(error: unknown): boolean {
  // SQLITE_BUSY and SQLITE_LOCKED.
  return error instanceof Error && [5, 6].includes((error as { errcode?: number }).errcode ?? 0);
}
