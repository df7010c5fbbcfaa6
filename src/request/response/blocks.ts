/**
 * Memory for what is about to be sent, used again after it was sent: blocks of their own would
 * make the collector run at almost every response of a megabyte, and cost more than the rest of it.
 */

/** A block of memory, and the function to call after its last use. */
export interface Block {
  readonly bytes: Uint8Array;
  /** Missing: the memory is not used again. */
  readonly release?: (() => void) | undefined;
}

interface LentBlock extends Block {
  readonly bytes: Buffer;
  readonly release: () => void;
}

/** Bytes that are kept for later responses, in one worker. */
const maxKept = 16 * 1024 ** 2;

/** Shorter copies come from the pool of Node.js. */
const minBlock = 4096;

/** By size; those that were used last are last. */
const free = new Map<number, Buffer[]>();
let kept = 0;

/** Copies bytes into a block. */
export function copyToBlock(data: Uint8Array): Block {
  if (data.length < minBlock) return { bytes: Buffer.from(data) };
  const block = takeBlock(data.length);
  block.bytes.set(data);
  return block;
}

/** Encodes text into a block, in UTF-8. */
export function textToBlock(text: string): Block {
  const length = Buffer.byteLength(text);
  if (length < minBlock) return { bytes: Buffer.from(text) };
  const block = takeBlock(length);
  // ASCII is the same in both, and Latin-1 needs no encoding.
  block.bytes.write(text, length === text.length ? "latin1" : "utf8");
  return block;
}

/** Memory with anything in it. The block behind it has the next power of two, so that others can have it later. */
export function takeBlock(length: number): LentBlock {
  const size = 2 ** Math.ceil(Math.log2(length));
  const block = takeFree(size) ?? Buffer.allocUnsafeSlow(size);
  let isReleased = false;
  return {
    bytes: block.subarray(0, length),
    release: () => {
      if (!isReleased) putBack(block);
      isReleased = true;
    },
  };
}

function takeFree(size: number): Buffer | undefined {
  const block = free.get(size)?.pop();
  if (block) kept -= size;
  return block;
}

function putBack(block: Buffer): void {
  const { length } = block;
  const blocks = free.get(length) ?? [];
  free.delete(length);
  free.set(length, blocks);
  blocks.push(block);
  kept += length;
  while (kept > maxKept) dropOldest();
}

/** Trap: blocks of one size would keep out all others for good. */
function dropOldest(): void {
  for (const [size, blocks] of free) {
    if (blocks.pop()) kept -= size;
    if (blocks.length === 0) free.delete(size);
    return;
  }
}
