/**
 * A file of a form on its way to whoever takes it in place of the disk.
 * @module
 */
import { PassThrough, type Readable, type Writable } from "node:stream";
import { finished, pipeline } from "node:stream/promises";
import type { UploadHead } from "./upload.ts";

/** Takes the bytes of a file as they come: reads them to its liking, or gives a stream that they are written to. */
export type OnFile = (
  file: UploadHead & { readonly stream: Readable },
) => Writable | void | Promise<Writable | void>;

/** Resolves when the part is over and `onFile` is done; rejects with what `onFile` throws, and when the part breaks off. */
export async function feedSink(onFile: OnFile, head: UploadHead, part: Readable): Promise<void> {
  const stream = part.pipe(new PassThrough());
  // Who does not listen to the stream must not lose the process over it.
  stream.on("error", () => {});
  part.once("error", (error) => stream.destroy(error));
  // Trap: a `break` in a loop over the stream destroys it, and a part that nobody reads would hold up the form for ever.
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
