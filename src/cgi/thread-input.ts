/**
 * `process.stdin` of a script in a thread.
 * @module
 */
import { Readable } from "node:stream";
import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { inputWord, type ThreadData } from "./thread-protocol.ts";

/** The request body, for those who read as it comes, and for those who stand and wait (`readFileSync(0)`). */
export class StandardInput extends Readable {
  readonly fd = 0;
  readonly #port: MessagePort;
  readonly #control: ThreadData["control"];
  #asked = false;
  #ended = false;
  /** What was taken and not given out by {@link readNow}. */
  #rest: Uint8Array | undefined;

  constructor({ input, control }: ThreadData) {
    super();
    this.#port = input;
    this.#control = control;
  }

  /** At most `size` bytes, waiting for at least one; none at the end. */
  readNow(size: number): Uint8Array {
    const chunk = this.#rest ?? (this.#ended ? new Uint8Array() : this.#waitForChunk());
    this.#rest = chunk.length > size ? chunk.subarray(size) : undefined;
    return chunk.subarray(0, size);
  }

  override _read(): void {
    if (this.#rest) {
      const rest = this.#rest;
      this.#rest = undefined;
      this.push(rest);
    } else if (this.#ended) {
      this.push(null);
    } else {
      // As long as somebody listens, the port keeps the thread alive, and not a moment longer.
      this.#port.once("message", (chunk) => this.push(this.#take(chunk)));
      this.#ask();
    }
  }

  #waitForChunk(): Uint8Array {
    this.#ask();
    for (;;) {
      const seen = Atomics.load(this.#control, inputWord);
      const received = receiveMessageOnPort(this.#port);
      if (received) return this.#take(received.message) ?? new Uint8Array();
      Atomics.wait(this.#control, inputWord, seen);
    }
  }

  #ask(): void {
    if (!this.#asked) this.#port.postMessage(null);
    this.#asked = true;
  }

  #take(chunk: Uint8Array | null): Uint8Array | null {
    this.#asked = false;
    this.#ended = chunk === null;
    return chunk;
  }
}
