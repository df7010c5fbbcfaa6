/** Sessions in Redis, one hash each, which expires by itself. */
import type { Redis } from "ioredis";
import { connectRedis } from "../base/redis.ts";
import {
  abandonedAfter,
  type Found,
  foundInRow,
  type SessionChange,
  type SessionRecord,
  type SessionStore,
} from "./session-store.ts";

const fields = "'lock', 'created', 'accessed', 'timeout', 'expires', 'data'";

/** Lua scripts: atomic for all clients. */
const scripts = {
  take: `local found = redis.call('HMGET', KEYS[1], ${fields})
    if not found[1] then return nil end
    if found[1] == '' then redis.call('HSET', KEYS[1], 'lock', ARGV[1]); found[1] = ARGV[1] end
    return found`,
  /** ARGV: expected lock or `*`; expiry time or nothing; then fields and values. */
  update: `local lock = redis.call('HGET', KEYS[1], 'lock')
    if not lock or (ARGV[1] ~= '*' and lock ~= ARGV[1]) then return 0 end
    if #ARGV > 2 then redis.call('HSET', KEYS[1], unpack(ARGV, 3)) end
    if ARGV[2] ~= '' then redis.call('EXPIREAT', KEYS[1], ARGV[2]) end
    return 1`,
  rename: `if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
    redis.call('RENAME', KEYS[1], KEYS[2])
    return 1`,
} as const;

interface Scripts {
  modtsTake(key: string, lock: string): Promise<(string | null)[] | null>;
  modtsUpdate(key: string, ...values: string[]): Promise<number>;
  modtsRename(key: string, to: string): Promise<number>;
}

export async function openRedisStore(source: string): Promise<SessionStore> {
  const redis = await connectRedis<Scripts>(source, "sessions in Redis", {
    modtsTake: { lua: scripts.take, numberOfKeys: 1 },
    modtsUpdate: { lua: scripts.update, numberOfKeys: 1 },
    modtsRename: { lua: scripts.rename, numberOfKeys: 2 },
  });
  return new RedisStore(redis);
}

class RedisStore implements SessionStore {
  readonly expiresItself = true;
  readonly #redis: Redis & Scripts;

  constructor(redis: Redis & Scripts) {
    this.#redis = redis;
  }

  async take(key: string, lock: string): Promise<Found | undefined> {
    return foundInRow(await this.#redis.modtsTake(nameOf(key), lock));
  }

  async load(key: string): Promise<Found | undefined> {
    const names = ["lock", "created", "accessed", "timeout", "expires", "data"];
    return foundInRow(await this.#redis.hmget(nameOf(key), ...names));
  }

  async insert(key: string, record: SessionRecord, lock: string): Promise<void> {
    const name = nameOf(key);
    const added = this.#redis.multi().hset(name, { ...record, lock });
    const results = await added.expireat(name, record.expires + abandonedAfter).exec();
    for (const [error] of results ?? []) if (error) throw error;
  }

  async update(key: string, change: SessionChange, expected: string | undefined): Promise<boolean> {
    const pairs = Object.entries(change).filter(([, value]) => value !== undefined);
    const until = change.expires === undefined ? "" : String(change.expires + abandonedAfter);
    const values = pairs.flatMap(([name, value]) => [name, String(value)]);
    return (await this.#redis.modtsUpdate(nameOf(key), expected ?? "*", until, ...values)) === 1;
  }

  async rename(key: string, to: string): Promise<boolean> {
    return (await this.#redis.modtsRename(nameOf(key), nameOf(to))) === 1;
  }

  async delete(key: string): Promise<void> {
    await this.#redis.del(nameOf(key));
  }

  sweep(): boolean {
    return false;
  }

  close(): void {
    this.#redis.disconnect();
  }
}

function nameOf(key: string): string {
  return `mod_ts:session:${key}`;
}
