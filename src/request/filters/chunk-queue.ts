/** Chunks of a producer that does not wait, for one consumer. */

const mostBytes = 65_536;

export class ChunkQueue implements AsyncIterable<Uint8Array> {
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #isClosed = false;
  #error: unknown;
  #arrived = (): void => {};
  #taken: (() => void)[] = [];

  /** False if the consumer is slower; then wait for {@link drained}. */
  push(chunk: Uint8Array): boolean {
    if (this.#isClosed) return true;
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    this.#arrived();
    return this.#bytes < mostBytes;
  }

  /** Resolves when there is room, or the consumer has ended. */
  drained(): Promise<void> {
    if (this.#isClosed || this.#bytes < mostBytes) return Promise.resolve();
    return new Promise((resolve) => this.#taken.push(resolve));
  }

  /** No more chunks. With an error the consumer fails after those that are there. */
  close(error?: unknown): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#error = error;
    this.#arrived();
    this.#release();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const chunk = this.#chunks.shift();
        if (chunk) {
          this.#bytes -= chunk.length;
          if (this.#bytes < mostBytes) this.#release();
          yield chunk;
        } else if (this.#isClosed) {
          if (this.#error !== undefined) throw this.#error;
          return;
        } else await new Promise<void>((resolve) => (this.#arrived = resolve));
      }
    } finally {
      // A filter that ends early reads no further.
      this.#isClosed = true;
      this.#chunks = [];
      this.#release();
    }
  }

  #release(): void {
    for (const taken of this.#taken.splice(0)) taken();
  }
}
