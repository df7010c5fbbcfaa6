/** The script that a request is for, and how it runs. */
import { accessSync, constants, statSync } from "node:fs";
import { basename, extname } from "node:path";
import { readStart } from "../../base/files.ts";
import { ModTsError } from "../../base/errors.ts";
import { DECLINED, type Outcome } from "../../base/outcome.ts";
import { realpath } from "../../loader/disk.ts";
import { requireInside } from "../../engine/directives.ts";

export interface Script {
  /** Absolute path without symbolic links. */
  readonly file: string;
  /** `node`: TypeScript or JavaScript, run by Node.js; `program`: run by the operating system. */
  readonly kind: "node" | "program";
}

const nodeExtensions = new Set([".ts", ".mts", ".cts", ".js", ".mjs", ".cjs"]);

/**
 * The script in the file that Apache mapped the URL to, or the outcome: 404, DECLINED for a
 * directory. Throws `MODTS_OUTSIDE_ROOTS`, `MODTS_CGI_NPH`, `MODTS_CGI_NOT_EXECUTABLE`,
 * `MODTS_CGI_NOT_STARTED`.
 * @param roots directories in which scripts may lie
 */
export function findScript(filename: string, roots: readonly string[]): Script | Outcome {
  const file = realpath(filename);
  if (file === undefined) return 404;
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats?.isDirectory()) return DECLINED;
  if (!stats?.isFile()) return 404;
  requireInside(file, roots);
  refuseNph(filename);
  if (nodeExtensions.has(extname(file))) return { file, kind: "node" };
  requireExecutable(file);
  requireProgram(file);
  return { file, kind: "program" };
}

/**
 * RFC 3875, section 5: such a script writes status line and framing itself. Attack: it chooses the
 * bytes between two responses on a connection that is Apache's.
 */
function refuseNph(filename: string): void {
  if (!basename(filename).startsWith("nph-")) return;
  throw new ModTsError("MODTS_CGI_NPH", { script: filename, reason: "the name begins with nph-" });
}

function requireExecutable(file: string): void {
  try {
    accessSync(file, constants.X_OK);
  } catch (cause) {
    throw new ModTsError("MODTS_CGI_NOT_EXECUTABLE", { script: file }, { cause });
  }
}

/**
 * Attack: the kernel refuses a file without a program header, and execvp(3), used by Node, then
 * runs it as a shell script: data with the wrong mode, e.g. from a file system without modes, would
 * run line by line. mod_cgi does not run such a file either.
 */
function requireProgram(file: string): void {
  const start = startOf(file);
  // Without an interpreter after `#!` the kernel refuses the file, too.
  if (/^#![ \t]*[^\s\0]/.test(start)) return;
  if (binaryFormats.some((magic) => start.startsWith(magic))) return;
  const reason = 'the file begins neither with "#!" and an interpreter nor as a binary program';
  throw new ModTsError("MODTS_CGI_NOT_STARTED", { script: file, reason });
}

/** ELF of 32 and 64 bits in both byte orders; Mach-O of 64 bits and for several processors. */
const binaryFormats = [
  "\x7fELF\x01\x01\x01",
  "\x7fELF\x01\x02\x01",
  "\x7fELF\x02\x01\x01",
  "\x7fELF\x02\x02\x01",
  "\xcf\xfa\xed\xfe",
  "\xca\xfe\xba\xbe",
];

function startOf(file: string): string {
  try {
    return readStart(file, 256).toString("latin1");
  } catch (cause) {
    const reason = "the file cannot be read";
    throw new ModTsError("MODTS_CGI_NOT_STARTED", { script: file, reason }, { cause });
  }
}
