/** The request body: read once, in order, with no more of it in memory than requested. */
import { Readable } from "node:stream";
import { isModTsError, ModTsError, badArgument } from "../../base/errors.ts";
import { HttpError, isHttpError } from "../../base/http-error.ts";
import { ByteCollector } from "./byte-collector.ts";
import type { Exchange } from "../exchange.ts";

const empty = Buffer.alloc(0);

export function bodyOf(state: {
  readonly exchange: Exchange;
  body: BodyReader | undefined;
}): BodyReader {
  return (state.body ??= new BodyReader(state.exchange));
}

/** Reads the body of one exchange. The first reader owns it: others get `MODTS_BODY_USED`. */
export class BodyReader {
  readonly #exchange: Exchange;
  #owner: string | undefined;
  #stream: Readable | undefined;
  #chunks: AsyncIterator<Buffer> | undefined;
  /** Read ahead; less than one chunk. */
  #rest: Buffer = empty;
  #text: Promise<string> | undefined;
  /** Reads are serialized, or two that are not awaited would divide the bytes. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  get announced(): boolean {
    return this.#exchange.hasBody;
  }

  get used(): boolean {
    return this.#owner !== undefined;
  }

  /** The stream, for one owner; the error of the next one, `MODTS_BODY_USED`, names it. */
  claim(party: string): Readable {
    if (this.#owner !== undefined && this.#owner !== party) {
      throw new ModTsError("MODTS_BODY_USED", { first: this.#owner });
    }
    this.#owner = party;
    return (this.#stream ??= this.#exchange.hasBody ? this.#exchange.body() : Readable.from([]));
  }

  /** The next part, of any length; undefined at the end. */
  next(party: string): Promise<Buffer | undefined> {
    return next(this.#iterator(party));
  }

  /** `size` bytes, fewer at the end; by default, or if negative, everything. */
  read(size = -1): Promise<Buffer> {
    return this.#enqueue(size, () => this.#collect(size, false));
  }

  /** Up to and including the next line feed, at most `size` bytes. Empty at the end. */
  readLine(size = -1): Promise<Buffer> {
    return this.#enqueue(size, () => this.#collect(size, true));
  }

  /** The remaining lines; stops after the line that reaches `hint` bytes in total. */
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
   * The rest of the body. Attack: an endless body fills the memory; so more than `limit` bytes reject
   * with `HttpError` 413 and the text `tooMuch`.
   */
  async whole(party: string, limit: number, tooMuch: string): Promise<Buffer> {
    const chunks = this.#iterator(party);
    const parts = new ByteCollector();
    for (let chunk = await next(chunks); chunk; chunk = await next(chunks)) {
      if (parts.size + chunk.length > limit) throw new HttpError(413, { body: tooMuch });
      parts.add(chunk);
    }
    return parts.whole();
  }

  /**
   * The whole body as text without a byte order mark; the same for later calls. Rejects with
   * `HttpError` 413 above `limit` bytes.
   */
  text(encoding = "utf-8", limit = Infinity): Promise<string> {
    return (this.#text ??= this.#readText(encoding, limit));
  }

  /** Rejects with `HttpError` 400 for invalid JSON, 413 above `limit` bytes. */
  async json(limit?: number): Promise<unknown> {
    return parseJsonBody(await this.text("utf-8", limit));
  }

  /** Reads to the end and discards it, unless another owner has the stream. */
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
    const tooMuch = `The request body has more than ${limit} bytes.\n`;
    return decoder.decode(await this.whole("req.text()", limit, tooMuch));
  }

  async #enqueue(size: number, read: () => Promise<Buffer>): Promise<Buffer> {
    if (!Number.isInteger(size)) throw badArgument("read", "the size must be a whole number");
    const result = this.#last.then(read);
    this.#last = result.catch(() => {});
    return result;
  }

  async #collect(size: number, isLine: boolean): Promise<Buffer> {
    const parts = new ByteCollector();
    for (let missing = size; missing !== 0;) {
      const chunk = await this.#take();
      if (!chunk) break;
      const feed = isLine ? chunk.indexOf(0x0a) + 1 : 0;
      const limit = missing > 0 ? missing : chunk.length;
      const part = this.#keep(chunk, feed > 0 ? Math.min(feed, limit) : limit);
      parts.add(part);
      if (isLine && part.at(-1) === 0x0a) break;
      if (missing > 0) missing -= part.length;
    }
    return parts.whole();
  }

  /** Remaining bytes, else the next chunk; undefined at the end. */
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

/** Throws `HttpError` 400 for invalid JSON. */
export function parseJsonBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new HttpError(400, { body: "The request body is not valid JSON.\n", cause });
  }
}

/** Skips empty chunks. */
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

/** Handlers see one error for disconnected clients of all transports. */
function toBodyError(error: unknown): Error {
  return isModTsError(error) || isHttpError(error)
    ? error
    : new ModTsError("MODTS_BODY_ABORTED", {}, { cause: error });
}

function decoderFor(encoding: string): InstanceType<typeof TextDecoder> {
  try {
    return new TextDecoder(encoding);
  } catch (cause) {
    throw badArgument("text", `${encoding} is not an encoding`, { cause });
  }
}
