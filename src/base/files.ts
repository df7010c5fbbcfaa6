/** Small questions to the file system. */
import { accessSync, closeSync, openSync, readSync } from "node:fs";
import { attempt } from "./attempt.ts";

/** Whether this process may use a file: `mode` of `access(2)`, e.g. `constants.W_OK`. */
export function canAccess(path: string, mode: number): boolean {
  return attempt(() => {
    accessSync(path, mode);
    return true;
  }, false);
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
