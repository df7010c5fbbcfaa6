/** Sends a file, or a part of it, as the response. */
import { closeSync, constants, fstatSync, openSync, read, readSync } from "node:fs";
import { promisify } from "node:util";
import { ModTsError } from "../../base/errors.ts";
import { takeBlock } from "./blocks.ts";
import type { ResponseBuffer } from "./response.ts";

/** In bytes; a negative length means the rest. */
export interface FileRange {
  readonly offset: number;
  readonly length: number;
}

/** A longer one leaves the cache of the CPU before it is sent. */
const blockSize = 262_144;
/**
 * A thread costs more than the copy from the cache of the kernel. So a file is read at once until a
 * block takes longer, which comes from a disk: then the others wait for a thread.
 */
const longestReadMs = 1;

const readLater = promisify(read);

/**
 * Sends a range of a file, following symbolic links; resolves with the number of bytes. If nothing
 * was written, the length is announced; call `flush()` before, if more is to follow.
 */
export async function sendFile(
  response: ResponseBuffer,
  path: string,
  range: FileRange,
): Promise<number> {
  const { file, size } = openFile(path);
  try {
    const length = clampLength(path, range, size);
    const wanted = response.announceFile(length);
    if (wanted) await copyRange(response, file, { offset: range.offset, length }, path);
    return length;
  } finally {
    closeSync(file);
  }
}

/** The descriptor is the caller's, who closes it. */
function openFile(path: string): { file: number; size: number } {
  let file: number | undefined;
  try {
    // Opening a pipe without writer would block forever.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = fstatSync(file);
    if (!stats.isFile()) throw new Error("not a regular file");
    return { file, size: stats.size };
  } catch (cause) {
    if (file !== undefined) closeSync(file);
    throw unreadable(path, (cause as Error).message, cause);
  }
}

function clampLength(path: string, { offset, length }: FileRange, size: number): number {
  if (!Number.isInteger(offset) || !Number.isInteger(length) || offset < 0) {
    throw unreadable(path, "offset and length must be whole numbers, the offset not negative");
  }
  const left = Math.max(0, size - offset);
  return length < 0 ? left : Math.min(left, length);
}

async function copyRange(
  response: ResponseBuffer,
  file: number,
  range: FileRange,
  path: string,
): Promise<void> {
  // Whatever follows the last block waits for it, so that the end of the response need not. A
  // response that has not begun can still be sent in one piece.
  let isFree = false;
  let isCached = true;
  for (let done = 0; done < range.length;) {
    if (response.begun && !isFree) await response.flush();
    const wanted = Math.min(blockSize, range.length - done);
    const { bytes, release } = takeBlock(wanted);
    const at = range.offset + done;
    const began = performance.now();
    const count = isCached
      ? readSync(file, bytes, 0, wanted, at)
      : (await readLater(file, bytes, 0, wanted, at)).bytesRead;
    isCached &&= performance.now() - began < longestReadMs;
    if (count === 0) throw unreadable(path, "it became shorter while it was read");
    done += count;
    isFree = response.lend(bytes.subarray(0, count), release);
  }
}

function unreadable(file: string, reason: string, cause?: unknown): ModTsError {
  return new ModTsError("MODTS_FILE_UNREADABLE", { file, reason }, { cause });
}
