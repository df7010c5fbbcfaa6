/**
 * Request body for a script that may read it late, or never.
 *
 * Deadlock: mod_proxy_http reads no response before it has sent the whole body. A script that
 * writes more than fits into the pipes before it has read everything (`cat`) would wait for Apache,
 * and Apache for the script. So the body is always read, and the rest waits in a file: memory is
 * bounded here, the file by `limits.bodyBytes`.
 */
import { mkdir, open, type FileHandle, unlink } from "node:fs/promises";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { ByteCollector } from "../../request/body/byte-collector.ts";

const memoryLimit = 262_144;
const readSize = 65_536;

/**
 * Buffer that reads a stream at the stream's pace, and yields its bytes at the reader's.
 *
 * Attack: a chunked body of one byte a chunk. In a list of chunks 256 KiB would take 200 MB, and
 * taking them out one by one would block the worker for many seconds; so memory holds one piece.
 */
export class BodySpool implements AsyncIterable<Buffer> {
  readonly #source: Readable;
  readonly #directory: string;
  #held = new ByteCollector();
  #file: FileHandle | undefined;
  #written = 0;
  #read = 0;
  #state: "open" | "complete" | "closed" = "open";
  #failure: unknown;
  #wake: (() => void) | undefined;
  readonly #filled: Promise<void>;

  /** @param directory where the file is created, if one is needed */
  constructor(source: Readable, directory: string) {
    this.#source = source;
    this.#directory = directory;
    this.#filled = this.#fill();
  }

  get failure(): unknown {
    return this.#failure;
  }

  /** Ends with the body; throws the error of the body. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    for (;;) {
      const chunk = this.#takeHeld() ?? (await this.#readFile());
      if (chunk) {
        yield chunk;
        continue;
      }
      if (this.#failure) throw this.#failure;
      if (this.#state !== "open") return;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Discards what was not read; the rest of the body is discarded as it comes. */
  async close(): Promise<void> {
    this.#state = "closed";
    // A destroyed body discards its rest; waiting for it would be waiting for the client.
    this.#source.destroy();
    this.#wake?.();
    await this.#filled;
    await this.#file?.close();
    this.#file = undefined;
  }

  async #fill(): Promise<void> {
    try {
      for await (const chunk of this.#source as AsyncIterable<Buffer>) {
        if (this.#state === "closed") break;
        await this.#keep(chunk);
        this.#wake?.();
      }
    } catch (error) {
      if (this.#state === "open") this.#failure = error;
    }
    if (this.#state === "open") this.#state = "complete";
    this.#wake?.();
  }

  async #keep(chunk: Buffer): Promise<void> {
    if (this.#file === undefined && this.#held.size + chunk.length <= memoryLimit) {
      return this.#held.add(chunk);
    }
    this.#file ??= await openUnnamed(this.#directory);
    // Trap: on a full disk, `write` takes a part and reports no error.
    await this.#file.appendFile(chunk);
    this.#written += chunk.length;
  }

  #takeHeld(): Buffer | undefined {
    if (this.#held.size === 0) return undefined;
    const bytes = this.#held.whole();
    this.#held = new ByteCollector();
    return bytes;
  }

  async #readFile(): Promise<Buffer | undefined> {
    const wanted = Math.min(readSize, this.#written - this.#read);
    if (!this.#file || wanted === 0) return undefined;
    const { bytesRead, buffer } = await this.#file.read(
      Buffer.allocUnsafe(wanted),
      0,
      wanted,
      this.#read,
    );
    this.#read += bytesRead;
    return buffer.subarray(0, bytesRead);
  }
}

/** A file without a name: whatever happens to this process, nothing is left behind. */
async function openUnnamed(directory: string): Promise<FileHandle> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, `cgi-${randomUUID()}`);
  const file = await open(path, "wx+", 0o600);
  await unlink(path);
  return file;
}
