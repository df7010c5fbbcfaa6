/**
 * Gives the memory of an answer's bytes back by hand. The collector lets tens of megabytes of read blocks come together before it looks, and
 * with a hundred large answers on their way that is all that the sidecar grows by.
 * @module
 */
import type { IncomingMessage } from "node:http";

/**
 * Gives back the memory of bytes that nobody reads any more; they are empty after that. Small parts of a block stay: the rest of it
 * may belong to others, as in the pool of `Buffer`, which gives away less than half of itself at a time. A block that was read need not be full.
 */
export function reclaim({ buffer, byteLength, byteOffset }: Uint8Array): void {
  const isOwn = byteOffset === 0 && byteLength > buffer.byteLength / 2;
  // In place of a block of no bytes.
  if (isOwn && buffer instanceof ArrayBuffer) buffer.transfer(0);
}

/**
 * Follows what is read from the connection of an answer. Node copies the body out of these blocks (`node_http_parser.cc`, `on_body`), so that
 * they are done with as soon as it has been handed on. Should it ever hand on parts of the blocks themselves, they are left alone.
 */
export class ReadBlocks {
  readonly #answer: IncomingMessage;
  /** Blocks of which some of the body may still wait in the answer. */
  #blocks: Uint8Array[] = [];
  #latest: unknown;
  #areShared = false;

  constructor(answer: IncomingMessage) {
    this.#answer = answer;
    const { socket } = answer;
    // Runs after the parser, which listens since the connection was made.
    const read = (block: Uint8Array): void => this.#read(block);
    socket.on("data", read);
    answer.once("close", () => socket.off("data", read));
  }

  /** To be told of each part of the body, before anything is done with it. */
  handedOn({ buffer }: Uint8Array): void {
    this.#latest = buffer;
    this.#areShared ||= this.#blocks.some((block) => block.buffer === buffer);
    this.#reclaim();
  }

  #read(block: Uint8Array): void {
    this.#areShared ||= block.buffer === this.#latest;
    this.#blocks.push(block);
    this.#reclaim();
  }

  #reclaim(): void {
    if (this.#answer.readableLength > 0) return;
    if (!this.#areShared) this.#blocks.forEach(reclaim);
    this.#blocks = [];
  }
}
