/**
 * Opens the store of an address. What a driver says of a failure becomes `MODTS_SESSION_STORE`: a 503, and never a new session in the place of
 * one that could not be read.
 * @module
 */
import { reasonOf } from "../credentials/sql-database.ts";
import { ModTsError } from "../errors.ts";
import { MemoryStore } from "./memory-store.ts";
import { openRedisStore } from "./redis-store.ts";
import type { SessionStore } from "./session-store.ts";
import { openSqlStore } from "./sql-store.ts";
import { openSqliteStore } from "./sqlite-store.ts";
import type { StoreAddress } from "./store-address.ts";

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

async function guard<T>(store: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof ModTsError) throw cause;
    const reason = reasonOf(cause);
    throw new ModTsError("MODTS_SESSION_STORE", { store, reason }, { cause });
  }
}
