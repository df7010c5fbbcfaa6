/** Users in a table of SQLite, MariaDB, MySQL or PostgreSQL. */
import { setBounded } from "../../../base/cache.ts";
import { ModTsError } from "../../../base/errors.ts";
import { dummyHash, kindOf, schemeOf } from "../../../base/password-hash.ts";
import type { Dictionary } from "../../../base/options.ts";
import { readSqlOptions, type SqlOptions } from "./sql-options.ts";
import { openSqlite } from "./sqlite-database.ts";
import { openMysql, openPostgres, reasonOf, type SqlDatabase } from "../../../base/sql-database.ts";
import type { UserStore } from "./verifier.ts";

const openers = { sqlite: openSqlite, mysql: openMysql, postgres: openPostgres } as const;

/** By the options `mod_ts.sql.*`; connects on first use. Throws `MODTS_BAD_OPTION`. */
export function createSqlStore(options: Dictionary, folder: string): UserStore {
  const settings = readSqlOptions(options, folder);
  const store = new SqlStore(settings, openers[settings.driver](settings));
  const { replace } = settings.statements;
  if (!replace) return store;
  return Object.assign(store, {
    replace: (user: string, old: string, hash: string) => store.update(replace, [hash, user, old]),
  });
}

/** Kinds of hashes, of which each refusal computes one. */
const maxKinds = 4;

class SqlStore implements UserStore {
  readonly name: string;
  readonly files: readonly string[];
  readonly #options: SqlOptions;
  readonly #database: SqlDatabase;
  /** One hash of each kind that was found lately. */
  readonly #samples = new Map<string, string>();

  constructor(options: SqlOptions, database: SqlDatabase) {
    this.name = `sql ${JSON.stringify([options.title, options.statements.find])}`;
    const { driver, source } = options;
    // What other programs write goes into the log first, where SQLite has one.
    this.files = driver === "sqlite" ? [source, `${source}-wal`] : [];
    this.#options = options;
    this.#database = database;
  }

  async find(user: string): Promise<string | undefined> {
    const rows = await this.#guard(() =>
      this.#database.select(this.#options.statements.find, [user]),
    );
    if (rows.length > 1) throw answer(`${rows.length} rows for one user`);
    const [row] = rows;
    if (!row) return undefined;
    if (!("password" in row)) throw answer("no column named password");
    // Attack: collations that take "JOHN", "john " and "jöhn" for john, as MySQL's usual ones do,
    // make several names one account, and rules by name see another one than the table does.
    if ("user" in row && text(row["user"]) !== user) return undefined;
    const hash = text(row["password"])?.trim();
    if (hash && this.accepts(hash)) setBounded(this.#samples, kindOf(hash), hash, maxKinds);
    return hash || undefined;
  }

  decoys(): Iterable<string> {
    // A copy, because other requests add to it while hashes are computed.
    return this.#samples.size > 0 ? [...this.#samples.values()] : [dummyHash];
  }

  accepts(hash: string): boolean {
    const { legacy } = this.#options;
    const scheme = schemeOf(hash);
    if (scheme === "md5-hex") return legacy.includes("md5");
    if (scheme === "sha1-hex" || scheme === "sha1") return legacy.includes("sha1");
    return scheme !== undefined;
  }

  async update(statement: string, parameters: readonly string[]): Promise<void> {
    await this.#guard(() => this.#database.change(statement, parameters));
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  async #guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      if (cause instanceof ModTsError) throw cause;
      const { title: database } = this.#options;
      throw new ModTsError("MODTS_DATABASE_DOWN", { database, reason: reasonOf(cause) });
    }
  }
}

/** Drivers give some columns as bytes. */
function text(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return value instanceof Uint8Array ? Buffer.from(value).toString("utf8") : undefined;
}

function answer(reason: string): ModTsError {
  return new ModTsError("MODTS_DATABASE_ANSWER", reason);
}
