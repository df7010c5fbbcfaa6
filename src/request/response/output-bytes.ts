/** Bytes that were written and are not sent yet. */
export class OutputBytes {
  length = 0;
  readonly #chunks: Uint8Array[] = [];
  readonly #releases: (() => void)[] = [];

  /** @param release called when the bytes are not used any more; never after a failure */
  add(bytes: Uint8Array, release?: () => void): void {
    this.#chunks.push(bytes);
    this.length += bytes.length;
    if (release) this.#releases.push(release);
  }

  /** All of them; who sends them calls `left`. The buffer must not be used any more. */
  join(): Output {
    const [first, ...others] = this.#chunks;
    if (first && others.length === 0) return { body: first, left: this.#releases[0] };
    const body = Buffer.concat(this.#chunks);
    for (const release of this.#releases) release();
    return { body, left: undefined };
  }
}

/** What is sent at once. */
export interface Output {
  readonly body: string | Uint8Array;
  /** To be called when the body was sent: its memory is used again. */
  readonly left: (() => void) | undefined;
}
