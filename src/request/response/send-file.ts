/** Sends a file, or a part of it, as the response. */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { ModTsError } from "../../base/errors.ts";
import { takeBlock } from "./blocks.ts";
import type { ResponseBuffer } from "./response.ts";

/** In bytes; a negative length means the rest. */
export interface FileRange {
  readonly offset: number;
  readonly length: number;
}

/** Each read is a turn of the loop and of a thread. */
const blockSize = 262_144;
/** A range that is not longer is copied, and can be sent together with other output. */
const shortLength = 65_536;

/**
 * Sends a range of a file, following symbolic links; resolves with the number of bytes. If nothing
 * was written, the length is announced; call `flush()` before, if more is to follow.
 */
export async function sendFile(
  response: ResponseBuffer,
  path: string,
  range: FileRange,
): Promise<number> {
  const { file, size } = await openFile(path);
  try {
    const length = clampLength(path, range, size);
    const wanted = response.announceFile(length);
    if (wanted) await copyRange(response, file, { offset: range.offset, length }, path);
    return length;
  } finally {
    await file.close();
  }
}

async function openFile(path: string): Promise<{ file: FileHandle; size: number }> {
  let file: FileHandle | undefined;
  try {
    // Opening a pipe without writer would block forever.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = await file.stat();
    if (!stats.isFile()) throw new Error("it is not a regular file");
    return { file, size: stats.size };
  } catch (cause) {
    await file?.close();
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
  file: FileHandle,
  range: FileRange,
  path: string,
): Promise<void> {
  for (let done = 0; done < range.length;) {
    const wanted = Math.min(blockSize, range.length - done);
    const { bytes, release } = takeBlock(wanted);
    const { bytesRead } = await file.read(bytes, 0, wanted, range.offset + done);
    if (bytesRead === 0) throw unreadable(path, "it became shorter while it was read");
    done += bytesRead;
    const part = bytes.subarray(0, bytesRead);
    if (
      !(range.length > shortLength ? response.give(part, release) : copy(response, part, release))
    ) {
      await response.flush();
    }
  }
}

function copy(response: ResponseBuffer, part: Uint8Array, release: () => void): boolean {
  const isTaken = response.write(part);
  release();
  return isTaken;
}

function unreadable(file: string, reason: string, cause?: unknown): ModTsError {
  return new ModTsError("MODTS_FILE_UNREADABLE", { file, reason }, { cause });
}
