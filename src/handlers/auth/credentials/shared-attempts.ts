/**
 * Attempts with passwords in Redis, for all workers of all machines.
 *
 * The buckets are those of `rate-limit.ts`; keys are digests, so that Redis holds neither names nor addresses.
 *
 * Redis that accepts connections and never answers would cost each attempt a time-out. So after a failure
 * nothing is asked for a while, and then only in the background.
 */
import { hash } from "node:crypto";
import type { Redis } from "ioredis";
import { log, textOf } from "../../../base/log.ts";
import { connectRedis } from "../../../base/redis.ts";

/** A bucket: seconds until the next attempt, and attempts at the start. */
export interface Bucket {
  readonly refill: number;
  readonly burst: number;
}

/** Seconds for which an address counts as that of a user after a login. */
const familiarSeconds = 30 * 86_400;

const now = `local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)`;

const scripts = {
  /** KEYS: client, user, user at this address, mark of a login. ARGV: refill and burst in ms of client and user; whether to look only. */
  modtsAttempt: {
    numberOfKeys: 4,
    lua: `${now}
    local function take(key, refill, burst)
      local full = math.max(now, tonumber(redis.call('GET', key) or '0')) + refill
      local wait = full - burst - now
      if wait > 0 then return math.ceil(wait / 1000) end
      if ARGV[5] == '0' then redis.call('SET', key, string.format('%.0f', full), 'PX', string.format('%.0f', full - now)) end
      return 0
    end
    local isFamiliar = redis.call('EXISTS', KEYS[4])
    local wait = take(KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]))
    if wait == 0 then wait = take(KEYS[2 + isFamiliar], tonumber(ARGV[3]), tonumber(ARGV[4])) end
    return {wait, isFamiliar}`,
  },
  /** KEYS: client, user, mark of a login. ARGV: refill in ms of client and user; seconds of the mark. */
  modtsSuccess: {
    numberOfKeys: 3,
    lua: `${now}
    for index = 1, 2 do
      local full = tonumber(redis.call('GET', KEYS[index]) or '0') - tonumber(ARGV[index])
      if full > now then redis.call('SET', KEYS[index], string.format('%.0f', full), 'PX', string.format('%.0f', full - now))
      else redis.call('DEL', KEYS[index]) end
    end
    redis.call('SET', KEYS[3], '1', 'EX', ARGV[3])`,
  },
} as const;

interface Scripts {
  modtsAttempt(...values: string[]): Promise<[wait: number, isFamiliar: number]>;
  modtsSuccess(...values: string[]): Promise<null>;
}

/** Of an attempt: the seconds until the next one, or 0; and what {@link SharedAttempts.succeed} needs. */
interface Taken {
  readonly wait: number;
  readonly isFamiliar: boolean;
}

interface Buckets {
  readonly client: Bucket;
  readonly user: Bucket;
}

/** The attempts of one table of users. */
export class SharedAttempts {
  readonly #source: string;
  readonly #pauseMs: number;
  #redis: Promise<Redis & Scripts> | undefined;
  /** Set while attempts do not ask. */
  #probeAt: number | undefined;
  #isFailing = false;

  /**
   * @param source `redis://…` or `rediss://…`; connected at the first attempt
   * @param pauseMs for which nothing is asked after a failure
   */
  constructor(source: string, pauseMs: number = 5000) {
    this.#source = source;
    this.#pauseMs = pauseMs;
  }

  /**
   * Takes a token of the client and one of the user, or only looks. Undefined while Redis does not answer.
   * @param scope name of the table of users
   */
  async take(keys: AttemptKeys, buckets: Buckets, onlyLooks: boolean): Promise<Taken | undefined> {
    if (this.#isPaused()) return undefined;
    try {
      const taken = await this.#take(keys, buckets, onlyLooks);
      this.#isFailing = false;
      return taken;
    } catch (error) {
      this.#pause(error);
      return undefined;
    }
  }

  /**
   * Returns the tokens of a successful attempt, and remembers the address. While Redis does not answer, the
   * attempt counts as a wrong one, so nothing is bypassed.
   */
  async succeed(keys: AttemptKeys, buckets: Buckets, isFamiliar: boolean): Promise<void> {
    if (this.#isPaused()) return;
    try {
      await this.#succeed(keys, buckets, isFamiliar);
    } catch (error) {
      this.#pause(error);
    }
  }

  async close(): Promise<void> {
    const redis = await this.#redis?.catch(() => undefined);
    redis?.disconnect();
  }

  async #take(
    { scope, client, user }: AttemptKeys,
    buckets: Buckets,
    onlyLooks: boolean,
  ): Promise<Taken> {
    const redis = await this.#connect();
    const keys = [
      nameOf(scope, "client", client),
      nameOf(scope, "user", user),
      nameOf(scope, "pair", client, user),
      nameOf(scope, "login", client, user),
    ];
    const numbers = [buckets.client, buckets.user].flatMap(({ refill, burst }) => [
      `${refill * 1000}`,
      `${refill * burst * 1000}`,
    ]);
    const [wait, known] = await redis.modtsAttempt(...keys, ...numbers, onlyLooks ? "1" : "0");
    return { wait, isFamiliar: known === 1 };
  }

  async #succeed(
    { scope, client, user }: AttemptKeys,
    buckets: Buckets,
    isFamiliar: boolean,
  ): Promise<void> {
    const redis = await this.#connect();
    await redis.modtsSuccess(
      nameOf(scope, "client", client),
      isFamiliar ? nameOf(scope, "pair", client, user) : nameOf(scope, "user", user),
      nameOf(scope, "login", client, user),
      `${buckets.client.refill * 1000}`,
      `${buckets.user.refill * 1000}`,
      `${familiarSeconds}`,
    );
  }

  #isPaused(): boolean {
    if (this.#probeAt === undefined) return false;
    if (performance.now() >= this.#probeAt) void this.#probe();
    return true;
  }

  /** One at a time. */
  async #probe(): Promise<void> {
    this.#probeAt = Infinity;
    try {
      await (await this.#connect()).ping();
      this.#probeAt = undefined;
    } catch {
      this.#probeAt = performance.now() + this.#pauseMs;
    }
  }

  /** A failure is logged once, until an attempt is counted again. */
  #pause(error: unknown): void {
    this.#probeAt = performance.now() + this.#pauseMs;
    if (this.#isFailing) return;
    this.#isFailing = true;
    log("error", `attempts are counted by worker: ${textOf(error)}`);
  }

  #connect(): Promise<Redis & Scripts> {
    this.#redis ??= connectRedis<Scripts>(this.#source, "limits of attempts in Redis", scripts);
    return this.#redis;
  }
}

export interface AttemptKeys {
  readonly scope: string;
  readonly client: string;
  readonly user: string;
}

function nameOf(...parts: readonly string[]): string {
  return `mod_ts:attempts:${hash("sha256", JSON.stringify(parts), "base64url")}`;
}
