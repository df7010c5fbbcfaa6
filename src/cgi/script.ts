/**
 * Which script a request is for, and how it runs.
 * @module
 */
import { accessSync, constants, realpathSync, statSync } from "node:fs";
import { basename, extname } from "node:path";
import { ModTsError } from "../errors.ts";
import { DECLINED, type Outcome } from "../outcome.ts";
import { requireInside } from "../resolver.ts";

/** A file that may be run. */
export interface Script {
  /** Absolute path without symbolic links. */
  readonly file: string;
  /** In a thread of ours, or as a process of its own. */
  readonly kind: "thread" | "process";
}

const threadExtensions = new Set([".ts", ".mts", ".cts", ".js", ".mjs", ".cjs"]);

/**
 * Looks at the file that Apache mapped the URL to. Gives an outcome where there is nothing to run: 404 for no file, DECLINED for
 * a folder.
 * @param roots the folders in which scripts may lie
 * @throws ModTsError `MODTS_OUTSIDE_ROOTS`, `MODTS_CGI_NPH`, `MODTS_CGI_NOT_EXECUTABLE`
 */
export function findScript(filename: string, roots: readonly string[]): Script | Outcome {
  const file = realFile(filename);
  if (file === undefined) return 404;
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats?.isDirectory()) return DECLINED;
  if (!stats?.isFile()) return 404;
  requireInside(file, roots);
  refuseNph(filename);
  if (threadExtensions.has(extname(file))) return { file, kind: "thread" };
  requireExecutable(file);
  return { file, kind: "process" };
}

function realFile(filename: string): string | undefined {
  try {
    return realpathSync.native(filename);
  } catch {
    return undefined;
  }
}

/**
 * RFC 3875, section 5: such a script writes to the client's connection itself, status line and framing included. That connection
 * is Apache's, and what stands on it between two requests must be nobody's to choose.
 */
function refuseNph(filename: string): void {
  if (!basename(filename).startsWith("nph-")) return;
  throw new ModTsError("MODTS_CGI_NPH", { script: filename, reason: "its name begins with nph-" });
}

function requireExecutable(file: string): void {
  try {
    accessSync(file, constants.X_OK);
  } catch (cause) {
    throw new ModTsError("MODTS_CGI_NOT_EXECUTABLE", { script: file }, { cause });
  }
}
