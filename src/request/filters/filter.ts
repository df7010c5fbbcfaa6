/**
 * Filters of a body: a function over the whole text, over its chunks, or a `TransformStream`. An
 * output filter changes what is served, an input filter what the client sends.
 */
import { ModTsError } from "../../base/errors.ts";
import type { HeaderTable } from "../headers.ts";
import type { RequestFacts } from "../request-facts.ts";

/** What a filter knows of the message whose body it changes. */
export interface FilteredMessage {
  readonly req: RequestFacts;
  /** Headers of the message; those of a response may be changed until its first byte is sent. */
  readonly headers: HeaderTable;
  /** Media type of the body, with its charset; null if it has none. */
  contentType: string | null;
  /** Status of a response; 0 in an input filter. */
  status: number;
}

type Bytes = AsyncIterable<Uint8Array>;
type Changed = AsyncIterable<Uint8Array | string>;

/** One step of a chain; text is UTF-8. */
export type Stage = (chunks: Bytes, message: FilteredMessage) => Changed;

/** What a filter over the whole text does with all bytes of a body. */
type ChangeWhole = (bytes: Buffer, message: FilteredMessage) => Promise<string | Uint8Array>;

const stageOf: unique symbol = Symbol.for("mod_ts.filter") as never;

/** A filter that `textFilter`, `chunkFilter`, `streamFilter` or `htmlFilter` has made. */
export interface Filter {
  readonly [stageOf]: Stage;
  /** Whether the first byte leaves when the last one has arrived. */
  readonly isWhole: boolean;
  /** The same without streams, where it is whole. */
  readonly whole?: { readonly change: ChangeWhole; readonly limit: number };
}

/** The whole text; may be asynchronous. */
export type TextChange = (
  text: string,
  message: FilteredMessage,
) => string | Uint8Array | Promise<string | Uint8Array>;

/** The parts as they arrive; for text, `TextDecoderStream` joins characters that were divided. */
export type ChunkChange = (chunks: Bytes, message: FilteredMessage) => Changed;

/** Options of `textFilter`. */
export interface TextFilterOptions {
  /** Bytes of the largest body; a larger one is an error. @default 10_485_760 */
  limit?: number;
}

const defaultLimit = 10 * 1024 * 1024;

/**
 * A filter over the whole text of a body. The export `outputFilter` or `inputFilter` of a module may
 * also be the plain function, with the default limit.
 * @throws ModTsError `MODTS_FILTER_TOO_LARGE` at a larger body
 * @example
 * export const outputFilter = textFilter((text) => text.replaceAll("internal.example", "example.com"));
 */
export function textFilter(
  change: TextChange,
  { limit = defaultLimit }: TextFilterOptions = {},
): Filter {
  const changeWhole: ChangeWhole = (bytes, message) => changeText(bytes, message, change);
  return {
    [stageOf]: async function* text(chunks, message) {
      yield await changeWhole(await collect(chunks, limit), message);
    },
    isWhole: true,
    whole: { change: changeWhole, limit },
  };
}

/**
 * A filter over the parts of a body. An async generator function as the export is the same.
 * @example
 * export async function* outputFilter(chunks: AsyncIterable<Uint8Array>) {
 *   for await (const chunk of chunks) yield chunk;
 *   yield "<!-- served by mod_ts -->";
 * }
 */
export function chunkFilter(change: ChunkChange): Filter {
  return { [stageOf]: change, isWhole: false };
}

/**
 * A filter by a web-standard transform stream of bytes, a new one for each body.
 * @example
 * export const outputFilter = streamFilter(() => new CompressionStream("gzip"));
 */
export function streamFilter(
  create: (message: FilteredMessage) => {
    readonly readable: ReadableStream<Uint8Array | string>;
    readonly writable: WritableStream<Uint8Array>;
  },
): Filter {
  return chunkFilter((chunks, message) => {
    const { readable, writable } = create(message);
    const source = ReadableStream.from<Uint8Array>(chunks);
    return source.pipeThrough({ readable, writable }) as unknown as Changed;
  });
}

/** The filter of an export; undefined for any other value. */
export function toFilter(value: unknown): Filter | undefined {
  if (typeof value === "object" && value !== null && stageOf in value) return value as Filter;
  if (typeof value !== "function") return undefined;
  const isGenerator = Object.prototype.toString.call(value) === "[object AsyncGeneratorFunction]";
  return isGenerator ? chunkFilter(value as ChunkChange) : textFilter(value as TextChange);
}

/** The same filter, with its errors explained. */
export function guardFilter(filter: Filter, explain: (error: unknown) => unknown): Filter {
  const stage: Stage = async function* guarded(chunks, message) {
    let ofOthers: unknown;
    const source = (async function* pass() {
      try {
        yield* chunks;
      } catch (error) {
        ofOthers = error;
        throw error;
      }
    })();
    try {
      yield* filter[stageOf](source, message);
    } catch (error) {
      throw error === ofOthers ? error : explain(error);
    }
  };
  const { isWhole, whole } = filter;
  if (!whole) return { [stageOf]: stage, isWhole };
  const change: ChangeWhole = async (bytes, message) => {
    try {
      return await whole.change(bytes, message);
    } catch (error) {
      throw explain(error);
    }
  };
  return { [stageOf]: stage, isWhole, whole: { change, limit: whole.limit } };
}

/** Runs a body through filters, in order. */
export async function* runFilters(
  chunks: Bytes,
  filters: readonly Filter[],
  message: FilteredMessage,
): AsyncGenerator<Uint8Array> {
  let current: Bytes = chunks;
  for (const filter of filters) current = toBytes(filter[stageOf](current, message));
  yield* current;
}

async function* toBytes(chunks: Changed): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    const bytes = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
    if (bytes.length > 0) yield bytes;
  }
}

/** Throws `MODTS_FILTER_TOO_LARGE`. */
async function collect(chunks: Bytes, limit: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.length;
    if (size > limit) throw tooLarge(limit);
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}

export function tooLarge(limit: number): ModTsError {
  return new ModTsError("MODTS_FILTER_TOO_LARGE", { limit });
}

async function changeText(
  bytes: Buffer,
  message: FilteredMessage,
  change: TextChange,
): Promise<string | Uint8Array> {
  const charset = charsetOf(message.contentType);
  const decoder = charset === "utf-8" ? utf8 : new TextDecoder(charset);
  const changed = await change(decoder.decode(bytes), message);
  if (typeof changed === "string" && charset !== "utf-8") announceUtf8(message);
  return changed;
}

const utf8 = new TextDecoder();

/** Canonical name; unknown ones are an error, because the filter would read something else. */
export function charsetOf(contentType: string | null): string {
  const named = /;\s*charset="?([^\s";]+)/i.exec(contentType ?? "")?.[1] ?? "utf-8";
  if (/^utf-?8$/i.test(named)) return "utf-8";
  try {
    return new TextDecoder(named).encoding;
  } catch {
    throw new ModTsError("MODTS_FILTER_UNREADABLE", { what: `charset ${named}` });
  }
}

export function announceUtf8(message: FilteredMessage): void {
  const [type = "text/plain"] = (message.contentType ?? "").split(";");
  message.contentType = `${type.trim()}; charset=utf-8`;
}
