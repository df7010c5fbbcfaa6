/** Options of a table of users (docs/authentication.md). */
import { resolve } from "node:path";
import { type Dictionary, SectionOptions } from "../../../base/options.ts";

const drivers = {
  sqlite: "sqlite",
  mysql: "mysql",
  mariadb: "mysql",
  postgres: "postgres",
  postgresql: "postgres",
} as const;

export type SqlDriver = (typeof drivers)[keyof typeof drivers];

/** `?` are placeholders. */
export interface SqlStatements {
  /** By user name; returns `password` and, unless its comparison is exact, `user`. */
  readonly find: string;
  /** New hash, user name, old hash; undefined if hashes are not upgraded. */
  readonly replace: string | undefined;
}

export interface SqlOptions {
  readonly driver: SqlDriver;
  /** URL for the driver, or the absolute path of a SQLite file. */
  readonly source: string;
  /** Without password, for messages. */
  readonly title: string;
  readonly statements: SqlStatements;
  /** Accepted unsalted hashes. */
  readonly legacy: readonly ("md5" | "sha1")[];
  /** Absolute path of SQL that fills a SQLite file which does not exist yet. */
  readonly seed: string | undefined;
}

const keys = (
  "dsn dsn_file table user_column password_column query legacy upgrade cache attempts " +
  "limits limits_file seed"
).split(" ");

/** @throws ModTsError `MODTS_BAD_OPTION` */
export function readSqlOptions(values: Dictionary, directory: string): SqlOptions {
  const options = new SectionOptions(values, "sql");
  options.allowOnly(...keys);
  const dsn =
    options.textOrFile("dsn", directory) ??
    options.required("dsn", "e.g. sqlite:/var/lib/users.db");
  const [, scheme = "", rest = ""] = /^([a-z]+):(.*)$/s.exec(dsn) ?? [];
  if (!isScheme(scheme)) {
    const schemes = Object.keys(drivers).join(":, ");
    return options.fail("dsn", `must begin with ${schemes}:`);
  }
  const driver = drivers[scheme];
  const seed = options.text("seed");
  return {
    driver,
    ...(driver === "sqlite"
      ? sqliteSource(options, rest, directory)
      : serverSource(options, dsn, scheme)),
    statements: readStatements(options, driver),
    legacy: readLegacy(options),
    seed: seed ? resolve(directory, seed) : undefined,
  };
}

function isScheme(scheme: string): scheme is keyof typeof drivers {
  return Object.hasOwn(drivers, scheme);
}

function sqliteSource(
  options: SectionOptions,
  rest: string,
  directory: string,
): Pick<SqlOptions, "source" | "title"> {
  const path = rest.replace(/^\/\/(?=\/)/, "");
  if (path === "" || path.startsWith(":")) {
    options.fail("dsn", "expected a file path after sqlite:");
  }
  const source = resolve(directory, path);
  return { source, title: source };
}

function serverSource(
  options: SectionOptions,
  dsn: string,
  scheme: string,
): Pick<SqlOptions, "source" | "title"> {
  // Neither message nor cause shows the URL, which may contain a password.
  if (!URL.canParse(dsn)) options.fail("dsn", "expected a valid URL");
  const { hostname, port, pathname } = new URL(dsn);
  const title = `${scheme}://${hostname}${port && `:${port}`}${pathname}`;
  return { source: dsn.replace(/^mariadb:/, "mysql:"), title };
}

function readStatements(options: SectionOptions, driver: SqlDriver): SqlStatements {
  const upgrade = options.flag("upgrade");
  const query = options.text("query");
  if (query !== undefined) {
    if (upgrade) options.fail("upgrade", "requires mod_ts.sql.table, not a query");
    if (query.split("?").length === 2) return { find: query, replace: undefined };
    options.fail("query", "must contain exactly one ?, the placeholder of the user name");
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

/** Attack: an author of `.htaccess` puts SQL into a name. Names are plain, and quoted. */
function readName(options: SectionOptions, key: string, usual: string): string[] {
  const parts = (options.text(key) ?? usual).split(".");
  const isPlain = parts.every((part) => /^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(part));
  if (!isPlain || parts.length > (key === "table" ? 2 : 1)) {
    options.fail(key, "expected a plain name of letters, digits and _");
  }
  return parts;
}

function readLegacy(options: SectionOptions): SqlOptions["legacy"] {
  return options.words("legacy").map((word) => {
    if (word === "md5" || word === "sha1") return word;
    return options.fail("legacy", `expected md5 or sha1, not ${word}`);
  });
}
