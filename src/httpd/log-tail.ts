/**
 * The end of a log file, for messages.
 * @module
 */
import { readFileSync } from "node:fs";

/** The last `lines` lines of a file; nothing when it cannot be read. */
export function readTail(file: string, lines = 20): string {
  try {
    const all = readFileSync(file, "utf8").trimEnd().split("\n");
    return all[0] === "" ? "" : `${all.slice(-lines).join("\n")}\n`;
  } catch {
    return "";
  }
}
