/**
 * Run directory of a supervisor, and the pid file that reserves it.
 *
 * `mod-ts.pid` has two lines: the process id and the start time of the process. After a restart,
 * especially of a container, another process may have the same id; it must not block a start.
 */
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { attempt } from "../base/attempt.ts";
import { ModTsError, report } from "../base/errors.ts";
import { log } from "../base/log.ts";
import { isReplaceable } from "../base/private-directory.ts";
import { isAlive, startTime } from "../base/process-identity.ts";
import { prepareTickets, removeTickets } from "../base/ticket-store.ts";
import { prepareVersions, removeVersions } from "../base/version-store.ts";
import type { Listener } from "./listener.ts";

type WatchedListener = Pick<Listener, "address" | "transport" | "marker" | "mark">;

interface WatchedFile {
  file: string;
  /** What does not work without it. */
  loss: string;
  /** Makes it again. */
  restore?: () => void;
}

/** What does not work without a Unix socket, by transport. */
const losses: Readonly<Record<string, string>> = {
  control: "mod-ts reload, upgrade and status fail",
  decider: "new connections of Apache to the decider fail",
  gateway: "new connections of Apache for content fail",
};

export interface RunDirectory {
  /** Absolute path. */
  readonly pidFile: string;
  /** Puts this process into the pid file of its predecessor. */
  takeOver(): void;
  /** Makes removed files again, and logs once when one is gone that only a restart makes again. */
  watch(listeners: () => readonly WatchedListener[], intervalMs?: number): void;
  /** Removes the pid file, unless a successor has taken over. */
  release(): void;
}

/**
 * Claims a directory, created if missing; that of a predecessor stays with it until `takeOver`.
 * Throws `MODTS_ALREADY_RUNNING` or `MODTS_RUN_DIRECTORY`.
 */
export function claimRunDirectory(directory: string, predecessor?: number): RunDirectory {
  const pidFile = join(directory, "mod-ts.pid");
  const own = `${process.pid}\n${startTime(process.pid)}\n`;
  try {
    prepare(directory);
    if (predecessor === undefined || findSupervisor(directory) !== predecessor) {
      removeStale(directory, pidFile);
      // Exclusive: of two concurrent starts one fails here.
      writeFileSync(pidFile, own, { flag: "wx" });
    }
  } catch (error) {
    throw explain(error, directory);
  }
  const loss = "the commands of mod-ts do not find the sidecar";
  const restore = (): void => writeFileSync(pidFile, own, { flag: "wx" });
  return {
    pidFile,
    takeOver() {
      const draft = `${pidFile}.${process.pid}`;
      try {
        writeFileSync(draft, own);
        renameSync(draft, pidFile);
      } catch (error) {
        throw explain(error, directory);
      }
    },
    watch(listeners, intervalMs = 2000) {
      const isLost = lostFileDetector();
      let last: string | undefined;
      const look = (): void => {
        const open = listeners();
        // A supervisor that stops removes its files itself, and a successor has none at first.
        const files =
          open.length > 0 ? watchedFiles(directory, { file: pidFile, loss, restore }, open) : [];
        const lost = files.find((each) => isLost(each.file) && !isRestored(each));
        if (lost && last === undefined)
          report(new ModTsError("MODTS_FILES_REMOVED", { file: lost.file, loss: lost.loss }));
        last = lost?.file;
      };
      look();
      setInterval(look, intervalMs).unref();
    },
    release() {
      // What cannot be removed is taken over at the next start.
      if (read(pidFile) === own) attempt(() => rmSync(pidFile, { force: true }), undefined);
    },
  };
}

/** Process id of the supervisor that uses the directory; undefined if none does. */
export function findSupervisor(directory: string): number | undefined {
  return owner(read(join(directory, "mod-ts.pid")));
}

/**
 * The run directory of the sidecar to talk to: the configured one, or that of a running
 * `mod-ts dev` if nothing runs for the configured one.
 */
