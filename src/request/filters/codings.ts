/** Content codings of bodies: filters see and change what is under them. */
import { type Duplex, pipeline, Readable } from "node:stream";
import {
  createBrotliCompress,
  createBrotliDecompress,
  createDeflate,
  createGunzip,
  createGzip,
  createInflate,
} from "node:zlib";
import { ModTsError } from "../../base/errors.ts";
import type { HeaderTable } from "../headers.ts";

/**
 * Content codings of a body, in the order applied (RFC 9110, section 8.4). They stay: Apache names
 * that of a file, such as `.gz`, whatever the answer says.
 */
export function codingsOf(headers: HeaderTable): readonly Coding[] {
  const names = headers
    .getAll("Content-Encoding")
    .join(",")
    .toLowerCase()
    .split(/[\s,]+/);
  return names
    .filter((name) => name !== "" && name !== "identity")
    .map((name) => {
      const coding = known.get(name);
      if (!coding) throw unreadable(`content coding ${name}`);
      return coding;
    });
}

interface Coding {
  readonly decode: () => Duplex;
  readonly encode: () => Duplex;
}

const gzip: Coding = { decode: createGunzip, encode: createGzip };
const known: ReadonlyMap<string, Coding> = new Map([
  ["gzip", gzip],
  ["x-gzip", gzip],
  ["deflate", { decode: createInflate, encode: createDeflate }],
  ["br", { decode: createBrotliDecompress, encode: createBrotliCompress }],
]);

/** What is under the codings of a body. */
export function decoded(
  chunks: AsyncIterable<Uint8Array>,
  codings: readonly Coding[],
): AsyncIterable<Uint8Array> {
  return codings.length === 0 ? chunks : decode(chunks, codings);
}

/** An empty body stays empty: decoders reject it. */
async function* decode(
  chunks: AsyncIterable<Uint8Array>,
  codings: readonly Coding[],
): AsyncGenerator<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done) return;
  const all = (async function* (): AsyncGenerator<Uint8Array> {
    yield first.value;
    yield* { [Symbol.asyncIterator]: () => iterator };
  })();
  yield* through(all, codings.map((coding) => coding.decode).toReversed());
}

export function through(
  chunks: AsyncIterable<Uint8Array>,
  steps: readonly (() => Duplex)[],
): AsyncIterable<Uint8Array> {
  const streams = steps.map((step) => step());
  const last = streams.at(-1);
  if (!last) return chunks;
  // Who reads the last one gets the error of any.
  pipeline([Readable.from(chunks, { objectMode: false }), ...streams], () => {});
  return last;
}

export function unreadable(what: string): ModTsError {
  return new ModTsError("MODTS_FILTER_UNREADABLE", { what });
}
