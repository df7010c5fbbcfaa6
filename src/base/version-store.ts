/**
 * Last good versions of handlers and scripts, for all workers of a sidecar.
 *
 * ```
 * versions/                    0700, made by the supervisor at its start, removed at its end
 *   <digest of the name>/<n>   the n-th version: a line of JSON, then what the loader needs of it
 * ```
 *
 * The highest number counts. A version is linked to the number after it, which fails if another
 * worker was first; so there is an order without a lock, and no reader sees half a version.
 *
 * Attack: who can write here chooses what workers run. A directory that others could write to or
 * replace is not used.
 */
import { hash, randomBytes } from "node:crypto";
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { attempt, ignoring } from "./attempt.ts";
import { ModTsError, report } from "./errors.ts";
import { log } from "./log.ts";
import { readStart } from "./files.ts";
import { openPrivateDirectory } from "./private-directory.ts";

export type VersionKind = "module" | "script";

export interface VersionName {
  readonly kind: VersionKind;
  /** Absolute path, as requested. */
  readonly file: string;
}

/** A module or script whose newest save cannot be loaded. */
export interface BrokenModule {
  /** Of the error. */
  readonly code: string;
  /** Names file, line and reason. */
  readonly message: string;
  /** Whether the last good version serves. */
  readonly isServed: boolean;
}

export interface VersionHead extends VersionName {
  /** Equal for builds of the same texts; empty when the file was deleted. */
  readonly id: string;
  /** Pools whose workers use it. */
  readonly pools: readonly string[];
}

export interface NumberedHead extends VersionHead {
  readonly number: number;
}

export interface VersionLimits {
  /** Bytes of all versions; above, the oldest are removed. @default 128 MiB */
  total?: number;
  /** Characters of one version; larger ones are not kept. @default 32 MiB */
  single?: number;
}

const mebibyte = 1024 ** 2;

/** Bytes of the first line. */
const longestHead = 16 * 1024;

/** Other workers may be about to read a version that was just replaced. */
const keptNumbers = 3;

/** Creates the empty directory: a version of an earlier run must not come back. */
export function prepareVersions(run: string): void {
  const directory = directoryOf(run);
  try {
    removeVersions(run);
    openPrivateDirectory(directory);
  } catch (error) {
    reportUnusable(directory, error);
  }
}

export function removeVersions(run: string): void {
  rmSync(directoryOf(run), { recursive: true, force: true, maxRetries: 3 });
}

export class VersionStore {
  readonly #directory: string;
  readonly #pool: string;
  readonly #limits: Required<VersionLimits>;
  #isUsable: boolean | undefined;
  /** Bytes written since the last look at all versions; at the start unknown. */
  #written = Infinity;

  constructor(run: string, pool: string, limits: VersionLimits = {}) {
    this.#directory = directoryOf(run);
    this.#pool = pool;
    this.#limits = { total: 128 * mebibyte, single: 32 * mebibyte, ...limits };
  }

