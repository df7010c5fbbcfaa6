/**
 * What `mod_ts.sql.*` says, checked.
 * @module
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { SectionOptions } from "../section-options.ts";

/** Drivers by the scheme of a data source name. */
const drivers = {
  sqlite: "sqlite",
  mysql: "mysql",
  mariadb: "mysql",
  postgres: "postgres",
  postgresql: "postgres",
} as const;

/** `req.getOptions()`. */
export type Dictionary = Readonly<Record<string, string>>;

export type SqlDriver = (typeof drivers)[keyof typeof drivers];

/** The statements of one store, with `?` for each parameter. */
export interface SqlStatements {
  /** Takes the user name; gives columns `password` and, unless it compares exactly itself, `user`. */
  readonly find: string;
  /** Takes the new hash, the user name and the old hash; undefined when hashes are not renewed. */
  readonly replace: string | undefined;
}

export interface SqlOptions {
  readonly driver: SqlDriver;
  /** URL for the driver, or the absolute path of a SQLite file. */
  readonly source: string;
  /** For messages: the source without the password. */
  readonly title: string;
  readonly statements: SqlStatements;
  /** Hashes without salt that count. */
  readonly legacy: readonly ("md5" | "sha1")[];
  /** Absolute path of a file with SQL that fills a SQLite file which does not exist yet. */
  readonly seed: string | undefined;
}

const keys = [
  "dsn",
  "dsn_file",
  "table",
  "user_column",
  "password_column",
  "query",
  "legacy",
  "upgrade",
  "cache",
  "seed",
];

/** Reads the options. @throws ModTsError `MODTS_BAD_OPTION` */
export function readSqlOptions(values: Dictionary, folder: string): SqlOptions {
  const options = new SectionOptions(values, "sql");
  options.allowOnly(...keys);
  const dsn = readDsn(options, folder);
  const [, scheme = "", rest = ""] = /^([a-z]+):(.*)$/s.exec(dsn) ?? [];
  if (!isScheme(scheme)) {
    const schemes = Object.keys(drivers).join(":, ");
    return options.fail("dsn", `it must begin with ${schemes}:`);
  }
  const driver = drivers[scheme];
  const seed = options.text("seed");
  return {
    driver,
    ...(driver === "sqlite"
      ? sqliteSource(options, rest, folder)
      : serverSource(options, dsn, scheme)),
    statements: readStatements(options, driver),
    legacy: readLegacy(options),
    seed: seed ? resolve(folder, seed) : undefined,
  };
}

/** Passwords belong into a file: many may read the configuration of Apache, and in it a `%` would have to be doubled. */
function readDsn(options: SectionOptions, folder: string): string {
  const name = options.text("dsn_file");
  if (name === undefined) return options.required("dsn", "e.g. sqlite:/var/lib/users.db");
  try {
    return readFileSync(resolve(folder, name), "utf8").trim();
  } catch (error) {
    return options.fail("dsn_file", (error as Error).message);
  }
}

function isScheme(scheme: string): scheme is keyof typeof drivers {
  return Object.hasOwn(drivers, scheme);
}

function sqliteSource(
  options: SectionOptions,
  rest: string,
  folder: string,
): Pick<SqlOptions, "source" | "title"> {
  const path = rest.replace(/^\/\/(?=\/)/, "");
  if (path === "" || path.startsWith(":")) {
    options.fail("dsn", "after sqlite: the path of a file is missing");
  }
  const source = resolve(folder, path);
  return { source, title: source };
}

function serverSource(
  options: SectionOptions,
  dsn: string,
  scheme: string,
): Pick<SqlOptions, "source" | "title"> {
  // Neither message nor cause shows the address: it may hold a password.
  if (!URL.canParse(dsn)) options.fail("dsn", "it is not a valid URL");
  const { hostname, port, pathname } = new URL(dsn);
  const title = `${scheme}://${hostname}${port && `:${port}`}${pathname}`;
  // mysql2 and pg know one name each.
  return { source: dsn.replace(/^mariadb:/, "mysql:"), title };
}

function readStatements(options: SectionOptions, driver: SqlDriver): SqlStatements {
  const upgrade = options.flag("upgrade");
  const query = options.text("query");
  if (query !== undefined) {
    if (upgrade) options.fail("upgrade", "it needs mod_ts.sql.table, not a query");
    if (query.split("?").length === 2) return { find: query, replace: undefined };
    options.fail("query", "it must hold one ?, which stands for the user name");
  }
  const quote = driver === "mysql" ? "`" : '"';
  const name = (key: string, usual: string): string =>
    readName(options, key, usual)
      .map((part) => quote + part + quote)
      .join(".");
  const table = name("table", "users");
  const user = name("user_column", "name");
  const password = name("password_column", "password");
  return {
    find: `SELECT ${password} AS ${quote}password${quote}, ${user} AS ${quote}user${quote} FROM ${table} WHERE ${user} = ?`,
    replace: upgrade
      ? `UPDATE ${table} SET ${password} = ? WHERE ${user} = ? AND ${password} = ?`
      : undefined,
  };
}

/** Attack: whoever may set options (`.htaccess`) writes SQL where a name belongs. Names are plain ones, and quoted besides. */
function readName(options: SectionOptions, key: string, usual: string): string[] {
  const parts = (options.text(key) ?? usual).split(".");
  const isPlain = parts.every((part) => /^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(part));
  if (!isPlain || parts.length > (key === "table" ? 2 : 1)) {
    options.fail(key, "it must be a plain name of letters, digits and _");
  }
  return parts;
}

function readLegacy(options: SectionOptions): SqlOptions["legacy"] {
  return options.words("legacy").map((word) => {
    if (word === "md5" || word === "sha1") return word;
    return options.fail("legacy", `it must be md5 or sha1, not ${word}`);
  });
}
