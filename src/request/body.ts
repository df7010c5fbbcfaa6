/**
 * The request body: read once, in order, byte for byte, and never more of it in memory than was asked for.
 * @module
 */
import { Readable } from "node:stream";
import { isModTsError, ModTsError } from "../errors.ts";
import { HttpError } from "../http-error.ts";
import { ByteCollector } from "./byte-collector.ts";
import type { Exchange } from "./exchange.ts";

const empty = Buffer.alloc(0);

/** Reads the body of one exchange. Whoever begins owns it: a second reader gets `MODTS_BODY_USED`. */
export class BodyReader {
  readonly #exchange: Exchange;
  #owner: string | undefined;
  #stream: Readable | undefined;
  #chunks: AsyncIterator<Buffer> | undefined;
  /** What was taken from the stream and not yet asked for; less than one chunk. */
  #rest: Buffer = empty;
  #text: Promise<string> | undefined;
  /** Reads run one after another, or two that are not awaited would share the bytes between them. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  /** Whether the client announced a body. */
  get announced(): boolean {
    return this.#exchange.hasBody;
  }

  /** Whether somebody has begun to read. */
  get used(): boolean {
    return this.#owner !== undefined;
  }

  /**
   * Takes the whole stream for one party, named in the error that the next one gets.
   * @throws ModTsError `MODTS_BODY_USED`
   */
  claim(party: string): Readable {
    if (this.#owner !== undefined && this.#owner !== party) {
      throw new ModTsError("MODTS_BODY_USED", { first: this.#owner });
    }
    this.#owner = party;
    return (this.#stream ??= this.#exchange.hasBody ? this.#exchange.body() : Readable.from([]));
  }

  /** The next part of the body, of any length, for a party that takes all of it; undefined at the end. */
  next(party: string): Promise<Buffer | undefined> {
    return next(this.#iterator(party));
  }

  /** `size` bytes, fewer only at the end; everything when `size` is missing or negative. Empty at the end. */
  read(size = -1): Promise<Buffer> {
    return this.#enqueue(size, () => this.#read(size));
  }

  /** Up to and including the next line feed, at most `size` bytes. Empty at the end. */
  readLine(size = -1): Promise<Buffer> {
    return this.#enqueue(size, () => this.#readLine(size));
  }

  /** The lines that are left; stops after the line that reaches `hint` bytes in all. */
  async readLines(hint = -1): Promise<Buffer[]> {
    const lines: Buffer[] = [];
    let missing = hint < 0 ? Infinity : hint;
    while (missing > 0) {
      const line = await this.readLine();
      if (line.length === 0) break;
      lines.push(line);
      missing -= line.length;
    }
    return lines;
  }

  /**
   * The whole body as text; asking again gives the same text. A byte order mark is taken off. More than `limit` bytes are the
   * client's fault: `HttpError` 413.
   */
  text(encoding = "utf-8", limit = Infinity): Promise<string> {
    return (this.#text ??= this.#readText(encoding, limit));
  }

  /** The whole body as JSON. Text that is no JSON is the client's fault: `HttpError` 400; as is more than `limit` bytes: 413. */
  async json(limit?: number): Promise<unknown> {
    return parseJsonBody(await this.text("utf-8", limit));
  }

  /** Reads to the end and forgets it, unless a party of its own holds the stream. Rejects as reading does. */
  async discard(): Promise<void> {
    await this.#last;
    const owner = this.#owner ?? "req.discardRequestBody()";
    if (!this.#exchange.hasBody || (this.#stream && !this.#chunks)) return;
    this.#rest = empty;
    const chunks = this.#iterator(owner);
    while (await next(chunks));
  }

  async #readText(encoding: string, limit: number): Promise<string> {
    const decoder = decoderFor(encoding);
    const chunks = this.#iterator("req.text()");
    const parts = new ByteCollector();
    let size = 0;
    for (let chunk = await next(chunks); chunk; chunk = await next(chunks)) {
      size += chunk.length;
      if (size > limit) {
        throw new HttpError(413, { body: `The request body has more than ${limit} bytes.\n` });
      }
      parts.add(chunk);
    }
    return decoder.decode(parts.whole());
  }

  async #enqueue(size: number, read: () => Promise<Buffer>): Promise<Buffer> {
    if (!Number.isInteger(size)) {
      throw new ModTsError("MODTS_BAD_ARGUMENT", {
        name: "read",
        reason: "the size must be a whole number",
      });
    }
    const result = this.#last.then(read);
    this.#last = result.catch(() => {});
    return result;
  }

  async #read(size: number): Promise<Buffer> {
    const parts = new ByteCollector();
    for (let missing = size; missing !== 0;) {
      const chunk = await this.#take();
      if (!chunk) break;
      const part = missing > 0 ? this.#keep(chunk, missing) : chunk;
      parts.add(part);
      if (missing > 0) missing -= part.length;
    }
    return parts.whole();
  }

  async #readLine(size: number): Promise<Buffer> {
    const parts = new ByteCollector();
    for (let missing = size; missing !== 0;) {
      const chunk = await this.#take();
      if (!chunk) break;
      const feed = chunk.indexOf(0x0a) + 1;
      const limit = missing > 0 ? missing : chunk.length;
      const part = this.#keep(chunk, feed > 0 ? Math.min(feed, limit) : limit);
      parts.add(part);
      if (part.at(-1) === 0x0a) break;
      if (missing > 0) missing -= part.length;
    }
    return parts.whole();
  }

  /** Bytes left over, else the next chunk; undefined at the end. */
  async #take(): Promise<Buffer | undefined> {
    if (this.#rest.length > 0) {
      const rest = this.#rest;
      this.#rest = empty;
      return rest;
    }
    return next(this.#iterator("req.read()"));
  }

  #keep(chunk: Buffer, wanted: number): Buffer {
    this.#rest = chunk.subarray(wanted);
    return chunk.subarray(0, wanted);
  }

  #iterator(party: string): AsyncIterator<Buffer> {
    const stream = this.claim(party);
    return (this.#chunks ??= stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>);
  }
}

/** The value of a body that is JSON; else `HttpError` 400. */
export function parseJsonBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new HttpError(400, { body: "The request body is not valid JSON.\n", cause });
  }
}

/** The next chunk that is not empty. */
async function next(chunks: AsyncIterator<Buffer>): Promise<Buffer | undefined> {
  try {
    for (;;) {
      const { done, value } = await chunks.next();
      if (done) return undefined;
      if (value.length > 0) return value;
    }
  } catch (error) {
    throw toBodyError(error);
  }
}

/** What a transport says of a client that went away is its own; handlers see one error for all. */
function toBodyError(error: unknown): Error {
  return isModTsError(error) ? error : new ModTsError("MODTS_BODY_ABORTED", {}, { cause: error });
}

function decoderFor(encoding: string): InstanceType<typeof TextDecoder> {
  try {
    return new TextDecoder(encoding);
  } catch (cause) {
    throw new ModTsError(
      "MODTS_BAD_ARGUMENT",
      { name: "text", reason: `${encoding} is not an encoding` },
      { cause },
    );
  }
}
