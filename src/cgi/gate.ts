/**
 * Lets so many in at a time; the others wait in the order they came.
 * @module
 */
import { ModTsError } from "../errors.ts";

/** One for each kind of script and each set of bounds. */
export class Gate {
  readonly #limit: number;
  readonly #queue: number;
  readonly #waiting: (() => void)[] = [];
  #inside = 0;

  /**
   * @param limit how many are inside at a time
   * @param queue how many may wait
   */
  constructor(limit: number, queue: number) {
    this.#limit = limit;
    this.#queue = queue;
  }

  /**
   * Resolves when there is room, with what is to be called at the end, once. Rejects with `MODTS_CGI_BUSY` when too many
   * wait already, with `MODTS_CLIENT_GONE` when the signal aborts before it is the caller's turn.
   */
  async enter(signal: AbortSignal): Promise<() => void> {
    if (this.#inside < this.#limit) this.#inside += 1;
    else await this.#wait(signal);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#leave();
    };
  }

  #wait(signal: AbortSignal): Promise<void> {
    if (this.#waiting.length >= this.#queue) {
      throw new ModTsError("MODTS_CGI_BUSY", { limit: this.#limit, queue: this.#queue });
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = (): void => {
      this.#waiting.splice(this.#waiting.indexOf(admit), 1);
      reject(new ModTsError("MODTS_CLIENT_GONE"));
    };
    const admit = (): void => {
      signal.removeEventListener("abort", leave);
      resolve();
    };
    this.#waiting.push(admit);
    signal.addEventListener("abort", leave, { once: true });
    if (signal.aborted) leave();
    return promise;
  }

  /** The place goes on to the next one, so that nobody who comes just now gets in before. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#inside -= 1;
  }
}
