/**
 * Directories that only our user may change.
 *
 * Attack: another user creates the directory first, or a link in its place, and then reads what lies
 * in it, or writes a file that a worker runs.
 */
import { chmodSync, lstatSync, mkdirSync, type Stats, statSync } from "node:fs";
import { dirname } from "node:path";

/** Creates a directory with mode 0700, if it is missing, and checks it. Throws with the reason. */
export function openPrivateDirectory(directory: string): void {
  // Recursive: another worker may create it at this moment.
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  requirePrivate(directory);
  if (isReplaceable(statSync(dirname(directory)), 0o022)) throw new Error("replaceable by others");
}

/** Throws unless a directory belongs to our user, and nobody else can open it afterwards. */
export function requirePrivate(directory: string): void {
  const stats = lstatSync(directory);
  if (!stats.isDirectory()) throw new Error("not a directory");
  if (stats.uid !== process.geteuid?.()) throw new Error("owned by another user");
  if ((stats.mode & 0o022) !== 0) throw new Error("writable for others; remove it");
  if ((stats.mode & 0o077) !== 0) chmodSync(directory, 0o700);
}

/** Whether users of `who`, bits of a mode, may rename what lies in a directory. */
export function isReplaceable({ mode }: Pick<Stats, "mode">, who: number): boolean {
  const isSticky = (mode & 0o1000) !== 0;
  return (mode & who) !== 0 && !isSticky;
}
