/**
 * MariaDB, MySQL and PostgreSQL behind one interface, with the packages `mysql2` and `pg`; both
 * connect on first use.
 */
import type { Pool as MysqlPool } from "mysql2/promise";
import type { Pool as PostgresPool } from "pg";
import { withinTime } from "./attempt.ts";
import { log } from "./log.ts";
import { loadPackage } from "./optional-package.ts";

/** Milliseconds to connect and to respond; Apache and a person wait. */
const timeout = 2000;

/** Connections per process and database. */
const connections = 4;

export interface ServerOptions {
  /** URL for the driver. */
  readonly source: string;
  /** Without password, for messages. */
  readonly title: string;
  /** Queries that may wait for a connection; others fail. MySQL only. */
  readonly queueLimit?: number;
}

/** Methods reject with errors of the driver, after two seconds at the latest. */
export interface SqlDatabase {
  /** Rows by column name; `?` are placeholders of parameters. */
  select(
    statement: string,
    parameters: readonly string[],
  ): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** Returns the number of rows found. */
  change(statement: string, parameters: readonly string[]): Promise<number>;
  close(): Promise<void>;
}

export function openMysql({ source, queueLimit = 100 }: ServerOptions): SqlDatabase {
  const pool = new LazyPool(() => createMysqlPool(source, queueLimit));
  const execute = async (statement: string, parameters: readonly string[]): Promise<unknown> => {
    const connection = await (await pool.open()).getConnection();
    let isBroken = false;
    try {
      const work = connection.execute(statement, [...parameters]);
      const [rows] = await withinTimeout(work, () => (isBroken = true));
      return rows;
    } finally {
      // After a timeout, a late response would be taken for that of the next query.
      if (isBroken) connection.destroy();
      else connection.release();
    }
  };
  return {
    select: async (statement, parameters) =>
      (await execute(statement, parameters)) as Record<string, unknown>[],
    change: async (statement, parameters) =>
      ((await execute(statement, parameters)) as { affectedRows: number }).affectedRows,
    close: () => pool.close(),
  };
}

async function createMysqlPool(uri: string, queueLimit: number): Promise<MysqlPool> {
  const user = "a database of MariaDB or MySQL";
  const mysql = await loadPackage<typeof import("mysql2/promise")>("mysql2/promise", user);
  const { username, password } = new URL(uri);
  return mysql.createPool({
    uri,
    // Older versions of mysql2 do not decode these parts of the URL.
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    connectionLimit: connections,
    connectTimeout: timeout,
    // Others fail at once: waiting would only lengthen the queue.
    queueLimit,
    multipleStatements: false,
  });
}

export function openPostgres({ source, title }: ServerOptions): SqlDatabase {
  const pool = new LazyPool(() => createPostgresPool(source, title));
  return {
    select: async (statement, parameters) =>
      (await (await pool.open()).query(numbered(statement), [...parameters])).rows,
    change: async (statement, parameters) =>
      (await (await pool.open()).query(numbered(statement), [...parameters])).rowCount ?? 0,
    close: () => pool.close(),
  };
}

async function createPostgresPool(connectionString: string, title: string): Promise<PostgresPool> {
  const pg = await loadPackage<typeof import("pg")>("pg", "a database of PostgreSQL");
  const pool = new pg.default.Pool({
    connectionString,
    max: connections,
    connectionTimeoutMillis: timeout,
    query_timeout: timeout,
    // pg before 8.7 has no `unref`, which this option calls.
    allowExitOnIdle: "unref" in pg.default.Client.prototype,
  });
  // Without a listener, a restart of the server would end this process.
  pool.on("error", (error) =>
    log("notice", `${title} has closed an idle connection: ${error.message}`),
  );
  return pool;
}

/** PostgreSQL's placeholders are `$1`, `$2` …. */
function numbered(statement: string): string {
  let count = 0;
  return statement.replace(/\?/g, () => `$${(count += 1)}`);
}

class LazyPool<Pool extends { end(): Promise<unknown> }> {
  readonly #create: () => Promise<Pool>;
  #pool: Promise<Pool> | undefined;

  constructor(create: () => Promise<Pool>) {
    this.#create = create;
  }

  open(): Promise<Pool> {
    return (this.#pool ??= this.#create());
  }

  async close(): Promise<void> {
    const ending = this.#pool;
    this.#pool = undefined;
    await (await ending)?.end();
  }
}

/** Rejects after two seconds; `onTimeout` then ends the work. */
export function withinTimeout<T>(work: Promise<T>, onTimeout: () => void): Promise<T> {
  return withinTime(work, timeout, () => {
    onTimeout();
    return new Error(`no answer within ${timeout} ms`);
  });
}

/** A refused connection is an AggregateError without message, with one error per address. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join("; ");
  const { message, code } = error as NodeJS.ErrnoException;
  return message || code || String(error);
}