export function findRunDirectory(config: { directory: string; run: string }): string {
  if (findSupervisor(config.run) !== undefined) return config.run;
  const own = join(config.directory, ".mod-ts", "run");
  return findSupervisor(own) === undefined ? config.run : own;
}

/**
 * Empties what workers share in the directory. Attack: tickets and versions of an earlier run, whose
 * handlers may have been stricter since.
 */
export function prepareStores(directory: string, group: number | undefined): void {
  prepareTickets(directory, group);
  prepareVersions(directory);
}

export function removeStores(directory: string): void {
  try {
    removeTickets(directory);
    removeVersions(directory);
  } catch (error) {
    log("crit", `tickets in ${directory} cannot be removed, and are valid until they expire`, {
      error,
    });
  }
}

function prepare(directory: string): void {
  // With a strict umask httpd could not reach the sockets, which have modes of their own.
  const mask = process.umask(0o022);
  try {
    mkdirSync(directory, { recursive: true });
  } finally {
    process.umask(mask);
  }
  // Attack: a user who may rename here replaces our socket and reads every request.
  if (isReplaceable(statSync(directory), 0o002)) throw new Error("everyone may write to it");
}

function removeStale(directory: string, pidFile: string): void {
  const text = read(pidFile);
  if (text === undefined) return;
  const pid = owner(text);
  if (pid !== undefined) throw new ModTsError("MODTS_ALREADY_RUNNING", { pid, directory });
  // Renamed, compared, then removed: another starter may have replaced the file since it was read.
  const aside = `${pidFile}.${process.pid}`;
  renameSync(pidFile, aside);
  if (read(aside) !== text) linkSync(aside, pidFile);
  rmSync(aside, { force: true });
}

/** In the order of importance. */
function watchedFiles(
  directory: string,
  pidFile: WatchedFile,
  listeners: readonly WatchedListener[],
): WatchedFile[] {
  const sockets = listeners.flatMap(({ address, transport }): WatchedFile[] => {
    const loss = losses[transport] ?? "new connections to it fail";
    return "path" in address ? [{ file: address.path, loss }] : [];
  });
  const markers = listeners.flatMap(({ marker, mark }): WatchedFile[] => {
    const loss = "Apache responds with 503 instead of asking guards";
    return marker === undefined ? [] : [{ file: marker, loss, restore: mark }];
  });
  return [
    { file: directory, loss: "new connections of Apache, and all commands of mod-ts, fail" },
    // Without it another start would take the directory for a free one, and empty it.
    pidFile,
    ...markers,
    ...sockets,
  ];
}

function isRestored({ file, restore }: WatchedFile): boolean {
  if (!restore) return false;
  try {
    restore();
  } catch {
    return false;
  }
  log("warn", `${file} was removed while the sidecar was running, and has been created again`);
  return true;
}

/** Returns whether a file that was there once is there no more. */
function lostFileDetector(): (file: string) => boolean {
  const seen = new Set<string>();
  return (file) => {
    if (!existsSync(file)) return seen.has(file);
    seen.add(file);
    return false;
  };
}

/** Process of a pid file, if it is still running. */
function owner(text: string | undefined): number | undefined {
  const [first = "", started = ""] = (text ?? "").split("\n");
  const pid = Number(first);
  if (!Number.isSafeInteger(pid) || pid < 1 || pid === process.pid) return undefined;
  return isAlive(pid) && startTime(pid) === started ? pid : undefined;
}

function read(file: string): string | undefined {
  return attempt(() => readFileSync(file, "utf8"), undefined);
}

function explain(error: unknown, directory: string): unknown {
  if (error instanceof ModTsError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "EEXIST") return claimedMeanwhile(directory);
  return new ModTsError("MODTS_RUN_DIRECTORY", { directory, reason: message }, { cause: error });
}

function claimedMeanwhile(directory: string): ModTsError {
  const pid = findSupervisor(directory);
  if (pid !== undefined) return new ModTsError("MODTS_ALREADY_RUNNING", { pid, directory });
  return new ModTsError("MODTS_RUN_DIRECTORY", { directory, reason: "another process changes it" });
}
