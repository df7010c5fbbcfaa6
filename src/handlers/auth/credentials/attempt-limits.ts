/**
 * Limits of attempts with passwords, by user and by client: in the memory of this worker, or shared.
 *
 * Attack: guesses lock out the owner. Addresses from which the user has logged in count apart.
 */
import { setBounded } from "../../../base/cache.ts";
import { RateLimit } from "./rate-limit.ts";
import type { AttemptKeys, Bucket, SharedAttempts } from "./shared-attempts.ts";

/** Seconds until a user, and a client, has another attempt. */
const userRefill = 60;
const clientRefill = 6;
/** An office may share one address. */
const usersPerClient = 5;

/** Users with the addresses of their last logins; the oldest entry is dropped. */
const familiarLimit = 10_000;

export interface Attempt {
  /** Takes the tokens, or only looks. The seconds until the next attempt, or 0. */
  take(onlyLooks: boolean): number | Promise<number>;
  /** The password was right: returns them, and remembers the address. */
  succeed(): void;
}

export interface AttemptLimits {
  begin(client: string, user: string): Attempt;
}

/** N workers allow N times the attempts. */
export class LocalLimits implements AttemptLimits {
  readonly #byUser: RateLimit;
  readonly #byClient: RateLimit;
  readonly #familiar = new Map<string, true>();

  /** @param attempts for one user, before there is one a minute */
  constructor(attempts: number) {
    this.#byUser = new RateLimit(attempts, userRefill);
    this.#byClient = new RateLimit(attempts * usersPerClient, clientRefill);
  }

  begin(client: string, user: string): Attempt {
    const pair = `${client} ${user}`;
    const key = this.#familiar.has(pair) ? pair : user;
    return {
      take: (onlyLooks) =>
        this.#byClient.take(client, onlyLooks) || this.#byUser.take(key, onlyLooks),
      succeed: () => {
        this.#byClient.giveBack(client);
        this.#byUser.giveBack(key);
        setBounded(this.#familiar, pair, true, familiarLimit);
      },
    };
  }
}

/** For all workers of all machines. While Redis does not answer, each worker counts by itself. */
export class SharedLimits implements AttemptLimits {
  readonly #shared: SharedAttempts;
  readonly #scope: string;
  readonly #local: LocalLimits;
  readonly #buckets: { readonly client: Bucket; readonly user: Bucket };

  /** @param scope name of the table of users */
  constructor(attempts: number, scope: string, shared: SharedAttempts) {
    this.#shared = shared;
    this.#scope = scope;
    this.#local = new LocalLimits(attempts);
    this.#buckets = {
      client: { refill: clientRefill, burst: attempts * usersPerClient },
      user: { refill: userRefill, burst: attempts },
    };
  }

  begin(client: string, user: string): Attempt {
    const keys: AttemptKeys = { scope: this.#scope, client, user };
    let local: Attempt | undefined;
    let isFamiliar = false;
    return {
      take: async (onlyLooks) => {
        const taken = await this.#shared.take(keys, this.#buckets, onlyLooks);
        if (taken) {
          ({ isFamiliar } = taken);
          return taken.wait;
        }
        local = this.#local.begin(client, user);
        return local.take(onlyLooks);
      },
      succeed: () => {
        if (local) return local.succeed();
        void this.#shared.succeed(keys, this.#buckets, isFamiliar);
      },
    };
  }
}
