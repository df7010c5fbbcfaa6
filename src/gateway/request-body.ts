/** The body of a request as handlers see it: counted, and independent of its connection. */
import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { ModTsError } from "../base/errors.ts";
import { ByteCollector } from "../request/body/byte-collector.ts";

/** Read ahead of a handler; then the connection has to wait. */
const enough = 65536;

/**
 * A handler may stop reading, destroy the stream, or exceed the limit. The connection must survive,
 * as it carries the response, which mod_proxy_http reads only after it has sent the whole body. So
 * an unwanted body is read and discarded; Node.js does so only if nothing was read.
 *
 * Attack: a body of one byte per chunk for a busy handler. Node.js would keep 64 KB of them, each a
 * `Buffer` of some 300 bytes: 20 MB. So they are taken as they arrive and kept in one piece.
 */
export class RequestBody extends Readable {
  readonly #message: IncomingMessage;
  #limit: number;
  #waiting = new ByteCollector();
  #seen = 0;
  #isOpen = false;
  #isWanted = false;
  #isFull = false;
  #failure: Error | undefined;

  /**
   * @param message never destroyed here, as that would destroy its connection
   * @param limit bytes; more is `MODTS_BODY_TOO_LARGE`. The length of a chunked body is not known
   * in advance
   */
  constructor(message: IncomingMessage, limit: number) {
    // Buffering is done above: the stream asks for a part only after the previous one was read.
    super({ highWaterMark: 1 });
    this.#message = message;
    this.#limit = limit;
    const read = message._read;
    // Else a message with room would resume a paused connection.
    message._read = (size) => {
      if (!this.#isFull) read.call(message, size);
    };
    message.on("data", (chunk: Buffer) => this.#take(chunk));
    message.once("end", () => this.#end());
    message.once("error", (error) => this.#fail(error));
    message.once("close", () => message.readableEnded || this.#fail(new Error("aborted")));
    // Node.js has discarded an unread body after the response: waiting would never end.
    if (message.destroyed || message.readableEnded) this.#fail(new Error("read before"));
  }

  /** Lowers the limit, before anything was read. */
  lowerLimit(limit: number): void {
    this.#limit = Math.min(this.#limit, limit);
  }

  /** Whether a handler reads. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Begins reading; failures are reported from now on. */
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
