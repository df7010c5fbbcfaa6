/** Connections to Redis, using `ioredis`. */
import type { Redis } from "ioredis";
import { log } from "./log.ts";
import { loadPackage } from "./optional-package.ts";

/** To connect, and for each command. */
const commandTimeoutMs = 2000;

/** A Lua script, atomic for all clients, which becomes a method. */
export interface RedisScript {
  readonly lua: string;
  readonly numberOfKeys: number;
}

/**
 * Connects in the background; commands wait for the connection, within limits. Rejects only if the package is missing.
 * @param user what needs it, for messages
 */
export async function connectRedis<Scripts>(
  source: string,
  user: string,
  scripts: Readonly<Record<string, RedisScript>>,
): Promise<Redis & Scripts> {
  const ioredis = await loadPackage<typeof import("ioredis")>("ioredis", user);
  const redis = new ioredis.default(source, {
    connectTimeout: commandTimeoutMs,
    commandTimeout: commandTimeoutMs,
    maxRetriesPerRequest: 1,
    retryStrategy: (times) => Math.min(times * 100, commandTimeoutMs),
    scripts,
  });
  // Without a listener, ioredis writes to the console; requests report their errors themselves.
  redis.on("error", (error) => log("debug", `Redis: ${error.message}`));
  return redis as Redis & Scripts;
}
