/**
 * An end to waiting for user code.
 * @module
 */

/** User code took longer than it may. */
export class DeadlineError extends Error {
  override readonly name = "DeadlineError";

  constructor(limit: number, options?: ErrorOptions) {
    super(`not finished within ${limit} ms`, options);
  }
}

/** Settles as `work` does, or rejects with a {@link DeadlineError} after `limit` milliseconds; `work` itself goes on. */
export async function withDeadline<T>(work: Promise<T>, limit: number): Promise<T> {
  const { promise: deadline, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new DeadlineError(limit)), limit);
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
    // Lost races must not become unhandled rejections.
    work.catch(() => undefined);
  }
}
