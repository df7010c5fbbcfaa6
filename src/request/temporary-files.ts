/**
 * Files that live no longer than a request, in a folder that is for our user alone.
 * @module
 */
import { randomBytes } from "node:crypto";
import { lstatSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { ModTsError } from "../errors.ts";

/** The temporary files of one request. */
export class TemporaryFiles {
  readonly #folder: string;
  readonly #paths = new Set<string>();
  #isOver = false;

  /** @param folder undefined where nobody lent one, in a request outside of the engine: then there is no place for files */
  constructor(folder: string | undefined) {
    this.#folder = folder ?? "";
  }

  /**
   * A path at which nothing is, to be created with the flag `wx`. Throws `MODTS_UPLOAD_FAILED`, also when the request is over: a
   * handler that was given up may still be reading.
   */
  path(): string {
    if (this.#isOver) throw failed(this.#folder, "the request is over");
    if (this.#folder === "") throw failed("(none)", "there is no folder for them");
    prepareFolder(this.#folder);
    const path = join(this.#folder, `${process.pid}-${randomBytes(16).toString("hex")}`);
    this.#paths.add(path);
    return path;
  }

  /** Removes what is left of them. */
  async remove(): Promise<void> {
    this.#isOver = true;
    await Promise.all(Array.from(this.#paths, (path) => rm(path, { force: true })));
  }
}

/** Removes what processes left behind that are no more. For the start of a process. */
export function sweepTemporaryFiles(folder: string): void {
  for (const name of namesIn(folder)) {
    const pid = Number(/^(\d+)-[0-9a-f]{32}$/.exec(name)?.[1]);
    if (pid > 0 && !isAlive(pid)) rmSync(join(folder, name), { force: true });
  }
}

/** An operation on the folder that failed, with its reason. */
export function failed(folder: string, reason: string, cause?: unknown): ModTsError {
  return new ModTsError("MODTS_UPLOAD_FAILED", { folder, reason }, { cause });
}

function prepareFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { mode, uid } = lstatSync(folder);
    // Attack: somebody else makes the folder first, or a link in its place, and reads or exchanges what is uploaded.
    const isOurs = uid === process.geteuid?.() && (mode & 0o077) === 0;
    if (!isOurs) throw new Error("it must be a folder of the sidecar's user with mode 0700");
  } catch (error) {
    throw failed(folder, (error as Error).message, error);
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
