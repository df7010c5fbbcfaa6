/** A file of a form: kept on disk, or passed to a handler as it arrives. */
import { randomBytes } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import { chmod, copyFile, link, readFile, rename, rm } from "node:fs/promises";
import { PassThrough, type Readable, type Writable } from "node:stream";
import { finished, pipeline } from "node:stream/promises";
import { badArgument } from "../../base/errors.ts";

export interface UploadHead {
  /** Name of the field. */
  readonly name: string;
  /** Name without directories and control characters: safe to show and to store. */
  readonly filename: string;
  /** The client's file name as sent. Attack: `../../etc/cron.d/x`. Never use it as a path. */
  readonly clientFilename: string;
  /** Media type named by the client; `text/plain` by default. */
  readonly type: string;
}

/** A complete file. It is removed after the request unless {@link saveAs} keeps it. */
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

  /** Path of the file; undefined if `onFile` received it. */
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
   * Moves the file to a path, with permissions by the umask. Rejects with `EEXIST` if the path
   * exists, unless `overwrite`. Do not use names of clients as paths: join {@link filename} to a
   * directory, or generate a name.
   */
  async saveAs(path: string, { overwrite = false }: { overwrite?: boolean } = {}): Promise<void> {
    const from = this.#place("saveAs");
    // The directory is private: other users cannot open the file there.
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
    throw badArgument(`upload.${name}`, "the file was given to onFile and is not kept");
  }
}

/** Attack: a file created between check and move. A link fails if the path exists. */
async function place(from: string, path: string, overwrite: boolean): Promise<void> {
  if (overwrite) return rename(from, path);
  try {
    await link(from, path);
  } catch (error) {
    if (!hasNoLinks(error)) throw error;
    await copyFile(from, path, constants.COPYFILE_EXCL);
  }
}

/** On another device. Readers of the path see the old or the new file, never a part. */
async function placeCopy(from: string, path: string, overwrite: boolean): Promise<void> {
  const draft = `${path}.${randomBytes(8).toString("hex")}.part`;
  try {
    await copyFile(from, draft, constants.COPYFILE_EXCL);
    await place(draft, path, overwrite);
  } finally {
    await rm(draft, { force: true });
  }
}

/** Some file systems, such as FAT, have no links. */
function hasNoLinks(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "EPERM" || code === "ENOSYS" || code === "ENOTSUP";
}

/**
 * A name that is safe in a directory and on a screen: the last part of a path, without control
 * characters and leading dots, at most 255 bytes.
 */
export function safeFilename(name: string): string {
  const base = name.split(/[/\\]/).at(-1) ?? "";
  // Attack: characters that change the direction of text show `exe.txt` as `txt.exe`.
  const shown = base.replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cn}\ufffd]/gu, "").trim();
  // Attack: `.htaccess` configures httpd for the whole directory; `..` is not a file.
  const named = shown.replace(/^[.\s]+/, "");
  if (named === "") return "file";
  return Buffer.byteLength(named) <= 255 ? named : shorten(named);
}

/** In the middle, to keep the extension. */
function shorten(name: string): string {
  const dot = name.lastIndexOf(".");
  const extension = dot > 0 && name.length - dot <= 16 ? name.slice(dot) : "";
  let stem = name.slice(0, 255);
  while (Buffer.byteLength(stem + extension) > 255) stem = stem.slice(0, -1);
  return stem.toWellFormed().replace(/\ufffd$/, "") + extension;
}

/** Receives a file as it arrives: reads the stream, or returns one that it is written to. */
export type OnFile = (
  file: UploadHead & { readonly stream: Readable },
) => Writable | void | Promise<Writable | void>;

/** Resolves when both are done; rejects if `onFile` throws or the part is incomplete. */
export async function feedSink(onFile: OnFile, head: UploadHead, part: Readable): Promise<void> {
  const stream = part.pipe(new PassThrough());
  // Without a listener, an error would end the process.
  stream.on("error", () => {});
  part.once("error", (error) => stream.destroy(error));
  // Trap: `break` in a loop destroys the stream, and an unread part would block the form forever.
  stream.once("close", () => part.resume());
  try {
    const sink = await onFile({ ...head, stream });
    if (isWritable(sink)) await pipeline(stream, sink);
  } finally {
    stream.destroy();
  }
  await finished(part);
}

function isWritable(value: unknown): value is Writable {
  const { write, on } = (value ?? {}) as Partial<Writable>;
  return typeof write === "function" && typeof on === "function";
}
