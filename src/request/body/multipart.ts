/** `multipart/form-data` (RFC 7578): fields are kept, files are written to disk or to a handler. */
import { Busboy, type BusboyInstance } from "@fastify/busboy";
import type { Readable } from "node:stream";
import { HttpError } from "../../base/http-error.ts";
import type { BodyReader } from "./body.ts";
import { type FormEntries, over, quote } from "./form.ts";
import { feedSink, type OnFile, safeFilename, Upload, type UploadHead } from "./upload.ts";
import type { FormLimits } from "./form-limits.ts";
import type { TemporaryFiles } from "./temporary-files.ts";

export interface MultipartTarget {
  readonly entries: FormEntries;
  readonly limits: FormLimits;
  readonly files: () => TemporaryFiles;
  readonly onFile: OnFile | undefined;
}

/** Reads the whole body. Rejects with `HttpError` 400 or 413, or with errors of `onFile`. */
export async function readMultipart(
  body: BodyReader,
  contentType: string,
  target: MultipartTarget,
): Promise<void> {
  const reading = new Reading(contentType, target);
  try {
    for (;;) {
      const chunk = await body.next("req.form()");
      if (!chunk) break;
      await reading.write(chunk);
    }
    await reading.end();
  } catch (error) {
    await reading.abandon(error as Error);
    throw error;
  }
}

/** A file of the parser. */
type Part = Readable & { readonly bytesRead?: number };

class Reading {
  readonly #parser: BusboyInstance;
  readonly #target: MultipartTarget;
  readonly #streams = new Set<Readable>();
  readonly #work: Promise<unknown>[] = [];
  #isFinished = false;
  #failure: { readonly error: unknown } | undefined;
  /** Rejects the current wait. */
  #reject: (error: unknown) => void = () => {};

  constructor(contentType: string, target: MultipartTarget) {
    this.#target = target;
    this.#parser = createParser(contentType, target.limits);
    this.#parser.on("field", (name, value, _, isTruncated) =>
      this.#try(() => this.#takeField(name, value, isTruncated)),
    );
    this.#parser.on("file", (name, stream, filename, _, type) => {
      this.#streams.add(stream);
      stream.on("error", () => {});
      this.#try(() => this.#takeFile(name, { stream, filename, type }));
    });
    this.#parser.on("partsLimit", () => this.#fail(over("too many parts")));
    this.#parser.on("error", (error) => this.#fail(malformed(error as Error)));
    // Trap: with a closing boundary after a preamble it finishes before `end`, and only once.
    this.#parser.once("finish", () => (this.#isFinished = true));
  }

  async write(chunk: Buffer): Promise<void> {
    const hasRoom = this.#parser.write(chunk);
    await this.#until((done) => (hasRoom ? done() : this.#parser.once("drain", done)));
  }

  async end(): Promise<void> {
    if (!this.#isFinished) await this.#until((done) => this.#parser.once("finish", done).end());
    await this.#until((done) => Promise.allSettled(this.#work).then(done));
  }

  /** Ends everything that waits for bytes. */
  async abandon(error: Error): Promise<void> {
    this.#fail(error);
    for (const stream of this.#streams) stream.destroy(error);
    this.#parser.destroy();
    await Promise.allSettled(this.#work);
  }

  readonly #fail = (error: unknown): void => {
    this.#failure ??= { error };
    this.#reject(this.#failure.error);
  };

  /**
   * Waits for `done`, or rejects with the first failure, even an earlier one.
   *
   * Attack: a body in chunks of a few bytes. A race with one promise for all failures would
   * remember every chunk.
   */
  #until(begin: (done: () => void) => unknown): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      if (this.#failure) reject(this.#failure.error);
      else begin(resolve);
    });
  }

  /** After a failure the chunk may contain more parts. */
  #try(take: () => void): void {
    if (this.#failure) return;
    try {
      take();
    } catch (error) {
      this.#fail(error);
    }
  }

  #takeField(name: string | undefined, value: string, isTruncated: boolean): void {
    if (name === undefined) throw malformed(new Error("a part has no name"));
    const { entries, limits } = this.#target;
    if (isTruncated) throw over(`field ${quote(name)} has more than ${limits.fieldBytes} bytes`);
    entries.add(name, value);
  }

  #takeFile(
    name: string | undefined,
    { stream, filename, type }: { stream: Part; filename: string; type: string },
  ): void {
    if (name === undefined) throw malformed(new Error("a part has no name"));
    const { entries, limits } = this.#target;
    stream.once("limit", () => {
      this.#fail(over(`file ${quote(filename)} has more than ${limits.fileBytes} bytes`));
    });
    const put = entries.reserve(name);
    const head = { name, filename: safeFilename(filename), clientFilename: filename, type };
    this.#work.push(this.#keep(head, stream).then(put, this.#fail));
  }

  async #keep(head: UploadHead, stream: Part): Promise<Upload> {
    const { onFile, files } = this.#target;
    const path = onFile ? await feedSink(onFile, head, stream) : await files().keep(stream);
    return new Upload(head, stream.bytesRead ?? 0, path ?? undefined);
  }
}

function createParser(contentType: string, limits: FormLimits): BusboyInstance {
  try {
    return new Busboy({
      headers: { "content-type": contentType },
      // `clientFilename` shows the whole name; directories are removed by us.
      preservePath: true,
      // As in mod_python, a file has a file name. Browsers send an empty one if none was chosen.
      isPartAFile: (_, __, filename) => filename !== undefined && filename !== "",
      limits: {
        fieldSize: limits.fieldBytes,
        fileSize: limits.fileBytes,
        // One more than allowed, so that the entries can name the limit that was exceeded.
        fields: limits.fields + 1,
        files: limits.files + 1,
        parts: limits.fields + limits.files + 2,
        // Attack: endless headers of a part. The entries check the size of the name.
        headerPairs: 32,
        headerSize: 16_384 + 2 * limits.nameBytes,
      },
    });
  } catch (cause) {
    throw malformed(cause as Error);
  }
}

function malformed(cause: Error): HttpError {
  const reason = cause.message.replace(/\.$/, "");
  return new HttpError(400, { body: `The form is malformed: ${reason}.\n`, cause });
}
