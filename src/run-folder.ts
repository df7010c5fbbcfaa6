/**
 * The runtime folder: one supervisor at a time, and where `mod-ts reload` finds it.
 *
 * `mod-ts.pid` holds the process id in its first line, and in its second when that process started: after a restart, of a container
 * above all, the same number soon belongs to another process, which must get no SIGHUP and must not keep us from starting.
 * @module
 */
import {
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { ModTsError } from "./errors.ts";
import { isAlive, startTime } from "./process-identity.ts";

/** A runtime folder that is ours. */
export interface RunFolder {
  /** Absolute path of the pid file. */
  readonly pidFile: string;
  /** Removes the pid file. */
  release(): void;
}

/** Takes a folder, made when missing, for this process. Throws `MODTS_ALREADY_RUNNING` or `MODTS_RUN_FOLDER`. */
export function claimRunFolder(folder: string): RunFolder {
  const pidFile = join(folder, "mod-ts.pid");
  try {
    prepare(folder);
    removeStale(folder, pidFile);
    // Exclusive: of two that start at the same moment one fails here.
    writeFileSync(pidFile, `${process.pid}\n${startTime(process.pid)}\n`, { flag: "wx" });
  } catch (error) {
    throw explain(error, folder);
  }
  return { pidFile, release: () => rmSync(pidFile, { force: true }) };
}

/** Process id of the supervisor that uses the folder, or undefined when there is none. */
export function findSupervisor(folder: string): number | undefined {
  return owner(read(join(folder, "mod-ts.pid")));
}

function prepare(folder: string): void {
  // A strict umask would keep httpd, another user, from ever reaching the sockets; these have modes of their own.
  const mask = process.umask(0o022);
  try {
    mkdirSync(folder, { recursive: true });
  } finally {
    process.umask(mask);
  }
  // Who may rename in this folder can put a socket of his own where Apache looks for ours, and read every request.
  const { mode } = statSync(folder);
  if ((mode & 0o1002) === 0o002) throw new Error("everyone may write to it");
}

function removeStale(folder: string, pidFile: string): void {
  const text = read(pidFile);
  if (text === undefined) return;
  const pid = owner(text);
  if (pid !== undefined) throw new ModTsError("MODTS_ALREADY_RUNNING", { pid, folder });
  // Renamed, looked at, then removed: between read and remove another starter may have put its own file there.
  const aside = `${pidFile}.${process.pid}`;
  renameSync(pidFile, aside);
  if (read(aside) !== text) linkSync(aside, pidFile);
  rmSync(aside, { force: true });
}

/** The process that a pid file speaks of, if it still runs. */
function owner(text: string | undefined): number | undefined {
  const [first = "", started = ""] = (text ?? "").split("\n");
  const pid = Number(first);
  if (!Number.isSafeInteger(pid) || pid < 1 || pid === process.pid) return undefined;
  return isAlive(pid) && startTime(pid) === started ? pid : undefined;
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

function explain(error: unknown, folder: string): unknown {
  if (error instanceof ModTsError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "EEXIST") return claimedMeanwhile(folder);
  return new ModTsError("MODTS_RUN_FOLDER", { folder, reason: message }, { cause: error });
}

function claimedMeanwhile(folder: string): ModTsError {
  const pid = findSupervisor(folder);
  if (pid !== undefined) return new ModTsError("MODTS_ALREADY_RUNNING", { pid, folder });
  return new ModTsError("MODTS_RUN_FOLDER", { folder, reason: "another process changes it" });
}
