/**
 * Keeps a thread within its memory. V8's own limit does not count buffers, and one step far beyond it ends the whole process.
 * @module
 */
import type { Worker } from "node:worker_threads";

/** Milliseconds between two looks. */
const interval = 100;

/** Looks until the returned function is called; `exceed` is called once, when the thread holds more than `limit` megabytes. */
export function watchMemory(worker: Worker, limit: number, exceed: () => void): () => void {
  let looking = false;
  const timer = setInterval(async () => {
    if (looking) return;
    looking = true;
    const held = await heldBy(worker);
    looking = false;
    if (held <= limit) return;
    clearInterval(timer);
    exceed();
  }, interval);
  return () => clearInterval(timer);
}

/** Megabytes; 0 of a thread that has ended. */
async function heldBy(worker: Worker): Promise<number> {
  try {
    const { used_heap_size: heap, external_memory: buffers } = await worker.getHeapStatistics();
    return (heap + buffers) / 2 ** 20;
  } catch {
    return 0;
  }
}
