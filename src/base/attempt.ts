/** Work that may throw, never finish, or be a promise of another library. */

/** The result of `work`, or `fallback` if it throws. */
export function attempt<T, Fallback>(work: () => T, fallback: Fallback): T | Fallback {
  try {
    return work();
  } catch {
    return fallback;
  }
}

/** The result of `work`; undefined if it throws the system's error of this code, e.g. `ENOENT`. */
export function ignoring<T>(code: string, work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === code) return undefined;
    throw error;
  }
}

export class DeadlineError extends Error {
  override readonly name = "DeadlineError";

  constructor(limitMs: number, options?: ErrorOptions) {
    super(`not finished within ${limitMs} ms`, options);
  }
}

/** Settles as `work` does, or rejects with `late()` after `limitMs`; `work` itself continues. */
export async function withinTime<T>(
  work: Promise<T>,
  limitMs: number,
  late: () => Error = () => new DeadlineError(limitMs),
): Promise<T> {
  const { promise: deadline, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(late()), limitMs);
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
    // Work that fails after its deadline must not become an unhandled rejection.
    work.catch(() => undefined);
  }
}

/** Also true for promise-like objects, such as the queries of some libraries. */
export function isPromiseLike<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}
