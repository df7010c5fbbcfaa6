/** Concurrency limit with a bounded queue in the order of arrival. */
import { type ErrorCode, ModTsError } from "./errors.ts";

export interface LimiterOptions {
  readonly limit: number;
  /** Maximum length of the queue. */
  readonly queue: number;
  /** Code of the error for the others; its parameters are `limit` and `queue`. */
  readonly busy: ErrorCode;
  /** Maximum time in the queue. @default none */
  readonly patienceMs?: number;
}

/** Ends a turn; further calls have no effect. */
export type Leave = () => void;

export class ConcurrencyLimiter {
  readonly #options: LimiterOptions;
  readonly #waiting = new Set<(error?: Error) => void>();
  #active = 0;

  constructor(options: LimiterOptions) {
    this.#options = options;
  }

  get active(): number {
    return this.#active;
  }

  /**
   * Resolves when it is the caller's turn. Rejects with the `busy` error if the queue is full, the
   * patience is over or, with `canWait` false, at once; with `MODTS_CLIENT_GONE` on abort.
   */
  async enter(signal?: AbortSignal, canWait = true): Promise<Leave> {
    if (this.#active < this.#options.limit) this.#active += 1;
    else if (canWait && this.#waiting.size < this.#options.queue) await this.#wait(signal);
    else throw this.#busy();
    let hasLeft = false;
    return () => {
      if (hasLeft) return;
      hasLeft = true;
      this.#leave();
    };
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    const leave = await this.enter();
    try {
      return await work();
    } finally {
      leave();
    }
  }

  /** Passed on to the next in the queue, so that a newcomer cannot take it. */
  #leave(): void {
    const [next] = this.#waiting;
    if (next) next();
    else this.#active -= 1;
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const settle = (error?: Error): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      this.#waiting.delete(settle);
      if (error) reject(error);
      else resolve();
    };
    const onAbort = (): void => settle(new ModTsError("MODTS_CLIENT_GONE"));
    const { patienceMs } = this.#options;
    const timer =
      patienceMs === undefined ? undefined : setTimeout(() => settle(this.#busy()), patienceMs);
    this.#waiting.add(settle);
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted) onAbort();
    return promise;
  }

  #busy(): ModTsError {
    const { busy, limit, queue } = this.#options;
    return new ModTsError(busy, { limit, queue });
  }
}
