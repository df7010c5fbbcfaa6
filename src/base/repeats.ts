/**
 * Counting of repeated log lines.
 *
 * Attack: a service that is down, or a client in a loop, causes the same line for each request, and
 * the lines that matter are not found any more.
 */

export interface RepeatOptions<T> {
  /** Equal lines that are written within a window; the rest is counted. */
  readonly most: number;
  /** Milliseconds. */
  readonly window: number;
  /** Called at the end of a window, with the first line and the number of those not written. */
  readonly report: (first: T, more: number) => void;
}

/** Different lines that are counted at a time; others are written. */
const maxKeys = 1000;

export class Repeats<T> {
  readonly #options: RepeatOptions<T>;
  readonly #seen = new Map<string, { first: T; count: number }>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: RepeatOptions<T>) {
    this.#options = options;
  }

  /** Whether a line is to be written; else it is counted. */
  admits(key: string, line: T): boolean {
    const entry = this.#seen.get(key) ?? { first: line, count: 0 };
    entry.count += 1;
    if (entry.count === 1 && this.#seen.size < maxKeys) this.#seen.set(key, entry);
    this.#timer ??= setTimeout(() => this.flush(), this.#options.window).unref();
    return entry.count <= this.#options.most;
  }

  /** Ends the window. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { most, report } = this.#options;
    const counted = [...this.#seen.values()].filter(({ count }) => count > most);
    this.#seen.clear();
    for (const { first, count } of counted) report(first, count - most);
  }
}
