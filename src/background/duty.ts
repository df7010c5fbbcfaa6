/**
 * The duty: the right of one worker to do the work in the background. It is the lock of a SQLite
 * file, which also keeps until when the worker before had it.
 */
import type { DatabaseSync } from "node:sqlite";
import { openLocked } from "../base/locked-database.ts";

const schema =
  "CREATE TABLE IF NOT EXISTS duty (id INTEGER PRIMARY KEY CHECK (id = 1), until INTEGER) STRICT";

export class Duty {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** Undefined while another worker has it. */
  static async take(path: string): Promise<Duty | undefined> {
    const database = await openLocked(path, schema);
    return database && new Duty(database);
  }

  /** Milliseconds since the Unix epoch up to which no run of a job can have been missed. */
  get since(): number | undefined {
    const row = this.#database.prepare("SELECT until FROM duty").get();
    return row?.["until"] as number | undefined;
  }

  /** Records that no run of a job has been missed until now. */
  note(): void {
    this.#database.prepare("INSERT OR REPLACE INTO duty VALUES (1, ?)").run(Date.now());
  }

  end(): void {
    this.#database.close();
  }
}
