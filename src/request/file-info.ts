/**
 * What `stat` says of the requested file, under the names of mod_python's `finfo`.
 * @module
 */
import { statSync, type Stats } from "node:fs";
import { basename } from "node:path";

/** Kinds of file, in the words of mod_python's `APR_*` constants. */
export type FileType =
  | "none"
  | "regular"
  | "directory"
  | "character"
  | "block"
  | "pipe"
  | "socket"
  | "unknown";

/** Read once, at construction. Every number is null when {@link valid} is false. */
export class FileInfo {
  /** The path that was asked for. */
  readonly fname: string;
  /** Last part of the path. */
  readonly name: string;
  readonly #stats: Stats | undefined;

  /** @param fname A path; one that does not exist, or cannot be looked at, gives an entry that is not valid. */
  constructor(fname: string) {
    this.fname = fname;
    this.name = basename(fname);
    try {
      this.#stats = statSync(fname, { throwIfNoEntry: false });
    } catch {
      this.#stats = undefined;
    }
  }

  /** Whether the file exists and can be looked at. */
  get valid(): boolean {
    return this.#stats !== undefined;
  }
  /** Kind of file; `none` when it is not valid. */
  get filetype(): FileType {
    return this.#stats ? typeOf(this.#stats) : "none";
  }
  /** Permission bits, e.g. `0o644`. mod_python: `protection`. */
  get mode(): number | null {
    return this.#stats ? this.#stats.mode & 0o7777 : null;
  }
  /** Id of the owner. */
  get user(): number | null {
    return this.#stats?.uid ?? null;
  }
  /** Id of the group. */
  get group(): number | null {
    return this.#stats?.gid ?? null;
  }
  /** Bytes. */
  get size(): number | null {
    return this.#stats?.size ?? null;
  }
  get inode(): number | null {
    return this.#stats?.ino ?? null;
  }
  get device(): number | null {
    return this.#stats?.dev ?? null;
  }
  /** Number of hard links. */
  get nlink(): number | null {
    return this.#stats?.nlink ?? null;
  }
  /** Last access, seconds since 1970. */
  get atime(): number | null {
    return this.#stats ? this.#stats.atimeMs / 1000 : null;
  }
  /** Last change of the content, seconds since 1970. */
  get mtime(): number | null {
    return this.#stats ? this.#stats.mtimeMs / 1000 : null;
  }
  /** Last change of the inode, seconds since 1970. */
  get ctime(): number | null {
    return this.#stats ? this.#stats.ctimeMs / 1000 : null;
  }
}

function typeOf(stats: Stats): FileType {
  if (stats.isFile()) return "regular";
  if (stats.isDirectory()) return "directory";
  if (stats.isCharacterDevice()) return "character";
  if (stats.isBlockDevice()) return "block";
  if (stats.isFIFO()) return "pipe";
  return stats.isSocket() ? "socket" : "unknown";
}
