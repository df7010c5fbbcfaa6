/**
 * Manual release of the read buffers of responses. The collector lets tens of megabytes of them
 * pile up first: with a hundred clients × 100 MB (`bench/origin.ts 0`) the sidecar grew by 23 MB,
 * without this by 117 MB.
 */
import type { Upstream } from "./proxy.ts";

/**
 * Releases bytes that are not read any more; they are empty then. Small parts of a block stay: the
 * rest may belong to others, as in the pool of `Buffer`, which gives away less than half of itself.
 */
export function reclaim({ buffer, byteLength, byteOffset }: Uint8Array): void {
  const isOwn = byteOffset === 0 && byteLength > buffer.byteLength / 2;
  // Replaces the block with an empty one.
  if (isOwn && buffer instanceof ArrayBuffer) buffer.transfer(0);
}

/**
 * Tracks the read buffers of a response's connection. Node copies the body out of them
 * (`node_http_parser.cc`, `on_body`), so they are free once it was passed on. Should Node ever pass
 * on parts of these buffers themselves, they are left alone.
 */
export class ReadBlocks {
  readonly #upstream: Upstream;
  /** Buffers with parts of the body that may still wait in the response. */
  #blocks: Uint8Array[] = [];
  #latest: unknown;
  #areShared = false;

  constructor(upstream: Upstream) {
    this.#upstream = upstream;
    const { socket } = upstream;
    // Runs after the parser, whose listener is older.
    const read = (block: Uint8Array): void => this.#read(block);
    socket.on("data", read);
    upstream.once("close", () => socket.off("data", read));
  }

  /** To be called with each part of the body before it is used. */
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
    if (this.#upstream.readableLength > 0) return;
    if (!this.#areShared) this.#blocks.forEach(reclaim);
    this.#blocks = [];
  }
}
