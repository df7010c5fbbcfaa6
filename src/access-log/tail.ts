/** Lines of a file that another program appends to, and renames now and then. */
import { readdirSync } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** A byte of a file. The inode tells a file from its successor of the same name. */
export interface LogPosition {
  readonly device: number;
  readonly inode: number;
  readonly offset: number;
}

/** Bytes of one read, and of one line. */
const chunkBytes = 256 * 1024;

/** Complete lines without their line feed, and the position behind them. */
export interface LineBatch {
  readonly lines: readonly Buffer[];
  readonly position: LogPosition;
}

/** Reads a file from a position; after logrotate, the rest of the old file first. */
export class Tail {
  readonly #path: string;
  #file: FileHandle | undefined;
  #position: LogPosition | undefined;

  constructor(path: string, position: LogPosition | undefined) {
    this.#path = path;
    this.#position = position;
  }

  /**
   * The next complete lines; undefined if there are none yet. An unread batch is returned again
   * after a restart.
   */
  async read(): Promise<LineBatch | undefined> {
    this.#file ??= await this.#open();
    if (!this.#file) return undefined;
    // First, whether there is a new file: httpd writes to the old one until it is reloaded.
    const isRenamed = await this.#isRenamed();
    const batch = await this.#readLines(this.#file);
    if (batch || !isRenamed) return batch;
    await this.close();
    this.#position = undefined;
    this.#file = await this.#open();
    return this.#file && this.#readLines(this.#file);
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  /** The file of the position, also under another name; else the one of the path, from its start. */
  async #open(): Promise<FileHandle | undefined> {
    const before = this.#position;
    const candidates = before ? [this.#path, ...renamed(this.#path)] : [this.#path];
    for (const path of candidates) {
      const file = await openIfThere(path);
      if (!file) continue;
      const { dev: device, ino: inode, size } = await file.stat();
      if (!before) this.#position = { device, inode, offset: 0 };
      if (this.#position?.inode === inode && this.#position.device === device) {
        // Truncated (copytruncate of logrotate).
        if (size < this.#position.offset) this.#position = { device, inode, offset: 0 };
        return file;
      }
      await file.close();
    }
    if (!before) return undefined;
    this.#position = undefined;
    return this.#open();
  }

  async #isRenamed(): Promise<boolean> {
    const now = await stat(this.#path).catch(() => undefined);
    const { inode, device } = this.#position!;
    return now !== undefined && (now.ino !== inode || now.dev !== device);
  }

  async #readLines(file: FileHandle): Promise<LineBatch | undefined> {
    const { device, inode, offset } = this.#position!;
    const { size } = await file.stat();
    const start = size < offset ? 0 : offset;
    if (size === start) return undefined;
    const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, size - start));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, start);
    const end = buffer.subarray(0, bytesRead).lastIndexOf(0x0a) + 1;
    // httpd writes no longer line: its fields have at most 8,190 bytes each.
    const used = end === 0 && bytesRead === chunkBytes ? bytesRead : end;
    if (used === 0) return undefined;
    this.#position = { device, inode, offset: start + used };
    return { lines: splitLines(buffer.subarray(0, used)), position: this.#position };
  }
}

function splitLines(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let start = 0; start < bytes.length;) {
    const found = bytes.indexOf(0x0a, start);
    const end = found < 0 ? bytes.length : found;
    if (end > start) lines.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return lines;
}

/** Files that logrotate may have made of this one, e.g. `access.log.1`, `access.log-20261130`. */
function renamed(path: string): string[] {
  const directory = dirname(path);
  const prefix = basename(path);
  const names = readdirSync(directory).filter((name) => name !== prefix && name.startsWith(prefix));
  return names.map((name) => join(directory, name));
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
