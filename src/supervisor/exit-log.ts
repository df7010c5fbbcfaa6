/** Log of the exits of a pool's workers: a crash loop is one line, not a line for each attempt. */
import { ModTsError, report } from "../base/errors.ts";
import { log } from "../base/log.ts";

export interface WorkerExit {
  pid: number;
  reason: string;
  /** Milliseconds since `ready`; negative if it never was. */
  age: number;
}

/** Exits in a row that are logged one by one. */
const singles = 2;

/** Milliseconds between two lines about the same crash loop. */
const repeatMs = 60_000;

export class ExitLog {
  readonly #pool: string;
  readonly #resetMs: number;
  readonly #now: () => number;
  #inRow = 0;
  #reason: string | undefined;
  #loggedAt = 0;

  /** `resetMs`: after this uptime an exit is a single one again. */
  constructor(pool: string, resetMs: number, now: () => number = () => performance.now()) {
    this.#pool = pool;
    this.#resetMs = resetMs;
    this.#now = now;
  }

  note({ pid, reason, age }: WorkerExit): void {
    if (age >= this.#resetMs) this.#inRow = 0;
    this.#inRow += 1;
    const pool = this.#pool;
    if (this.#inRow <= singles) {
      this.#reason = undefined;
      return report(new ModTsError("MODTS_WORKER_DIED", { pid, pool, reason }));
    }
    const isRepeated = reason === this.#reason && this.#now() - this.#loggedAt < repeatMs;
    if (isRepeated) return;
    this.#reason = reason;
    this.#loggedAt = this.#now();
    report(new ModTsError("MODTS_CRASH_LOOP", { pool, count: this.#inRow, reason }));
  }

  /** Called when a worker has been up for `resetMs`. */
  recover(): void {
    if (this.#inRow > singles) {
      log("notice", `workers of pool ${this.#pool} stay up again, after ${this.#inRow} exits`);
    }
    this.#inRow = 0;
  }
}
