/**
 * The file system as the truth: asked at the request, because every watcher loses events.
 * @module
 */
import { readFileSync, realpathSync, statSync } from "node:fs";
import { performance } from "node:perf_hooks";

/** What a write changes, at least one of them. */
export interface Signature {
  mtimeMs: number;
  /** Tools that keep the mtime (`cp -p`, `rsync -t`) cannot keep this one. */
  ctimeMs: number;
  size: number;
  ino: number;
}

/** One look at one file. */
export interface Snapshot {
  /** Undefined when there was no such file. */
  signature: Signature | undefined;
  /** Undefined when there was no such file, or it could not be read. */
  text: string | undefined;
  /** Why an existing file could not be read. */
  error: Error | undefined;
  /** The clock of the file system ticks slowly: a write in the same tick leaves the same signature. */
  racy: boolean;
}

/** A file that a build looked at, and what it saw. */
export interface Input {
  path: string;
  /** Where the path led; a symlink swap between hard-linked releases shows here alone. */
  real: string | undefined;
  snapshot: Snapshot;
}

/** Milliseconds that a file may be absent or empty before that counts: editors delete and create, or truncate and write. */
const settleTime = 100;

/** Milliseconds after a change in which a second one may carry the same time stamp. */
const clockTick = 20;

const missing: Snapshot = { signature: undefined, text: undefined, error: undefined, racy: false };

/** Signatures and texts of the files of user modules. */
export class Disk {
  readonly #known = new Map<string, Snapshot>();
  readonly #unsettled = new Map<string, number>();
  readonly #seen = new Map<string, Signature | undefined>();
  #loopCount = -1;
  #events = -1;
  #turns = 0;

  /**
   * Counts the turns of the event loop in which something was asked.
   *
   * Bytes of a request that is being handled now were in the kernel before the loop last asked for events, so a stat made
   * since then cannot be older than the request: it serves every request of the same turn. The libuv metrics tell the
   * turns apart exactly; `setImmediate` would not, for a stat made in a timer would survive the next poll.
   */
  turn(): number {
    const { loopCount, events } = performance.nodeTiming.uvMetricsInfo;
    if (loopCount === this.#loopCount && events === this.#events) return this.#turns;
    this.#loopCount = loopCount;
    this.#events = events;
    this.#seen.clear();
    return ++this.#turns;
  }

  /** Begins a new turn by hand: after a build, in which user code may have written files. */
  endTurn(): void {
    this.#loopCount = -1;
  }

  /** The signature of a file, at most one turn of the event loop old; undefined when there is no such file. */
  signature(path: string): Signature | undefined {
    this.turn();
    if (this.#seen.has(path)) return this.#seen.get(path);
    const signature = stat(path);
    this.#seen.set(path, signature);
    return signature;
  }

  /** Whether a file is what a build saw. Reads the text only when the time stamp cannot tell. */
  isFresh(input: Input): boolean {
    const { path, real, snapshot } = input;
    const signature = this.signature(path);
    if (!isSame(signature, snapshot.signature)) return false;
    if (real !== undefined && real !== path && realpath(path) !== real) return false;
    if (!snapshot.racy) return true;
    if (readText(path).text !== snapshot.text) return false;
    snapshot.racy = isRacy(signature);
    return true;
  }

  /**
   * Looks at a file again. `settled` is false while the file has just vanished or is just empty: the snapshot is then
   * the one before, and the caller asks again at the next request.
   */
  look(path: string): { snapshot: Snapshot; settled: boolean } {
    const known = this.#known.get(path);
    // The stat comes before the read: the other way round, a write between the two binds its stamp to the old text for ever.
    const signature = this.signature(path);
    if (known && isSame(known.signature, signature) && !known.racy) {
      this.#unsettled.delete(path);
      return { snapshot: known, settled: true };
    }
    const snapshot = read(path, signature, known);
    if (known?.text && !snapshot.text && !snapshot.error && this.#waits(path)) {
      return { snapshot: known, settled: false };
    }
    this.#unsettled.delete(path);
    this.#known.set(path, snapshot);
    return { snapshot, settled: true };
  }

  /** Drops what is known of a file that nobody imports any more. */
  forget(path: string): void {
    this.#known.delete(path);
    this.#unsettled.delete(path);
  }

  #waits(path: string): boolean {
    const since = this.#unsettled.get(path) ?? performance.now();
    this.#unsettled.set(path, since);
    return performance.now() - since < settleTime;
  }
}

/** Resolves symlinks; undefined when there is nothing at the path. */
export function realpath(path: string): string | undefined {
  try {
    return realpathSync.native(path);
  } catch {
    return undefined;
  }
}

function stat(path: string): Signature | undefined {
  try {
    // Numbers: of these times they still tell a quarter of a microsecond, and bigints would cost every request a dozen objects.
    const stats = statSync(path, { throwIfNoEntry: false });
    if (!stats?.isFile()) return undefined;
    const { mtimeMs, ctimeMs, size, ino } = stats;
    return { mtimeMs, ctimeMs, size, ino };
  } catch {
    // ENOTDIR, EACCES on a folder, ELOOP: for an import all the same as "not there".
    return undefined;
  }
}

function read(path: string, signature: Signature | undefined, known?: Snapshot): Snapshot {
  if (!signature) return missing;
  const { text, error } = readText(path);
  if (text === undefined && error === undefined) return missing;
  // The same text keeps the same string: thousands of touches must not leave thousands of copies.
  const same = known?.text !== undefined && known.text === text;
  return { signature, text: same ? known.text : text, error, racy: isRacy(signature) };
}

function readText(path: string): { text?: string; error?: Error } {
  try {
    return { text: readFileSync(path, "utf8") };
  } catch (error) {
    const failure = error as NodeJS.ErrnoException;
    return failure.code === "ENOENT" ? {} : { error: failure };
  }
}

function isSame(a: Signature | undefined, b: Signature | undefined): boolean {
  if (a === b) return true;
  if (!a || !b) return false;
  return a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs && a.size === b.size && a.ino === b.ino;
}

function isRacy(signature: Signature | undefined): boolean {
  return signature !== undefined && Date.now() - signature.ctimeMs < clockTick;
}
