/** File status of the requested file, under the names of mod_python's `finfo`. */
import { statSync, type Stats } from "node:fs";
import { basename } from "node:path";
import { attempt } from "../base/attempt.ts";

/** Kinds of file; mod_python: `APR_*`. */
export type FileType =
  | "none"
  | "regular"
  | "directory"
  | "character"
  | "block"
  | "pipe"
  | "socket"
  | "unknown";

/** Read once, at construction. Numbers are null unless {@link valid}. */
export class FileInfo {
  /** The given path. */
  readonly fname: string;
  /** Last part of the path. */
  readonly name: string;
  /** Whether the file exists and is accessible. */
  readonly valid: boolean;
  /** `none` unless {@link valid}. */
  readonly filetype: FileType;
  /** Permission bits, e.g. `0o644`. mod_python: `protection`. */
  readonly mode: number | null;
  /** Id of the owner. */
  readonly user: number | null;
  /** Id of the group. */
  readonly group: number | null;
  /** Bytes. */
  readonly size: number | null;
  readonly inode: number | null;
  readonly device: number | null;
  /** Number of hard links. */
  readonly nlink: number | null;
  /** Last access, seconds since 1970. */
  readonly atime: number | null;
  /** Last change of the content, seconds since 1970. */
  readonly mtime: number | null;
  /** Last change of the inode, seconds since 1970. */
  readonly ctime: number | null;

  /** @param fname may not exist or be inaccessible: then the result is not {@link valid} */
  constructor(fname: string) {
    const stats = attempt(() => statSync(fname, { throwIfNoEntry: false }), undefined);
    this.fname = fname;
    this.name = basename(fname);
    this.valid = stats !== undefined;
    this.filetype = stats ? typeOf(stats) : "none";
    this.mode = stats ? stats.mode & 0o7777 : null;
    this.user = stats?.uid ?? null;
    this.group = stats?.gid ?? null;
    this.size = stats?.size ?? null;
    this.inode = stats?.ino ?? null;
    this.device = stats?.dev ?? null;
    this.nlink = stats?.nlink ?? null;
    this.atime = stats ? stats.atimeMs / 1000 : null;
    this.mtime = stats ? stats.mtimeMs / 1000 : null;
    this.ctime = stats ? stats.ctimeMs / 1000 : null;
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
