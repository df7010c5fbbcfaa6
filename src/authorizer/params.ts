/**
 * FastCGI name-value pairs, both ways: pure functions over bytes.
 *
 * Source: FastCGI Specification 1.0, section 3.4. A pair may be split between two records, so pairs are read from the
 * whole stream and not from each record.
 * @module
 */

/** Names and values in order; a name may come twice. */
export type Pairs = readonly (readonly [name: string, value: string])[];

/**
 * Reads all pairs of a complete stream. Gives undefined when a length points beyond the end: a stream that is cut is
 * malformed as a whole, since nobody knows what the missing pairs would have said.
 */
export function readPairs(bytes: Buffer): Pairs | undefined {
  const pairs: [string, string][] = [];
  let at = 0;
  while (at < bytes.length) {
    const nameLength = readLength(bytes, at);
    if (!nameLength) return undefined;
    const valueLength = readLength(bytes, nameLength.end);
    if (!valueLength) return undefined;
    const value = valueLength.end + nameLength.length;
    const end = value + valueLength.length;
    if (end > bytes.length) return undefined;
    pairs.push([
      decode(bytes.subarray(valueLength.end, value)),
      decode(bytes.subarray(value, end)),
    ]);
    at = end;
  }
  return pairs;
}

/** Writes pairs, for `FCGI_GET_VALUES_RESULT` and for clients. */
export function writePairs(pairs: Pairs): Buffer {
  return Buffer.concat(
    pairs.flatMap(([name, value]) => {
      const nameBytes = Buffer.from(name);
      const valueBytes = Buffer.from(value);
      return [writeLength(nameBytes.length), writeLength(valueBytes.length), nameBytes, valueBytes];
    }),
  );
}

/** One byte up to 127, else four with the highest bit set. */
function readLength(bytes: Buffer, at: number): { length: number; end: number } | undefined {
  const first = bytes[at];
  if (first === undefined) return undefined;
  if (first < 128) return { length: first, end: at + 1 };
  if (at + 4 > bytes.length) return undefined;
  return { length: bytes.readUInt32BE(at) & 0x7fffffff, end: at + 4 };
}

function writeLength(length: number): Buffer {
  if (length < 128) return Buffer.of(length);
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE((length | 0x80000000) >>> 0);
  return bytes;
}

/** UTF-8 where the bytes are valid UTF-8, else one character a byte. Two spellings in two encodings read the same. */
function decode(bytes: Buffer): string {
  const text = bytes.toString("utf8");
  return text.includes("\ufffd") ? bytes.toString("latin1") : text;
}
