/**
 * `multipart/form-data` (RFC 7578): fields are kept, files go to disk or to whoever takes them, at the speed of both.
 * @module
 */
import { Busboy, type BusboyInstance } from "@fastify/busboy";
import { createWriteStream } from "node:fs";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { HttpError, isHttpError } from "../http-error.ts";
import type { BodyReader } from "./body.ts";
import { type FormEntries, over, quote } from "./form-entries.ts";
import type { FormLimits } from "./form-limits.ts";
import { failed, type TemporaryFiles } from "./temporary-files.ts";
import { safeFilename, Upload, type UploadHead } from "./upload.ts";

/** Takes the bytes of a file as they come. */
export type OnFile = (file: UploadHead & { readonly stream: Readable }) => unknown;

/** What the parts of a form go to. */
export interface MultipartTarget {
  readonly entries: FormEntries;
  readonly limits: FormLimits;
  readonly files: () => TemporaryFiles;
  readonly onFile: OnFile | undefined;
}

/** Reads the body to its end. Rejects with `HttpError` 400 or 413, or with what `onFile` threw. */
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

class Reading {
  readonly #parser: BusboyInstance;
  readonly #target: MultipartTarget;
  readonly #streams = new Set<Readable>();
  readonly #work: Promise<unknown>[] = [];
  readonly #failure: Promise<never>;
  #fail: (error: unknown) => void = () => {};

  constructor(contentType: string, target: MultipartTarget) {
    this.#target = target;
    this.#failure = new Promise<never>((_, reject) => (this.#fail = reject));
    // Whoever waits next hears of it.
    this.#failure.catch(() => {});
    this.#parser = createParser(contentType, target.limits);
    this.#parser.on("field", (name, value, _, isTruncated) =>
      this.#try(() => this.#takeField(name, value, isTruncated)),
    );
    this.#parser.on("file", (name, stream, filename, _, type) =>
      this.#try(() => this.#takeFile(name, { stream, filename, type })),
    );
    this.#parser.on("partsLimit", () => this.#fail(over("too many parts")));
    this.#parser.on("error", (error) => this.#fail(malformed(error as Error)));
  }

  async write(chunk: Buffer): Promise<void> {
    const room = this.#parser.write(chunk)
      ? undefined
      : new Promise((resolve) => this.#parser.once("drain", resolve));
    await Promise.race([room, this.#failure]);
  }

  async end(): Promise<void> {
    const finished = new Promise((resolve) => this.#parser.once("finish", resolve));
    this.#parser.end();
    await Promise.race([finished, this.#failure]);
    await Promise.race([Promise.all(this.#work), this.#failure]);
  }

  /** Lets nothing wait any more for bytes that will not come. */
  async abandon(error: Error): Promise<void> {
    for (const stream of this.#streams) stream.destroy(error);
    this.#parser.removeAllListeners("file");
    this.#parser.destroy();
    await Promise.allSettled(this.#work);
  }

  #try(take: () => void): void {
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
    part: { stream: Readable & { bytesRead?: number }; filename: string; type: string },
  ): void {
    const { stream } = part;
    this.#streams.add(stream);
    stream.on("error", () => {});
    if (name === undefined) throw malformed(new Error("a part has no name"));
    const { entries, limits } = this.#target;
    stream.once("limit", () => {
      this.#fail(over(`file ${quote(part.filename)} has more than ${limits.fileBytes} bytes`));
    });
    const put = entries.reserve(name);
    const head: UploadHead = {
      name,
      filename: safeFilename(part.filename),
      clientFilename: part.filename,
      type: part.type,
    };
    const work = this.#keep(head, stream).then(put);
    work.catch(this.#fail);
    this.#work.push(work);
  }

  async #keep(head: UploadHead, stream: Readable & { bytesRead?: number }): Promise<Upload> {
    const { onFile, files } = this.#target;
    if (onFile) {
      await onFile({ ...head, stream });
      // A part that nobody reads would hold up the next one.
      stream.resume();
      return new Upload(head, stream.bytesRead ?? 0, undefined);
    }
    const path = files().path();
    try {
      await pipeline(stream, createWriteStream(path, { flags: "wx", mode: 0o600 }));
    } catch (error) {
      throw isHttpError(error) ? error : failed(path, (error as Error).message, error);
    }
    return new Upload(head, stream.bytesRead ?? 0, path);
  }
}

function createParser(contentType: string, limits: FormLimits): BusboyInstance {
  try {
    return new Busboy({
      headers: { "content-type": contentType },
      // The whole name is what `clientFilename` shows; we take the folders off ourselves.
      preservePath: true,
      // mod_python: a part is a file when it has a name of a file. Browsers send an empty one where none was chosen.
      isPartAFile: (_, __, filename) => filename !== undefined && filename !== "",
      limits: {
        fieldSize: limits.fieldBytes,
        fileSize: limits.fileBytes,
        // The entries count fields and files; one more of each reaches them, so that the message can say which.
        fields: limits.fields + 1,
        files: limits.files + 1,
        parts: limits.fields + limits.files + 2,
        headerPairs: 32,
        headerSize: 16_384,
      },
    });
  } catch (cause) {
    throw malformed(cause as Error);
  }
}

function malformed(cause: Error): HttpError {
  return new HttpError(400, { body: `The form is malformed: ${cause.message}.\n`, cause });
}
