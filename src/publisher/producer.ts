/**
 * One way to read everything that gives its parts one after another: Node's and the web's streams, generators, iterators.
 * @module
 */
import type { Readable } from "node:stream";

/** Gives parts of a body. */
export interface Producer {
  /** Whether the parts come when they come, so that each is to be sent at once. */
  readonly isLive: boolean;
  next(): IteratorResult<unknown> | Promise<IteratorResult<unknown>>;
  /** Nobody wants the rest. Ends it as `break` ends a loop; never throws. */
  stop(): void;
}

/** The producer that a value is, if it is one. Arrays, Maps and Sets hold everything already, so they are none. */
export function producerOf(value: object): Producer | undefined {
  if (value instanceof ReadableStream) return fromReader(value.getReader());
  const { [Symbol.asyncIterator]: asyncIterator, [Symbol.iterator]: iterator } = value as Partial<
    AsyncIterable<unknown> & Iterable<unknown>
  >;
  if (typeof asyncIterator === "function") {
    return fromIterator(Reflect.apply(asyncIterator, value, []), true, value as Partial<Readable>);
  }
  const isIterator = typeof Reflect.get(value, "next") === "function";
  if (!isIterator || typeof iterator !== "function") return undefined;
  return fromIterator(Reflect.apply(iterator, value, []), false);
}

function fromReader(reader: ReadableStreamDefaultReader<unknown>): Producer {
  return {
    isLive: true,
    next: () => reader.read() as Promise<IteratorResult<unknown>>,
    stop: () => void reader.cancel().catch(() => {}),
  };
}

function fromIterator(
  iterator: AsyncIterator<unknown> | Iterator<unknown>,
  isLive: boolean,
  stream?: Partial<Readable>,
): Producer {
  return {
    isLive,
    next: () => iterator.next(),
    stop() {
      try {
        // A generator that waits for its next part hears of its end only after that; a stream can be ended at once.
        stream?.destroy?.();
        Promise.resolve(iterator.return?.()).catch(() => {});
      } catch {
        // What its author left undone at the end is of no use to the client, who has gone.
      }
    },
  };
}
