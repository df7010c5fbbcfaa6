/** Bytes that were written and are not sent yet. */
import { type Block, takeBlock, textToBlock } from "./blocks.ts";

export class OutputBytes {
  length = 0;
  readonly #chunks: Uint8Array[] = [];
  readonly #releases: (() => void)[] = [];

  constructor(text: string) {
    if (text) this.add(text);
  }

  /** A block is released when its bytes are not used any more; never after a failure. */
  add(part: string | Block): void {
    const { bytes, release } = typeof part === "string" ? textToBlock(part) : part;
    this.#chunks.push(bytes);
    this.length += bytes.length;
    if (release) this.#releases.push(release);
  }

  /** All of them; the sender calls `left`. The buffer must not be used any more. */
  join(): Output {
    const [first, ...others] = this.#chunks;
    if (first && others.length === 0) return { body: first, left: this.#releases[0] };
    const { bytes: body, release: left } = takeBlock(this.length);
    let at = 0;
    for (const chunk of this.#chunks) {
      body.set(chunk, at);
      at += chunk.length;
    }
    for (const release of this.#releases) release();
    return { body, left };
  }
}

/** What is sent at once. */
export interface Output {
  readonly body: string | Uint8Array;
  /** To be called when the body was sent: its memory is used again. */
  readonly left: (() => void) | undefined;
}
