/**
 * The body of a request as handlers see it: counted, and apart from the connection that carries it.
 * @module
 */
import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { ModTsError } from "../errors.ts";
import { ByteCollector } from "../request/byte-collector.ts";

/** Bytes that are kept for a reader who has not come yet; then the connection has to wait. */
const enough = 65536;

/**
 * A handler may stop reading, destroy the stream, or exceed the limit: the connection must survive it, as it still has to
 * carry the answer, and mod_proxy_http looks at no answer before it has sent the whole body. So what nobody wants any
 * more is read and forgotten. (Node does that only for a body which nobody has begun to read.)
 *
 * Attack: a body of one byte a chunk, for a handler that is busy elsewhere. Node would keep 64 KB of them, each a `Buffer` of some 300 bytes: a few
 * hundred kilobytes sent hold 20 MB. So they are taken as they come, read or not, and kept in one piece.
 */
export class RequestBody extends Readable {
  readonly #message: IncomingMessage;
  readonly #limit: number;
  #waiting = new ByteCollector();
  #seen = 0;
  #isOpen = false;
  #isWanted = false;
  #isFull = false;
  #failure: Error | undefined;

  /**
   * @param message never destroyed from here, as that would destroy its connection
   * @param limit bytes; more is an error `MODTS_BODY_TOO_LARGE`. A chunked body does not say its length beforehand
   */
  constructor(message: IncomingMessage, limit: number) {
    // What waits, waits above: the stream itself asks for a part only when the one before it is taken.
    super({ highWaterMark: 1 });
    this.#message = message;
    this.#limit = limit;
    const read = message._read;
    // A message that has room starts its connection again, also one that has been told to wait.
    message._read = (size) => {
      if (!this.#isFull) read.call(message, size);
    };
    message.on("data", (chunk: Buffer) => this.#take(chunk));
    message.once("end", () => this.#end());
    message.once("error", (error) => this.#fail(error));
    message.once("close", () => message.readableEnded || this.#fail(new Error("aborted")));
    // Node has forgotten what nobody had read when the answer was given: to wait for it would be to wait for ever.
    if (message.destroyed || message.readableEnded) this.#fail(new Error("read before"));
  }

  /** Whether somebody reads. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Somebody is going to read, and hears of failures from now on. */
  open(): this {
    this.#isOpen = true;
    if (this.#failure) this.destroy(this.#failure);
    return this;
  }

  override _read(): void {
    if (this.#waiting.size > 0) this.push(this.#takeWaiting());
    else if (this.#message.readableEnded) this.push(null);
    else this.#isWanted = true;
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#forget();
    callback(error);
  }

  #take(chunk: Buffer): void {
    // Forgotten.
    if (this.destroyed || this.#failure) return;
    this.#seen += chunk.length;
    if (this.#seen > this.#limit) {
      return this.#fail(new ModTsError("MODTS_BODY_TOO_LARGE", { limit: this.#limit }));
    }
    this.#waiting.add(chunk);
    if (this.#isWanted) this.#give(this.#takeWaiting());
    else if (this.#waiting.size >= enough) this.#hold();
  }

  #end(): void {
    this.#goOn();
    if (this.#isWanted) this.#give(null);
  }

  #give(part: Buffer | null): void {
    this.#isWanted = false;
    this.push(part);
  }

  #takeWaiting(): Buffer {
    const bytes = this.#waiting.whole();
    this.#waiting = new ByteCollector();
    this.#goOn();
    return bytes;
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#forget();
    if (this.#isOpen) this.destroy(error);
  }

  #forget(): void {
    this.#waiting = new ByteCollector();
    this.#goOn();
  }

  #hold(): void {
    this.#isFull = true;
    this.#message.socket.pause();
  }

  #goOn(): void {
    if (this.#isFull) this.#message.socket.resume();
    this.#isFull = false;
  }
}
