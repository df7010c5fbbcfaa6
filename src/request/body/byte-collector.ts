/**
 * Bytes that arrive in parts, as one piece.
 *
 * Attack: a chunked body of one byte per chunk. Apache passes on each one, and a `Buffer` takes
 * some 600 bytes: in a list, the 8 MB of a form would take 5 GB. So parts are copied together; only
 * the first one, usually the whole, is kept as it is.
 */

const empty = Buffer.alloc(0);

export class ByteCollector {
  #bytes: Buffer = empty;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Adds a part that will not be changed. */
  add(part: Buffer): void {
    if (this.#size === 0) this.#bytes = part;
    else this.#append(part);
    this.#size += part.length;
  }

  whole(): Buffer {
    return this.#bytes.subarray(0, this.#size);
  }

  #append(part: Buffer): void {
    const wanted = this.#size + part.length;
    // Never into the first part: its memory is shared.
    if (wanted > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#size, wanted, 1024));
      this.#bytes.copy(larger, 0, 0, this.#size);
      this.#bytes = larger;
    }
    part.copy(this.#bytes, this.#size);
  }
}
