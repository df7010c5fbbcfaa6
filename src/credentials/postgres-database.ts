/**
 * PostgreSQL by the package `pg`.
 * @module
 */
import type { Pool, QueryResult } from "pg";
import { log } from "../log.ts";
import { loadPackage } from "./optional-package.ts";
import {
  databaseConnections,
  databaseTimeout,
  type ServerOptions,
  type SqlDatabase,
} from "./sql-database.ts";

/** Connects when it is first asked. */
export function openPostgres({ source, title }: ServerOptions): SqlDatabase {
  let pool: Promise<Pool> | undefined;
  const execute = async (
    statement: string,
    parameters: readonly string[],
  ): Promise<QueryResult<Record<string, unknown>>> => {
    const open = await (pool ??= createPool(source, title));
    return open.query(numbered(statement), [...parameters]);
  };
  return {
    select: async (statement, parameters) => (await execute(statement, parameters)).rows,
    change: async (statement, parameters) => (await execute(statement, parameters)).rowCount ?? 0,
    close: async () => {
      const ending = pool;
      pool = undefined;
      await (await ending)?.end();
    },
  };
}

async function createPool(connectionString: string, title: string): Promise<Pool> {
  const pg = await loadPackage<typeof import("pg")>("pg", "a database of PostgreSQL");
  const pool = new pg.default.Pool({
    connectionString,
    max: databaseConnections,
    connectionTimeoutMillis: databaseTimeout,
    query_timeout: databaseTimeout,
    allowExitOnIdle: true,
  });
  // Without a listener, a server that restarts would end this process.
  pool.on("error", (error) =>
    log("notice", `${title} has closed an idle connection: ${error.message}`),
  );
  return pool;
}

/** `?` is `$1`, `$2` … in PostgreSQL. */
function numbered(statement: string): string {
  let count = 0;
  return statement.replace(/\?/g, () => `$${(count += 1)}`);
}
