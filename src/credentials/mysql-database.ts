/**
 * MariaDB and MySQL by the package `mysql2`.
 * @module
 */
import type { Pool, PoolConnection } from "mysql2/promise";
import { loadPackage } from "./optional-package.ts";
import {
  databaseConnections,
  databaseTimeout,
  type ServerOptions,
  type SqlDatabase,
  withinTimeout,
} from "./sql-database.ts";

/** Connects when it is first asked. */
export function openMysql({ source, queueLimit = 100 }: ServerOptions): SqlDatabase {
  let pool: Promise<Pool> | undefined;
  const open = (): Promise<Pool> => (pool ??= createPool(source, queueLimit));
  const execute = async (statement: string, parameters: readonly string[]): Promise<unknown> => {
    const connection = await (await open()).getConnection();
    return run(connection, statement, parameters);
  };
  return {
    select: async (statement, parameters) =>
      (await execute(statement, parameters)) as Record<string, unknown>[],
    change: async (statement, parameters) =>
      ((await execute(statement, parameters)) as { affectedRows: number }).affectedRows,
    close: async () => {
      const ending = pool;
      pool = undefined;
      await (await ending)?.end();
    },
  };
}

async function createPool(uri: string, queueLimit: number): Promise<Pool> {
  const mysql = await loadPackage<typeof import("mysql2/promise")>(
    "mysql2/promise",
    "a database of MariaDB or MySQL",
  );
  return mysql.createPool({
    uri,
    connectionLimit: databaseConnections,
    connectTimeout: databaseTimeout,
    // Requests beyond fail at once; waiting would only make the line of those who wait longer.
    queueLimit,
    multipleStatements: false,
  });
}

async function run(
  connection: PoolConnection,
  statement: string,
  parameters: readonly string[],
): Promise<unknown> {
  // After a timeout its answer may still come, and would be taken for that of the next query.
  const work = connection.execute(statement, [...parameters]);
  let isBroken = false;
  try {
    const [rows] = await withinTimeout(work, () => (isBroken = true));
    return rows;
  } finally {
    if (isBroken) connection.destroy();
    else connection.release();
  }
}
