/**
 * A file that a form sent.
 * @module
 */
import { randomBytes } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import { chmod, copyFile, link, readFile, rename, rm } from "node:fs/promises";
import type { Readable } from "node:stream";
import { ModTsError } from "../errors.ts";

/** What is known of a file when its first byte comes. */
export interface UploadHead {
  /** Name of the field. */
  readonly name: string;
  /** The client's name of the file, without folders and control characters: fit to be shown, and to be a name in a folder of yours. */
  readonly filename: string;
  /** The client's name as it was sent. Attack: `../../etc/cron.d/x`. Never make a path of it. */
  readonly clientFilename: string;
  /** Media type that the client claims; `text/plain` when it claims none. */
  readonly type: string;
}

/** A file that was received whole. It is gone after the request unless {@link saveAs} keeps it. */
export class Upload implements UploadHead {
  readonly name: string;
  readonly filename: string;
  readonly clientFilename: string;
  readonly type: string;
  /** Bytes. */
  readonly size: number;
  #path: string | undefined;

  constructor(head: UploadHead, size: number, path: string | undefined) {
    this.name = head.name;
    this.filename = head.filename;
    this.clientFilename = head.clientFilename;
    this.type = head.type;
    this.size = size;
    this.#path = path;
  }

  /** Where the bytes are; undefined when `onFile` took them. */
  get path(): string | undefined {
    return this.#path;
  }

  /** The whole file. */
  bytes(): Promise<Buffer> {
    return readFile(this.#place("bytes"));
  }

  /** The whole file as text. */
  async text(encoding = "utf-8"): Promise<string> {
    return new TextDecoder(encoding).decode(await this.bytes());
  }

  /** The file as a stream. */
  stream(): Readable {
    return createReadStream(this.#place("stream"));
  }

  /**
   * Keeps the file: moves it to a path of yours, readable as your umask says. Rejects with `EEXIST` when something is there, unless
   * `overwrite`. Names of clients are not paths: join {@link filename} to a folder, or better, make up a name.
   */
  async saveAs(path: string, { overwrite = false }: { overwrite?: boolean } = {}): Promise<void> {
    const from = this.#place("saveAs");
    // What comes from a temporary folder is for its owner alone; there nobody sees it change.
    await chmod(from, 0o666 & ~process.umask());
    try {
      await place(from, path, overwrite);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
      await placeCopy(from, path, overwrite);
    }
    await rm(from, { force: true });
    this.#path = path;
  }

  #place(name: string): string {
    if (this.#path !== undefined) return this.#path;
    throw new ModTsError("MODTS_BAD_ARGUMENT", {
      name: `upload.${name}`,
      reason: "the file was given to onFile and is not kept",
    });
  }
}

/** A link fails where something is, so nothing can come between a look and the move. */
async function place(from: string, path: string, overwrite: boolean): Promise<void> {
  if (overwrite) return rename(from, path);
  try {
    await link(from, path);
  } catch (error) {
    if (!hasNoLinks(error)) throw error;
    await copyFile(from, path, constants.COPYFILE_EXCL);
  }
}

/** On another device. Whoever reads the path meanwhile sees what was there or the new file, never a part of it. */
async function placeCopy(from: string, path: string, overwrite: boolean): Promise<void> {
  const draft = `${path}.${randomBytes(8).toString("hex")}.part`;
  try {
    await copyFile(from, draft, constants.COPYFILE_EXCL);
    await place(draft, path, overwrite);
  } finally {
    await rm(draft, { force: true });
  }
}

/** Some file systems know no links, FAT for one. */
function hasNoLinks(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "EPERM" || code === "ENOSYS" || code === "ENOTSUP";
}

/**
 * A name that is safe in a folder and on a screen: the last part of a path, without control characters and leading dots, 255 bytes
 * at most.
 */
export function safeFilename(name: string): string {
  const base = name.split(/[/\\]/).at(-1) ?? "";
  // Control characters, and those that turn the direction of text, by which `exe.txt` poses as `txt.exe`.
  const shown = base.replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cn}\ufffd]/gu, "").trim();
  // Attack: `.htaccess`, which has httpd serve everything beside it as the client pleases; and `..`, which is no file at all.
  const named = shown.replace(/^[.\s]+/, "");
  if (named === "") return "file";
  return Buffer.byteLength(named) <= 255 ? named : shorten(named);
}

/** Cuts in the middle: the extension tells more than the rest. */
function shorten(name: string): string {
  const dot = name.lastIndexOf(".");
  const extension = dot > 0 && name.length - dot <= 16 ? name.slice(dot) : "";
  let stem = name.slice(0, 255);
  while (Buffer.byteLength(stem + extension) > 255) stem = stem.slice(0, -1);
  return stem.toWellFormed().replace(/\ufffd$/, "") + extension;
}
