/**
 * Sessions that their users have ended. A signed cookie is good until it expires, also in the hands of whoever copied it.
 *
 * An empty file for each, named after the session, with the time until which it counts: all workers see it, it outlives them, and
 * to look for it costs a few microseconds.
 * @module
 */
import { mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A folder of ended sessions. */
export class EndedSessions {
  readonly #folder: string;

  /** @param folder absolute; made when it is needed */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Whether this session was ended. */
  has(id: string): boolean {
    return statSync(this.#file(id), { throwIfNoEntry: false }) !== undefined;
  }

  /** Ends a session. `until`, seconds since 1970: when it would have expired by itself. Throws when that cannot be written. */
  add(id: string, until: number): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    this.#sweep();
    writeFileSync(this.#file(id), "", { mode: 0o600 });
    utimesSync(this.#file(id), until, until);
  }

  #sweep(): void {
    for (const name of readdirSync(this.#folder)) {
      const file = join(this.#folder, name);
      const stat = statSync(file, { throwIfNoEntry: false });
      if (stat && stat.mtimeMs < Date.now()) rmSync(file, { force: true });
    }
  }

  #file(id: string): string {
    // Ids come out of signed cookies; still, nothing else may become a path.
    if (!/^[0-9a-f]{32}$/.test(id)) throw new TypeError("not the id of a session");
    return join(this.#folder, id);
  }
}
