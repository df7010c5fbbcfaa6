/** Queue of this process's requests for one session. Only its head queries the store. */
import { ModTsError } from "../base/errors.ts";

interface Waiter {
  readonly shared: boolean;
  grant(): void;
}

interface Line {
  active: number;
  shared: boolean;
  /** Milliseconds since 1970. */
  since: number;
  readonly waiting: Waiter[];
}

export interface WaitLimit {
  /** Milliseconds. */
  readonly limit: number;
  /** Signal of the request; used only to wait. */
  signal(): AbortSignal;
}

export class LockQueue {
  readonly #lines = new Map<string, Line>();

  /** Resolves on its turn. Rejects with `MODTS_SESSION_LOCKED` or `MODTS_CLIENT_GONE`. */
  enter(key: string, shared: boolean, wait: WaitLimit): Promise<void> | void {
    const line = this.#lines.get(key);
    if (!line) {
      this.#lines.set(key, { active: 1, shared, since: Date.now(), waiting: [] });
      return;
    }
    if (shared && line.shared && line.waiting.length === 0) {
      line.active += 1;
      return;
    }
    return this.#wait(line, shared, wait);
  }

  leave(key: string): void {
    const line = this.#lines.get(key);
    if (!line) return;
    line.active -= 1;
    if (line.active > 0) return;
    if (line.waiting.length === 0) this.#lines.delete(key);
    else admit(line);
  }

  #wait(line: Line, shared: boolean, { limit, signal }: WaitLimit): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const gone = signal();
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      gone.removeEventListener("abort", abort);
      act();
    };
    const waiter: Waiter = { shared, grant: () => settle(resolve) };
    const giveUp = (error: ModTsError): void => {
      line.waiting.splice(line.waiting.indexOf(waiter), 1);
      settle(() => reject(error));
      // This waiter may have been the only obstacle to sharing the lock.
      if (line.shared && line.active > 0) admitShared(line);
    };
    const abort = (): void => giveUp(new ModTsError("MODTS_CLIENT_GONE"));
    const timer = setTimeout(() => giveUp(lockedError(line.since, limit)), limit);
    line.waiting.push(waiter);
    if (gone.aborted) abort();
    else gone.addEventListener("abort", abort);
    return promise;
  }
}

/** @param since milliseconds since 1970 */
export function lockedError(since: number, limit: number): ModTsError {
  const age = ((Date.now() - since) / 1000).toFixed(1);
  return new ModTsError("MODTS_SESSION_LOCKED", { age, limit: limit / 1000 });
}

function admit(line: Line): void {
  const first = line.waiting.shift() as Waiter;
  line.active = 1;
  line.shared = first.shared;
  line.since = Date.now();
  first.grant();
  if (first.shared) admitShared(line);
}

function admitShared(line: Line): void {
  while (line.waiting[0]?.shared) {
    line.active += 1;
    line.waiting.shift()?.grant();
  }
}
