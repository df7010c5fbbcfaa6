/**
 * Stores opened by the address in `mod_ts.session.store`. Driver errors become
 * `MODTS_SESSION_STORE`: a 503, never a new session in place of an unreadable one.
 */
import { join, resolve } from "node:path";
import { SectionOptions } from "../base/options.ts";
import { reasonOf } from "../base/sql-database.ts";
import { ModTsError } from "../base/errors.ts";
import { MemoryStore } from "./memory-store.ts";
import { openRedisStore } from "./redis-store.ts";
import type { Maybe, SessionStore, StoreAddress } from "./session-store.ts";
import { openSqlStore } from "./sql-store.ts";
import { openSqliteStore } from "./sqlite-store.ts";

const servers: Readonly<Record<string, StoreAddress["kind"]>> = {
  "redis:": "redis",
  "rediss:": "redis",
  "mysql:": "mysql",
  "mariadb:": "mysql",
  "postgres:": "postgres",
  "postgresql:": "postgres",
};

interface Installation {
  readonly directory: string;
  readonly state: string;
  readonly workers: number;
}

/** @throws ModTsError `MODTS_BAD_OPTION` */
export function readStoreAddress(
  values: Readonly<Record<string, string>>,
  { directory, state, workers }: Installation,
): StoreAddress {
  const options = new SectionOptions(values, "session");
  const text = options.textOrFile("store", directory) ?? "sqlite";
  const table = readTable(options);
  if (text === "memory") {
    // Each worker would have its own sessions, and a browser another one per request.
    if (workers === 1) return { kind: "memory", source: "", title: "memory", table };
    const reason = `memory belongs to one process, and ${workers} workers share these sessions; use sqlite`;
    return options.fail("store", reason);
  }
  const [, file] = /^sqlite(?::(?:\/\/(?=\/))?(.+))?$/s.exec(text) ?? [];
  if (file !== undefined || text === "sqlite") {
    const source = file === undefined ? join(state, "sessions.db") : resolve(directory, file);
    return { kind: "sqlite", source, title: source, table };
  }
  return serverAddress(options, text, table);
}

/** Messages and causes never show the address: it may hold a password. */
function serverAddress(options: SectionOptions, text: string, table: string): StoreAddress {
  const url = URL.parse(text);
  const kind = url && Object.hasOwn(servers, url.protocol) ? servers[url.protocol] : undefined;
  if (!url || !kind) {
    return options.fail(
      "store",
      `must be sqlite, sqlite:file, memory, or begin with ${Object.keys(servers).join("//, ")}//`,
    );
  }
  // Name known to mysql2.
  const source = text.replace(/^mariadb:/, "mysql:");
  return { kind, source, title: `${url.protocol}//${url.host}${url.pathname}`, table };
}

/** Attack: `.htaccess` may set options, and SQL instead of a name. */
function readTable(options: SectionOptions): string {
  const table = options.text("table", "mod_ts_sessions") as string;
  if (/^[A-Za-z_]\w{0,62}(?:\.[A-Za-z_]\w{0,62})?$/.test(table)) return table;
  return options.fail("table", "must be a plain name of letters, digits and _");
}

const openers: Record<
  StoreAddress["kind"],
  (address: StoreAddress) => SessionStore | Promise<SessionStore>
> = {
  memory: () => new MemoryStore(),
  sqlite: ({ source }) => openSqliteStore(source),
  redis: ({ source }) => openRedisStore(source),
  mysql: openSqlStore,
  postgres: openSqlStore,
};

/** Rejects with `MODTS_SESSION_STORE` or `MODTS_PACKAGE_MISSING`. */
export async function openStore(address: StoreAddress): Promise<SessionStore> {
  const { kind, title } = address;
  const store = await guard(title, () => openers[kind](address));
  return {
    expiresItself: store.expiresItself,
    take: (key, lock) => guard(title, () => store.take(key, lock)),
    load: (key) => guard(title, () => store.load(key)),
    insert: (key, record, lock) => guard(title, () => store.insert(key, record, lock)),
    update: (key, change, expected) => guard(title, () => store.update(key, change, expected)),
    rename: (key, to) => guard(title, () => store.rename(key, to)),
    delete: (key) => guard(title, () => store.delete(key)),
    sweep: (now) => guard(title, () => store.sweep(now)),
    close: () => guard(title, () => store.close()),
  };
}

function guard<T>(title: string, work: () => Maybe<T>): Maybe<T> {
  try {
    const result = work();
    return result instanceof Promise ? result.catch((cause) => fail(title, cause)) : result;
  } catch (cause) {
    return fail(title, cause);
  }
}

function fail(store: string, cause: unknown): never {
  if (cause instanceof ModTsError) throw cause;
  const reason = reasonOf(cause);
  throw new ModTsError("MODTS_SESSION_STORE", { store, reason }, { cause });
}
