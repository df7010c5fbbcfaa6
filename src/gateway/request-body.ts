/**
 * The body of a request as handlers see it: counted, and apart from the connection that carries it.
 * @module
 */
import { Readable } from "node:stream";
import { ModTsError } from "../errors.ts";

/**
 * A handler may stop reading, destroy the stream, or exceed the limit: the connection must survive it, as it still has to
 * carry the answer, and mod_proxy_http looks at no answer before it has sent the whole body. So what nobody wants any
 * more is read and forgotten. (Node does that only for a body which nobody has begun to read.)
 */
export class RequestBody extends Readable {
  readonly #source: Readable;
  readonly #limit: number;
  #seen = 0;

  /**
   * @param source the message of `node:http`; never destroyed from here, as that would destroy its socket
   * @param limit bytes; more is an error `MODTS_BODY_TOO_LARGE`. A chunked body does not say its length beforehand
   */
  constructor(source: Readable, limit: number) {
    super();
    this.#source = source;
    this.#limit = limit;
    source.on("data", (chunk: Buffer) => this.#take(chunk));
    source.once("end", () => this.push(null));
    source.once("error", (error) => this.destroy(error));
    source.once("close", () => source.readableEnded || this.destroy(new Error("aborted")));
    // Node has forgotten what nobody had read when the answer was given: to wait for it would be to wait for ever.
    if (source.destroyed || source.readableEnded) this.destroy(new Error("read before"));
  }

  override _read(): void {
    this.#source.resume();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#source.resume();
    callback(error);
  }

  #take(chunk: Buffer): void {
    if (this.destroyed) return;
    this.#seen += chunk.length;
    if (this.#seen > this.#limit) {
      this.destroy(new ModTsError("MODTS_BODY_TOO_LARGE", { limit: this.#limit }));
    } else if (!this.push(chunk)) {
      this.#source.pause();
    }
  }
}
