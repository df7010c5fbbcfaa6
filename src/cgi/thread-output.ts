/**
 * `process.stdout` and `process.stderr` of a script in a thread.
 * @module
 */
import { Writable } from "node:stream";
import type { MessagePort } from "node:worker_threads";
import { messageSize, outputLimit, outstandingWord, type ThreadData } from "./thread-protocol.ts";

/**
 * Writes as a process writes to a pipe: at once, and standing still while the reader is slow. So memory is bounded also for a script
 * that never looks at what `write` gives, and nothing is lost when it calls `process.exit()`.
 */
export class StandardOutput extends Writable {
  readonly fd: 1 | 2;
  readonly #port: MessagePort;
  readonly #control: ThreadData["control"];

  constructor(fd: 1 | 2, { port, control }: ThreadData) {
    super();
    this.fd = fd;
    this.#port = port;
    this.#control = control;
  }

  /** Hands bytes over; they are copied. */
  writeNow(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += messageSize) {
      const chunk = new Uint8Array(bytes.subarray(at, at + messageSize));
      Atomics.add(this.#control, outstandingWord, chunk.length);
      this.#port.postMessage({ stream: this.fd, chunk }, [chunk.buffer]);
      this.#waitForRoom();
    }
  }

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    this.writeNow(chunk);
    callback();
  }

  override _final(callback: () => void): void {
    this.#port.postMessage({ stream: this.fd });
    callback();
  }

  #waitForRoom(): void {
    for (;;) {
      const outstanding = Atomics.load(this.#control, outstandingWord);
      if (outstanding <= outputLimit) return;
      Atomics.wait(this.#control, outstandingWord, outstanding);
    }
  }
}
