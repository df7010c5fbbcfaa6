/**
 * Counters of this process that another thread can read, also while the event loop is blocked.
 *
 * Only the main thread writes them, so plain additions are exact.
 */

/** Positions in {@link vitals}. */
const fields = {
  /** Turns of the heartbeat timer: it stands still while the event loop is blocked. */
  beats: 0,
  /** Builds of user modules that are running: their top-level code has a separate time limit. */
  builds: 1,
  /** Requests since the start. */
  requests: 2,
  /** Handlers that still run although their request has had its 504. */
  overdue: 3,
  /** Used heap in KiB. */
  heap: 4,
} as const;

export type Vital = keyof typeof fields;

/** In the order of their declaration; for the watchdog thread. */
export const vitals: Int32Array = new Int32Array(
  new SharedArrayBuffer(Object.keys(fields).length * Int32Array.BYTES_PER_ELEMENT),
);

export function addToVital(name: Vital, amount = 1): void {
  vitals[fields[name]]! += amount;
}

export function setVital(name: Vital, value: number): void {
  vitals[fields[name]] = value;
}

/** A value of {@link vitals}, or of a copy from another process. */
export function readFrom(values: ArrayLike<number>, name: Vital): number {
  return values[fields[name]] ?? 0;
}

/** Counts `work` under a name while it runs. */
export async function during<T>(name: Vital, work: () => Promise<T>): Promise<T> {
  addToVital(name, 1);
  try {
    return await work();
  } finally {
    addToVital(name, -1);
  }
}
