/** Sessions in a table of MariaDB, MySQL or PostgreSQL. */
import { openMysql, openPostgres, type SqlDatabase } from "../base/sql-database.ts";
import {
  abandonedAfter,
  type Found,
  foundInRow,
  type SessionChange,
  type SessionRecord,
  type SessionStore,
  type StoreAddress,
} from "./session-store.ts";

/** Rows removed by one step of the clean-up. */
const batch = 200;
/** Queue limit for connections: requests are many and short. */
const queueLimit = 5000;

const columns = ["lease", "created", "accessed", "timeout", "expires", "data"] as const;

/** Connects, and creates the table if missing and permitted (docs/sessions.md). */
export async function openSqlStore({
  kind,
  source,
  title,
  table,
}: StoreAddress): Promise<SessionStore> {
  const open = kind === "mysql" ? openMysql : openPostgres;
  const database = open({ source, title, queueLimit });
  try {
    await look(database, table).catch(() => createOrFind(database, kind, table));
    return new SqlStore(database, table);
  } catch (error) {
    await database.close().catch(() => {});
    throw error;
  }
}

async function look(database: SqlDatabase, table: string): Promise<void> {
  await database.select(`SELECT id FROM ${table} WHERE id = ''`, []);
}

/** Concurrent CREATE TABLE IF NOT EXISTS fails in one of two PostgreSQL clients: then it exists. */
async function createOrFind(
  database: SqlDatabase,
  kind: StoreAddress["kind"],
  table: string,
): Promise<void> {
  try {
    await create(database, kind, table);
  } catch (error) {
    await look(database, table).catch(() => {
      throw error;
    });
  }
}

async function create(
  database: SqlDatabase,
  kind: StoreAddress["kind"],
  table: string,
): Promise<void> {
  const ascii = kind === "mysql" ? "CHARACTER SET ascii COLLATE ascii_bin" : "";
  const data = kind === "mysql" ? "MEDIUMTEXT CHARACTER SET utf8mb4" : "TEXT";
  await database.change(
    `CREATE TABLE IF NOT EXISTS ${table} (
      id VARCHAR(43) ${ascii} NOT NULL PRIMARY KEY,
      lease TEXT ${ascii} NOT NULL,
      created BIGINT NOT NULL, accessed BIGINT NOT NULL, timeout BIGINT NOT NULL, expires BIGINT NOT NULL,
      data ${data} NOT NULL)`,
    [],
  );
  const index = `${table.replace(".", "_")}_expires`;
  await database.change(`CREATE INDEX ${index} ON ${table} (expires)`, []).catch(() => {
    // Another worker has created it at the same moment.
  });
}

class SqlStore implements SessionStore {
  readonly expiresItself = false;
  readonly #database: SqlDatabase;
  readonly #table: string;

  constructor(database: SqlDatabase, table: string) {
    this.#database = database;
    this.#table = table;
  }

  /** In this order: a record read before the lock is ours may be outdated. */
  async take(key: string, lock: string): Promise<Found | undefined> {
    const isTaken = await this.update(key, { lock }, "");
    const found = await this.load(key);
    // Trap: another process queues in between and changes the text: we would wait for ourselves.
    return found && isTaken ? { ...found, lock } : found;
  }

  async load(key: string): Promise<Found | undefined> {
    const sql = `SELECT ${columns.join(", ")} FROM ${this.#table} WHERE id = ?`;
    const [row] = await this.#database.select(sql, [key]);
    return foundInRow(row ? columns.map((name) => row[name]) : null);
  }

  async insert(key: string, record: SessionRecord, lock: string): Promise<void> {
    const sql = `INSERT INTO ${this.#table} (id, ${columns.join(", ")}) VALUES (?, ?, ?, ?, ?, ?, ?)`;
    const { created, accessed, timeout, expires, data } = record;
    const numbers = [created, accessed, timeout, expires].map(String);
    await this.#database.change(sql, [key, lock, ...numbers, data]);
  }

  async update(
    key: string,
    { lock, ...rest }: SessionChange,
    expected: string | undefined,
  ): Promise<boolean> {
    const pairs = Object.entries({ lease: lock, ...rest }).filter(
      ([, value]) => value !== undefined,
    );
    const set = pairs.map(([name]) => `${name} = ?`).join(", ");
    const where = expected === undefined ? "id = ?" : "id = ? AND lease = ?";
    const values = [...pairs.map(([, value]) => value), key, expected];
    const changed = await this.#database.change(
      `UPDATE ${this.#table} SET ${set} WHERE ${where}`,
      values.filter((value) => value !== undefined).map(String),
    );
    return changed === 1;
  }

  async rename(key: string, to: string): Promise<boolean> {
    const sql = `UPDATE ${this.#table} SET id = ? WHERE id = ?`;
    return (await this.#database.change(sql, [to, key])) === 1;
  }

  async delete(key: string): Promise<void> {
    await this.#database.change(`DELETE FROM ${this.#table} WHERE id = ?`, [key]);
  }

  async sweep(now: number): Promise<boolean> {
    const expired = "expires <= ? AND (lease = '' OR expires <= ?)";
    const times = [String(now), String(now - abandonedAfter)];
    const rows = await this.#database.select(
      `SELECT id FROM ${this.#table} WHERE ${expired} LIMIT ${batch}`,
      times,
    );
    if (rows.length === 0) return false;
    const marks = rows.map(() => "?").join(", ");
    const ids = rows.map(({ id }) => String(id));
    // It may have been used since the SELECT.
    await this.#database.change(
      `DELETE FROM ${this.#table} WHERE id IN (${marks}) AND ${expired}`,
      [...ids, ...times],
    );
    return rows.length === batch;
  }

  close(): Promise<void> {
    return this.#database.close();
  }
}
