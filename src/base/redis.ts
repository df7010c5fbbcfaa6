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
  let broken: Error | undefined;
  /** ioredis gives up a command because of the number of its attempts, and does not say what they met. */
  class Client extends ioredis.default {
    override sendCommand(...[command, stream]: Parameters<Redis["sendCommand"]>): unknown {
      const { reject } = command;
      command.reject = (error) => {
        const hasGivenUp = error.name === "MaxRetriesPerRequestError" && broken;
        reject(hasGivenUp ? new Error(broken?.message, { cause: error }) : error);
      };
      return super.sendCommand(command, stream);
    }
  }
  const redis = new Client(source, {
    connectTimeout: commandTimeoutMs,
    commandTimeout: commandTimeoutMs,
    maxRetriesPerRequest: 1,
    retryStrategy: (times) => Math.min(times * 100, commandTimeoutMs),
    scripts,
  });
  // Without a listener, ioredis writes to the console; requests report their errors themselves.
  redis.on("error", (error) => {
    broken = error;
    log("debug", `Redis: ${error.message}`);
  });
  return redis as Redis & Scripts;
}
