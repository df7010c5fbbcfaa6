/** Files that exist as long as a request, in a directory of our user only. */
import { randomBytes } from "node:crypto";
import { createWriteStream, lstatSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { attempt } from "../../base/attempt.ts";
import { isModTsError, ModTsError } from "../../base/errors.ts";
import { isHttpError } from "../../base/http-error.ts";
import { requirePrivate } from "../../base/private-directory.ts";
import { hasEnded, ownIdentity } from "../../base/process-identity.ts";

export class TemporaryFiles {
  readonly #directory: string;
  readonly #paths = new Set<string>();
  #isOver = false;

  /** @param directory undefined outside the engine: then files are rejected */
  constructor(directory: string | undefined) {
    this.#directory = directory ?? "";
  }

  /**
   * Writes a stream to a file and returns its path. If it rejects, no file remains: with the error
   * of the stream, or with `MODTS_UPLOAD_FAILED`, also after the request, as a handler that timed
   * out may still read.
   */
  async keep(stream: Readable): Promise<string> {
    const path = this.#path();
    try {
      // Attack: an existing file, or a link. So exclusive.
      await pipeline(stream, createWriteStream(path, { flags: "wx", mode: 0o600 }));
      this.#requireTime();
      return path;
    } catch (error) {
      await rm(path, { force: true });
      if (isHttpError(error) || isModTsError(error)) throw error;
      throw failed(this.#directory, (error as Error).message, error);
    }
  }

  async remove(): Promise<void> {
    this.#isOver = true;
    await Promise.all(Array.from(this.#paths, (path) => rm(path, { force: true })));
  }

  #path(): string {
    this.#requireTime();
    if (this.#directory === "") throw failed("(none)", "no directory for temporary files");
    prepareDirectory(this.#directory);
    const path = join(this.#directory, `${ownIdentity()}-${randomBytes(16).toString("hex")}`);
    this.#paths.add(path);
    return path;
  }

  #requireTime(): void {
    if (this.#isOver) throw failed(this.#directory, "the request is over");
  }
}

const day = 24 * 60 * 60 * 1000;

/** Removes files of processes that have ended; called at the start of a process. */
export function sweepTemporaryFiles(directory: string): void {
  // Of another user, they must not be removed.
  const names = attempt(() => {
    requirePrivate(directory);
    return readdirSync(directory);
  }, []);
  for (const name of names) {
    const [, owner] = /^([0-9a-f]+\.\d+\.\d*)-[0-9a-f]{32}$/.exec(name) ?? [];
    const path = join(directory, name);
    // Whether a process of another container or boot has ended is unknown: its files expire after a
    // day.
    if (owner !== undefined && (hasEnded(owner) || age(path) > day)) rmSync(path, { force: true });
  }
}

function age(path: string): number {
  return Date.now() - (lstatSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Infinity);
}

function failed(directory: string, reason: string, cause?: unknown): ModTsError {
  return new ModTsError("MODTS_UPLOAD_FAILED", { directory, reason }, { cause });
}

function prepareDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    requirePrivate(directory);
  } catch (error) {
    throw failed(directory, (error as Error).message, error);
  }
}
