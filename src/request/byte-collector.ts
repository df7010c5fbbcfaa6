/**
 * Bytes that come in parts of any length, as one piece.
 *
 * Attack: a chunked body of one byte a chunk. Apache hands each on as it came, and a `Buffer` of its own costs some 600 bytes: kept in a list,
 * the 8 MB that a form may have would take 5 GB. So parts are copied together; only the first one, which most often is all, is kept as it is.
 * @module
 */

const empty = Buffer.alloc(0);

export class ByteCollector {
  #bytes: Buffer = empty;
  #size = 0;

  /** Bytes so far. */
  get size(): number {
    return this.#size;
  }

  /** Adds a part that nobody is going to change. */
  add(part: Buffer): void {
    if (this.#size === 0) this.#bytes = part;
    else this.#append(part);
    this.#size += part.length;
  }

  /** All of them. */
  whole(): Buffer {
    return this.#bytes.subarray(0, this.#size);
  }

  #append(part: Buffer): void {
    const wanted = this.#size + part.length;
    // Never into the first part: what lies behind it in memory is somebody else's.
    if (wanted > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#size, wanted, 1024));
      this.#bytes.copy(larger, 0, 0, this.#size);
      this.#bytes = larger;
    }
    part.copy(this.#bytes, this.#size);
  }
}
