/** File system checks at the request: every watcher loses events. */
import { readFileSync, realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { performance } from "node:perf_hooks";
import { attempt } from "../base/attempt.ts";
import { setBounded } from "../base/cache.ts";

/** At least one of these changes with each write. */
export interface Signature {
  mtimeMs: number;
  /** Tools that keep the mtime (`cp -p`, `rsync -t`) cannot keep this one. */
  ctimeMs: number;
  size: number;
  ino: number;
}

export interface Snapshot {
  /** Undefined: there was no such file. */
  signature: Signature | undefined;
  /** Undefined: missing or unreadable. */
  text: string | undefined;
  /** Why an existing file could not be read. */
  error: Error | undefined;
  /** Time stamps are coarse: a write in the same tick leaves the same signature. */
  racy: boolean;
}

/** A file examined by a build, and its state then. */
export interface Input {
  path: string;
  /** Target of the path; only it reveals a symlink swap between hard-linked releases. */
  real: string | undefined;
  snapshot: Snapshot;
}

/** Files may be absent or empty for this time: editors delete and create, or truncate and write. */
const settleTimeMs = 100;

/** Between truncating and writing, on a busy machine. */
const longestSaveMs = 1000;

/** Files whose signature is remembered. */
const maxSeen = 10_000;

/** Second changes within this time may have the same time stamp. */
const clockTickMs = 20;

const missing: Snapshot = { signature: undefined, text: undefined, error: undefined, racy: false };

export class Disk {
  readonly #known = new Map<string, Snapshot>();
  readonly #unsettled = new Map<string, number>();
  /** With the turn of each; changed in place, as a request must not leave anything behind. */
  readonly #seen = new Map<string, { turn: number; signature: Signature | undefined }>();
  #loopCount = -1;
  #events = -1;
  #turns = 0;

  /**
   * Counts the turns of the event loop. A request handled now was in the kernel before the loop
   * last polled, so a later stat cannot be older than the request, and serves all requests of the
   * turn. With `setImmediate` instead of libuv's metrics, a stat in a timer would outlive the next
   * poll.
   */
  turn(): number {
    const { loopCount, events } = performance.nodeTiming.uvMetricsInfo;
    if (loopCount === this.#loopCount && events === this.#events) return this.#turns;
    this.#loopCount = loopCount;
    this.#events = events;
    return ++this.#turns;
  }

  /** Begins a new turn: after a build, in which user code may have written files. */
  endTurn(): void {
    this.#loopCount = -1;
  }

  /** At most one turn of the event loop old; undefined when there is no such file. */
  signature(path: string): Signature | undefined {
    const turn = this.turn();
    const seen = this.#seen.get(path);
    if (seen?.turn === turn) return seen.signature;
    const signature = stat(path);
    if (seen) [seen.turn, seen.signature] = [turn, signature];
    else setBounded(this.#seen, path, { turn, signature }, maxSeen);
    return signature;
  }

  /** Whether a file is unchanged since a build. Reads it only if the time stamp cannot tell. */
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
   * Examines a file again. `settled` is false while the file has just vanished or become empty:
   * then the snapshot is the previous one, and the caller checks again at the next request.
   */
  look(path: string): { snapshot: Snapshot; settled: boolean } {
    const known = this.#known.get(path);
    // Stat before reading: otherwise a write in between binds its stamp to the old text forever.
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

  forget(path: string): void {
    this.#known.delete(path);
    this.#unsettled.delete(path);
  }

  #waits(path: string): boolean {
    const since = this.#unsettled.get(path) ?? performance.now();
    this.#unsettled.set(path, since);
    // All workers must agree, also one whose first look is long after the save.
    return performance.now() - since < settleTimeMs && isBeingSaved(path);
  }
}

/** Whether a path certainly leads nowhere; false for a directory that cannot be searched. */
export function isGone(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) === undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOTDIR";
  }
}

/** Undefined when the path does not exist. */
export function realpath(path: string): string | undefined {
  return attempt(() => realpathSync.native(path), undefined);
}

function stat(path: string): Signature | undefined {
  try {
    // Numbers are precise to 0.25 µs; bigints would cost a dozen objects per request.
    const stats = statSync(path, { throwIfNoEntry: false });
    if (!stats?.isFile()) return undefined;
    const { mtimeMs, ctimeMs, size, ino } = stats;
    return { mtimeMs, ctimeMs, size, ino };
  } catch {
    // ENOTDIR, EACCES on a directory, ELOOP: imports see a missing file.
    return undefined;
  }
}

function read(path: string, signature: Signature | undefined, known?: Snapshot): Snapshot {
  if (!signature) return missing;
  const { text, error } = readText(path);
  if (text === undefined && error === undefined) return missing;
  // Unchanged text keeps its string: thousands of touches must not leave thousands of copies.
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

/** Whether a file was just emptied, or has just vanished from its directory; true if unknown. */
function isBeingSaved(path: string): boolean {
  const [file, directory] = [path, dirname(path)].map((each) =>
    attempt(() => statSync(each, { throwIfNoEntry: false }), undefined),
  );
  if (file) return Date.now() - file.ctimeMs < longestSaveMs;
  return directory === undefined || Date.now() - directory.ctimeMs < settleTimeMs;
}

function isRacy(signature: Signature | undefined): boolean {
  return signature !== undefined && Date.now() - signature.ctimeMs < clockTickMs;
}