  /** Number of the newest version; 0 when there is none. */
  number(name: VersionName): number {
    if (!this.#open()) return 0;
    return Math.max(0, ...numbersIn(this.#folder(name)));
  }

  /** The newest version, without its content. */
  head(name: VersionName): NumberedHead | undefined {
    const number = this.number(name);
    return number === 0 ? undefined : readHead(this.#path(name, number), number);
  }

  /** The newest version with its content; undefined when there is none, or it is damaged. */
  read(name: VersionName): { head: NumberedHead; content: string } | undefined {
    const number = this.number(name);
    if (number === 0) return undefined;
    const text = attempt(() => readFileSync(this.#path(name, number), "utf8"), "");
    const end = text.indexOf("\n");
    const content = text.slice(end + 1);
    const head = parseHead(text.slice(0, end), number);
    return head?.digest === hash("sha256", content) ? { head, content } : undefined;
  }

  /**
   * Makes a good version the newest one. Never throws.
   *
   * `since` is the number when its files were about to be read. If another version came meanwhile,
   * this one counts only if `isCurrent()`: its files are still those on disk.
   */
  record(
    name: VersionName,
    id: string,
    content: () => string,
    since: number,
    isCurrent: () => boolean,
  ): void {
    this.#write(name, since, isCurrent, (newest) => {
      const isKnown = newest?.id === id;
      if (isKnown && newest.pools.includes(this.#pool)) return undefined;
      const kept = isKnown ? this.read(name)?.content : undefined;
      const pools = [...new Set([...(newest?.pools ?? []), this.#pool])];
      return { head: { ...name, id, pools }, content: kept ?? content() };
    });
  }

  /** Replaces the content of a version, if it is still the newest. */
  extend(name: VersionName, id: string, content: (before: string) => string): void {
    this.#write(
      name,
      this.number(name),
      () => true,
      (newest) => {
        const before = newest?.id === id ? this.read(name) : undefined;
        if (!before) return undefined;
        const next = content(before.content);
        return next === before.content ? undefined : { head: before.head, content: next };
      },
    );
  }

  /** Ends all versions of a deleted file; `isGone` as for {@link record}. */
  bury(name: VersionName, since: number, isGone: () => boolean): void {
    this.#write(name, since, isGone, (newest) =>
      newest?.id === "" ? undefined : { head: { ...name, id: "", pools: [] }, content: "" },
    );
  }

  /** The files with a good version that workers of this pool use. */
  list(kind: VersionKind): string[] {
    if (!this.#open()) return [];
    return namesIn(this.#directory).flatMap((folder) => {
      const path = join(this.#directory, folder);
      const number = Math.max(0, ...numbersIn(path));
      const head = number === 0 ? undefined : readHead(join(path, String(number)), number);
      const isUsed = head?.kind === kind && head.id !== "" && head.pools.includes(this.#pool);
      return isUsed ? [head.file] : [];
    });
  }

  /** Only the supervisor makes the directory: without one, nobody would remove it. */
  #open(): boolean {
    if (this.#isUsable !== undefined) return this.#isUsable;
    if (!existsSync(this.#directory)) return false;
    try {
      openPrivateDirectory(this.#directory);
      this.#isUsable = true;
    } catch (error) {
      this.#isUsable = false;
      reportUnusable(this.#directory, error);
    }
    return this.#isUsable;
  }

  #write(
    name: VersionName,
    since: number,
    isCurrent: () => boolean,
    compose: (newest: NumberedHead | undefined) => Composed | undefined,
  ): void {
    if (!this.#open()) return;
    try {
      for (;;) {
        const newest = this.head(name);
        const number = newest?.number ?? this.number(name);
        // Before the link: who is not first there looks again.
        if (number !== since && !isCurrent()) return;
        const version = compose(newest);
        if (!version || this.#link(name, number + 1, version)) return;
      }
    } catch (error) {
      // Full disk, for example. An older version must not pass for the last good one.
      rmSync(this.#folder(name), { recursive: true, force: true });
      // The supervisor has stopped.
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      log("warn", `the last good version of ${name.file} is not kept`, { error });
    }
  }

  /** Whether this worker was the first with this number. */
  #link(name: VersionName, number: number, { head, content }: Composed): boolean {
    const { single } = this.#limits;
    if (content.length > single) throw new Error(`larger than ${single} characters`);
    const folder = this.#folder(name);
    const { kind, file, id, pools } = head;
    const line = JSON.stringify({ kind, file, id, pools, digest: hash("sha256", content) });
    if (Buffer.byteLength(line) > longestHead) throw new Error("the path is too long");
    this.#makeRoom(content.length);
    makeFolder(folder);
    const draft = join(folder, `draft-${randomBytes(8).toString("hex")}`);
    try {
      writeFileSync(draft, `${line}\n${content}`, { flag: "wx", mode: 0o600 });
      linkSync(draft, join(folder, String(number)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
      throw error;
    } finally {
      rmSync(draft, { force: true });
    }
    // Nothing of a deleted file stays.
    const kept = id === "" ? 1 : keptNumbers;
    for (const old of numbersIn(folder)) {
      if (old <= number - kept) rmSync(join(folder, String(old)), { force: true });
    }
    return true;
  }

  /** All versions are looked at rarely: each process may write an eighth of the limit meanwhile. */
  #makeRoom(bytes: number): void {
    const { total } = this.#limits;
    this.#written += bytes;
    if (this.#written < total / 8) return;
    this.#written = 0;
    const folders = namesIn(this.#directory)
      .map((name) => measure(join(this.#directory, name)))
      .toSorted((a, b) => a.time - b.time);
    let sum = folders.reduce((before, { size }) => before + size, 0);
    for (const { path, size } of folders) {
      if (sum <= total) return;
      rmSync(path, { recursive: true, force: true });
      sum -= size;
    }
  }

  #folder({ kind, file }: VersionName): string {
    return join(this.#directory, hash("sha256", `${kind} ${file}`));
  }

  #path(name: VersionName, number: number): string {
    return join(this.#folder(name), String(number));
  }
}

interface Composed {
  readonly head: VersionHead;
  readonly content: string;
}

function directoryOf(run: string): string {
  return join(run, "versions");
}

function reportUnusable(directory: string, error: unknown): void {
  report(new ModTsError("MODTS_VERSION_STORE", { directory, reason: (error as Error).message }));
}

/** Not recursive: a worker that is being stopped must not make the directory above again. */
function makeFolder(folder: string): void {
  ignoring("EEXIST", () => mkdirSync(folder, { mode: 0o700 }));
}

function readHead(path: string, number: number): NumberedHead | undefined {
  return attempt(() => {
    const text = readStart(path, longestHead + 1).toString("utf8");
    return parseHead(text.slice(0, text.indexOf("\n")), number);
  }, undefined);
}

function parseHead(line: string, number: number): (NumberedHead & { digest: string }) | undefined {
  return attempt(
    () => ({ ...(JSON.parse(line) as VersionHead & { digest: string }), number }),
    undefined,
  );
}

function numbersIn(folder: string): number[] {
  return namesIn(folder)
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function namesIn(folder: string): string[] {
  return attempt(() => readdirSync(folder), []);
}

function measure(path: string): { path: string; size: number; time: number } {
  const all = namesIn(path).map((name) => statSync(join(path, name), { throwIfNoEntry: false }));
  const size = all.reduce((sum, stats) => sum + (stats?.size ?? 0), 0);
  return { path, size, time: Math.max(0, ...all.map((stats) => stats?.mtimeMs ?? 0)) };
}
