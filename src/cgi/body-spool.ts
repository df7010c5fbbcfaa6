/**
 * The request body on its way to a script that reads it when it likes, or never.
 *
 * mod_proxy_http looks at no answer before it has sent the whole body. A script that answers more than fits into the pipes before it has
 * read all (`cat`, or one that does not care for its input) would wait for Apache, and Apache for the script, for ever. So the
 * body is always taken, and what the script has not read yet lies in a file: memory is bounded here, the file by `limits.bodyBytes`.
 * @module
 */
import { mkdir, open, type FileHandle, unlink } from "node:fs/promises";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { ByteCollector } from "../request/byte-collector.ts";

/** Bytes that are kept in memory; what comes on top goes to the file. */
const memoryLimit = 262_144;
const readSize = 65_536;

/**
 * Takes a stream at its own pace, and gives its bytes in their order at the reader's.
 *
 * Attack: a chunked body of one byte a chunk, for a script that does not read yet. In a list of its chunks 256 KiB would take 200 MB, and taking
 * them out one by one would hold up the worker for many seconds; so what waits in memory is one piece.
 */
export class BodySpool implements AsyncIterable<Buffer> {
  readonly #source: Readable;
  readonly #folder: string;
  #held = new ByteCollector();
  #file: FileHandle | undefined;
  #written = 0;
  #read = 0;
  #state: "open" | "complete" | "closed" = "open";
  #failure: unknown;
  #wake: (() => void) | undefined;
  readonly #filled: Promise<void>;

  /** @param folder where the file is made, when one is needed */
  constructor(source: Readable, folder: string) {
    this.#source = source;
    this.#folder = folder;
    this.#filled = this.#fill();
  }

  /** What the body failed with. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Ends with the body; throws what the body failed with. */
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

  /** Forgets what was not read; the rest of the body is thrown away as it comes. */
  async close(): Promise<void> {
    this.#state = "closed";
    // It swallows the rest by itself. To wait for it would be to wait for the client.
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
    this.#file ??= await openUnnamed(this.#folder);
    // Trap: on a disk that gets full `write` takes a part and says nothing.
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

/** Its name is taken away at once: whatever happens to this process, nothing is left behind. */
async function openUnnamed(folder: string): Promise<FileHandle> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, `cgi-${randomUUID()}`);
  const file = await open(path, "wx+", 0o600);
  await unlink(path);
  return file;
}
