/** Small questions to the file system. */
import { accessSync, closeSync, openSync, readSync, statSync } from "node:fs";
import { attempt } from "./attempt.ts";

/** Whether this process may use a file: `mode` of `access(2)`, e.g. `constants.W_OK`. */
export function canAccess(path: string, mode: number): boolean {
  return attempt(() => {
    accessSync(path, mode);
    return true;
  }, false);
}

/** Whether a regular file, or a link to one, is there. Throws the error of the system. */
export function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

/** The same of a directory. */
export function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** The first bytes of a file. Throws the error of the system. */
export function readStart(path: string, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  const descriptor = openSync(path, "r");
  try {
    return bytes.subarray(0, readSync(descriptor, bytes));
  } finally {
    closeSync(descriptor);
  }
}
