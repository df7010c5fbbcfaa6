/**
 * The standard streams of a script's thread, at the worker's end.
 * @module
 */
import { Readable, Writable } from "node:stream";
import type { MessagePort } from "node:worker_threads";
import { inputWord, outstandingWord, type ThreadData } from "./thread-protocol.ts";

/** What the script writes. It stands still while nobody reads here. */
export class ThreadOutput extends Readable {
  readonly #control: ThreadData["control"];
  #owed = 0;
  #complete = false;

  constructor(control: ThreadData["control"]) {
    super();
    this.#control = control;
  }

  /** Takes what has come; nothing means the end. */
  accept(chunk?: Uint8Array): void {
    if (this.#complete) return this.#settle(chunk?.length ?? 0);
    if (!chunk) {
      this.#complete = true;
      this.push(null);
    } else {
      const hasRoom = this.push(chunk);
      if (hasRoom || this.destroyed) this.#settle(chunk.length);
      else this.#owed += chunk.length;
    }
  }

  override _read(): void {
    this.#settleOwed();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#settleOwed();
    callback(error);
  }

  #settleOwed(): void {
    this.#settle(this.#owed);
    this.#owed = 0;
  }

  #settle(bytes: number): void {
    if (bytes === 0) return;
    Atomics.sub(this.#control, outstandingWord, bytes);
    Atomics.notify(this.#control, outstandingWord);
  }
}

/** What the script reads. A chunk is on its way when the script has asked for it. */
export class ThreadInput extends Writable {
  readonly #port: MessagePort;
  readonly #control: ThreadData["control"];
  #asked = false;
  #send: (() => void) | undefined;

  constructor(port: MessagePort, control: ThreadData["control"]) {
    super();
    this.#port = port;
    this.#control = control;
    port.on("message", () => {
      this.#asked = true;
      this.#serve();
    });
    // Whether the script reads or not must not decide how long this process lives.
    port.unref();
    this.on("error", () => {});
  }

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    this.#put(new Uint8Array(chunk), callback);
  }

  override _final(callback: () => void): void {
    this.#put(null, callback);
  }

  #put(chunk: Uint8Array | null, callback: () => void): void {
    this.#send = () => {
      this.#port.postMessage(chunk);
      Atomics.add(this.#control, inputWord, 1);
      Atomics.notify(this.#control, inputWord);
      callback();
    };
    this.#serve();
  }

  #serve(): void {
    const send = this.#send;
    if (!this.#asked || !send) return;
    this.#asked = false;
    this.#send = undefined;
    send();
  }
}
