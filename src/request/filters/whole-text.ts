/** A body for filters over the whole text: no stream, and sent in one piece with its length. */
import type { Exchange } from "../exchange.ts";
import { isNullBodyStatus } from "../response/light-response.ts";
import { type Filter, type FilteredMessage, tooLarge } from "./filter.ts";

type Step = NonNullable<Filter["whole"]>;

export class WholeText {
  readonly #message: FilteredMessage;
  readonly #steps: readonly Step[];
  readonly #begin: () => void;
  readonly #limit: number;
  #parts: Uint8Array[] = [];
  #bytes = 0;

  private constructor(message: FilteredMessage, steps: readonly Step[], begin: () => void) {
    this.#message = message;
    this.#steps = steps;
    this.#begin = begin;
    this.#limit = steps[0]?.limit ?? 0;
  }

  /** Undefined where there is a part of a body, a coded one, or a filter that sees parts. */
  static of(
    message: FilteredMessage,
    chosen: readonly Filter[],
    begin: () => void,
  ): WholeText | undefined {
    if (message.status === 206 || message.headers.has("Content-Encoding")) return undefined;
    const steps = chosen.flatMap(({ whole }) => whole ?? []);
    if (steps.length < chosen.length) return undefined;
    return new WholeText(message, steps, begin);
  }

  /** False if the body is too large. */
  push(part: Uint8Array): boolean {
    this.#bytes += part.length;
    if (this.#bytes > this.#limit) this.#parts = [];
    else this.#parts.push(part);
    return this.#bytes <= this.#limit;
  }

  /** Rejects with the error of a filter. */
  async send(exchange: Exchange): Promise<void> {
    if (this.#bytes > this.#limit) throw tooLarge(this.#limit);
    let body: string | Uint8Array = Buffer.concat(this.#parts);
    for (const { change, limit } of this.#steps) {
      const bytes: Buffer = toBuffer(body);
      if (bytes.length > limit) throw tooLarge(limit);
      body = await change(bytes, this.#message);
    }
    if (exchange.ended) return;
    const bytes = toBuffer(body);
    const { status, headers } = this.#message;
    const hasNoBody = isNullBodyStatus(status);
    if (!hasNoBody) headers.set("Content-Length", bytes.length);
    this.#begin();
    exchange.end(hasNoBody ? undefined : bytes);
  }
}

function toBuffer(body: string | Uint8Array): Buffer {
  if (typeof body === "string") return Buffer.from(body);
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength);
}
