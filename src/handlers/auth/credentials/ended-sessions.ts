/** Sessions of the login form that a logout ended before they expire. */
import {
  type Dir,
  mkdirSync,
  opendirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Redis } from "ioredis";
import { ModTsError } from "../../../base/errors.ts";
import { textOf } from "../../../base/log.ts";
import { connectRedis } from "../../../base/redis.ts";

export interface EndedSessions {
  has(id: string): boolean | Promise<boolean>;
  /** @param until seconds since 1970, when it would have expired. Throws if it cannot be noted. */
  add(id: string, until: number): void | Promise<void>;
}

/** Notes looked at for each new one: fewer than one would let expired notes pile up. */
const sweepStep = 4;

const writeGraceMs = 60_000;

/** A note for each, an empty file whose time is that of the end of the session. */
export class EndedInFiles implements EndedSessions {
  readonly #directory: string;
  /** Where the sweep has come to; undefined between two rounds. */
  #cursor: Dir | undefined;

  /** @param directory absolute; created when it is needed */
  constructor(directory: string) {
    this.#directory = directory;
  }

  has(id: string): boolean {
    return statSync(this.#file(id), { throwIfNoEntry: false }) !== undefined;
  }

  /** Throws `MODTS_SESSION_STORE`. */
  add(id: string, until: number): void {
    const file = this.#file(id);
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      writeFileSync(file, "", { mode: 0o600 });
      utimesSync(file, until, until);
      this.#sweep();
    } catch (error) {
      throw new ModTsError("MODTS_SESSION_STORE", {
        store: this.#directory,
        reason: textOf(error),
      });
    }
  }

  /** A few notes at a time: a logout costs the same whether there are ten or a million. */
  #sweep(): void {
    this.#cursor ??= opendirSync(this.#directory);
    for (let count = 0; count < sweepStep; count += 1) {
      const entry = this.#cursor.readSync();
      if (!entry) {
        this.#cursor.closeSync();
        this.#cursor = undefined;
        return;
      }
      this.#removeExpired(join(this.#directory, entry.name));
    }
  }

  #removeExpired(file: string): void {
    const stat = statSync(file, { throwIfNoEntry: false });
    // Another process may be about to set the time of a new note.
    if (stat && stat.mtimeMs < Date.now() - writeGraceMs) rmSync(file, { force: true });
  }

  #file(id: string): string {
    return join(this.#directory, checked(id));
  }
}

/** In Redis, for the sidecars of all machines: a key for each, which expires by itself. */
export class EndedInRedis implements EndedSessions {
  readonly #source: string;
  #redis: Promise<Redis> | undefined;

  /** @param source `redis://…` or `rediss://…`; connected at the first question */
  constructor(source: string) {
    this.#source = source;
  }

  /** Rejects with `MODTS_SESSION_STORE`: a session that may have ended must not be accepted. */
  has(id: string): Promise<boolean> {
    return this.#ask(async (redis) => (await redis.exists(keyOf(id))) === 1);
  }

  /** Rejects with `MODTS_SESSION_STORE`. */
  add(id: string, until: number): Promise<void> {
    const seconds = Math.max(1, until - Math.floor(Date.now() / 1000));
    return this.#ask(async (redis) => void (await redis.set(keyOf(id), "", "EX", seconds)));
  }

  async close(): Promise<void> {
    (await this.#redis?.catch(() => undefined))?.disconnect();
  }

  async #ask<Answer>(question: (redis: Redis) => Promise<Answer>): Promise<Answer> {
    this.#redis ??= connectRedis(this.#source, "ended sessions in Redis", {});
    const redis = await this.#redis;
    try {
      return await question(redis);
    } catch (error) {
      throw new ModTsError("MODTS_SESSION_STORE", { store: "Redis", reason: textOf(error) });
    }
  }
}

function keyOf(id: string): string {
  return `mod_ts:ended:${checked(id)}`;
}

/** Ids come out of signed cookies; still, nothing else may become a path or a key. */
function checked(id: string): string {
  if (!/^[0-9a-f]{32}$/.test(id)) throw new TypeError("not the id of a session");
  return id;
}
