/**
 * Files that live no longer than a request, in a folder that is for our user alone.
 * @module
 */
import { randomBytes } from "node:crypto";
import { createWriteStream, lstatSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { isModTsError, ModTsError } from "../errors.ts";
import { isHttpError } from "../http-error.ts";
import { hasEnded, ownIdentity } from "../process-identity.ts";

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
   * Writes a stream to a file of ours and gives its path. Nothing stays when it rejects: with what ended the stream, or with
   * `MODTS_UPLOAD_FAILED`, also when the request is over, as a handler that was given up may still be reading.
   */
  async keep(stream: Readable): Promise<string> {
    const path = this.#path();
    try {
      // Exclusive: what is there already, a link above all, was not made by us.
      await pipeline(stream, createWriteStream(path, { flags: "wx", mode: 0o600 }));
      this.#requireTime();
      return path;
    } catch (error) {
      await rm(path, { force: true });
      if (isHttpError(error) || isModTsError(error)) throw error;
      throw failed(this.#folder, (error as Error).message, error);
    }
  }

  /** Removes what is left of them. */
  async remove(): Promise<void> {
    this.#isOver = true;
    await Promise.all(Array.from(this.#paths, (path) => rm(path, { force: true })));
  }

  #path(): string {
    this.#requireTime();
    if (this.#folder === "") throw failed("(none)", "there is no folder for them");
    prepareFolder(this.#folder);
    const path = join(this.#folder, `${ownIdentity()}-${randomBytes(16).toString("hex")}`);
    this.#paths.add(path);
    return path;
  }

  #requireTime(): void {
    if (this.#isOver) throw failed(this.#folder, "the request is over");
  }
}

const day = 24 * 60 * 60 * 1000;

/** Removes what processes left behind that are no more. For the start of a process. */
export function sweepTemporaryFiles(folder: string): void {
  for (const name of namesIn(folder)) {
    const [, owner] = /^([0-9a-f]+\.\d+\.\d*)-[0-9a-f]{32}$/.exec(name) ?? [];
    const path = join(folder, name);
    // Of another container or boot, nobody here can see whether it runs: then what has not changed for a day is of no use.
    if (owner !== undefined && (hasEnded(owner) || age(path) > day)) rmSync(path, { force: true });
  }
}

function age(path: string): number {
  return Date.now() - (lstatSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Infinity);
}

function failed(folder: string, reason: string, cause?: unknown): ModTsError {
  return new ModTsError("MODTS_UPLOAD_FAILED", { folder, reason }, { cause });
}

function prepareFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (!isOurs(folder))
      throw new Error("it must be a folder of the sidecar's user with mode 0700");
  } catch (error) {
    throw failed(folder, (error as Error).message, error);
  }
}

/** Attack: somebody else makes the folder first, or a link in its place, and reads or exchanges what is uploaded. */
function isOurs(folder: string): boolean {
  const { mode, uid } = lstatSync(folder);
  return uid === process.geteuid?.() && (mode & 0o077) === 0;
}

/** None where the folder is not ours: what lies behind it is not for us to remove. */
function namesIn(folder: string): string[] {
  try {
    return isOurs(folder) ? readdirSync(folder) : [];
  } catch {
    return [];
  }
}
