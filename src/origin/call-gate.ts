/**
 * How many call backs may be on their way at a time.
 *
 * A request that is called back for holds two threads of Apache. Were all of them held by requests that wait for a second one, none would ever
 * get it. So at most a third of the threads calls back, as many may wait, and whoever comes then goes away at once: a third is left for the
 * calls themselves.
 * @module
 */
import { ModTsError } from "../errors.ts";

/** Milliseconds that a call waits for its turn. */
const patience = 10_000;

/** Lets calls of one process through. */
export class CallGate {
  readonly #limit: number;
  readonly #waiting = new Set<(error?: Error) => void>();
  #active = 0;

  /** @param limit calls at a time; as many may wait */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Calls on their way. */
  get active(): number {
    return this.#active;
  }

  /**
   * Resolves with what ends the call, when its turn has come; who is not `patient` gets a turn at once or none.
   * Rejects with `MODTS_ORIGIN_BUSY`, or when the client goes.
   */
  async enter(signal: AbortSignal, patient: boolean): Promise<() => void> {
    if (this.#active < this.#limit) this.#active += 1;
    else if (patient) await this.#wait(signal);
    else throw this.#busy();
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#leave();
    };
  }

  /** Whoever waits longest takes the place over. */
  #leave(): void {
    const [next] = this.#waiting;
    if (next) next();
    else this.#active -= 1;
  }

  #wait(signal: AbortSignal): Promise<void> {
    if (this.#waiting.size >= this.#limit) return Promise.reject(this.#busy());
    return new Promise((resolve, reject) => {
      const settle = (error?: Error): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", gone);
        this.#waiting.delete(settle);
        if (error) reject(error);
        else resolve();
      };
      const gone = (): void => settle(new ModTsError("MODTS_CLIENT_GONE"));
      const timer = setTimeout(() => settle(this.#busy()), patience);
      this.#waiting.add(settle);
      signal.addEventListener("abort", gone, { once: true });
      if (signal.aborted) gone();
    });
  }

  #busy(): ModTsError {
    return new ModTsError("MODTS_ORIGIN_BUSY", { limit: this.#limit });
  }
}
