/**
 * Where sessions are kept, as `mod_ts.session.store` says.
 * @module
 */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { SectionOptions } from "../section-options.ts";

/** A store that can be opened. */
export interface StoreAddress {
  readonly kind: "memory" | "sqlite" | "redis" | "mysql" | "postgres";
  /** URL for the driver, or the absolute path of a SQLite file. */
  readonly source: string;
  /** For messages: the source without the password. */
  readonly title: string;
  /** Table of a SQL server, one or two plain names. */
  readonly table: string;
}

const servers: Readonly<Record<string, StoreAddress["kind"]>> = {
  "redis:": "redis",
  "rediss:": "redis",
  "mysql:": "mysql",
  "mariadb:": "mysql",
  "postgres:": "postgres",
  "postgresql:": "postgres",
};

interface Installation {
  readonly folder: string;
  readonly state: string;
  readonly workers: number;
}

/** @throws ModTsError `MODTS_BAD_OPTION` */
export function readStoreAddress(
  values: Readonly<Record<string, string>>,
  { folder, state, workers }: Installation,
): StoreAddress {
  const options = new SectionOptions(values, "session");
  const text = readText(options, folder);
  const table = readTable(options);
  if (text === "memory") {
    // Each worker would have sessions of its own, and a browser a different one with each request.
    if (workers === 1) return { kind: "memory", source: "", title: "memory", table };
    const reason = `memory belongs to one process, and the pool has ${workers} workers; use sqlite`;
    return options.fail("store", reason);
  }
  const [, file] = /^sqlite(?::(?:\/\/(?=\/))?(.+))?$/s.exec(text) ?? [];
  if (file !== undefined || text === "sqlite") {
    const source = file === undefined ? join(state, "sessions.db") : resolve(folder, file);
    return { kind: "sqlite", source, title: source, table };
  }
  return serverAddress(options, text, table);
}

/** Passwords belong into a file: many may read the configuration of Apache. */
function readText(options: SectionOptions, folder: string): string {
  const name = options.text("store_file");
  if (name === undefined) return options.text("store", "sqlite") as string;
  try {
    return readFileSync(resolve(folder, name), "utf8").trim();
  } catch (error) {
    return options.fail("store_file", (error as Error).message);
  }
}

/** Neither message nor cause shows the address: it may hold a password. */
function serverAddress(options: SectionOptions, text: string, table: string): StoreAddress {
  const url = URL.parse(text);
  const kind = url && Object.hasOwn(servers, url.protocol) ? servers[url.protocol] : undefined;
  if (!url || !kind) {
    return options.fail(
      "store",
      `it must be sqlite, sqlite:file, memory, or begin with ${Object.keys(servers).join("//, ")}//`,
    );
  }
  // mysql2 knows one name.
  const source = text.replace(/^mariadb:/, "mysql:");
  return { kind, source, title: `${url.protocol}//${url.host}${url.pathname}`, table };
}

/** Attack: whoever may set options (`.htaccess`) writes SQL where a name belongs. */
function readTable(options: SectionOptions): string {
  const table = options.text("table", "mod_ts_sessions") as string;
  if (/^[A-Za-z_]\w{0,62}(?:\.[A-Za-z_]\w{0,62})?$/.test(table)) return table;
  return options.fail("table", "it must be a plain name of letters, digits and _");
}
