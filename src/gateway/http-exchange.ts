/**
 * One request and its answer over HTTP, as the engine wants to see them. Lives as long as the request.
 * @module
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { type Readable, Transform } from "node:stream";
import { ModTsError } from "../errors.ts";
import type { Exchange } from "../request/exchange.ts";

/** What the gateway decides for all its requests. */
export interface ExchangeLimits {
  /** Bytes that a request body may have. */
  readonly bodyBytes: number;
}

export class HttpExchange implements Exchange {
  readonly #message: IncomingMessage;
  readonly #reply: ServerResponse;
  readonly #limits: ExchangeLimits;
  #controller: AbortController | undefined;
  #body: Readable | undefined;

  constructor(message: IncomingMessage, reply: ServerResponse, limits: ExchangeLimits) {
    this.#message = message;
    this.#reply = reply;
    this.#limits = limits;
  }

  /** Made at first use: most handlers never ask, and a controller with its listener costs as much as a small answer. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      const controller = new AbortController();
      this.#controller = controller;
      const abort = (): void => {
        if (!this.#reply.writableFinished) controller.abort();
      };
      if (this.#reply.destroyed) abort();
      else this.#reply.once("close", abort);
    }
    return this.#controller.signal;
  }

  get hasBody(): boolean {
    const { headers } = this.#message;
    return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
  }

  body(): Readable {
    this.#body ??= this.#openBody();
    return this.#body;
  }

  get begun(): boolean {
    return this.#reply.headersSent;
  }

  get ended(): boolean {
    return this.#reply.writableEnded || this.#reply.destroyed;
  }

  begin(status: number, reason: string, headers: string[]): void {
    this.#reply.writeHead(status, reason, headers);
  }

  write(chunk: Uint8Array | string): boolean {
    return this.ended || this.#reply.write(chunk);
  }

  drain(): Promise<void> {
    const reply = this.#reply;
    if (!reply.writableNeedDrain || reply.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        reply.off("drain", done).off("close", done);
        resolve();
      };
      reply.on("drain", done).on("close", done);
    });
  }

  end(chunk?: Uint8Array | string): void {
    this.#reply.end(chunk);
  }

  /** Cuts the connection, so that Apache and the client see an answer that is not whole. */
  abort(): void {
    this.#reply.destroy();
  }

  #openBody(): Readable {
    const message = this.#message;
    const { bodyBytes } = this.#limits;
    const announced = message.headers["content-length"];
    if (announced !== undefined && Number(announced) > bodyBytes) throw tooLarge(bodyBytes);
    // "Expect: 100-continue" is answered here and not before: who refuses a request without
    // reading it spares the client the upload (RFC 9110, section 10.1.1).
    if (/^100-continue$/i.test(message.headers.expect ?? "")) this.#reply.writeContinue();
    return announced === undefined ? limited(message, bodyBytes) : message;
  }
}

/** A chunked body does not say its length beforehand, so it is counted on its way. */
function limited(source: Readable, limit: number): Readable {
  let seen = 0;
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, callback): void {
      seen += chunk.length;
      callback(seen > limit ? tooLarge(limit) : null, chunk);
    },
  });
  // The source must not be destroyed with the counter: its socket still has to carry the 413.
  source.once("error", (error) => counter.destroy(error));
  source.once("close", () => counter.writableEnded || counter.destroy(new Error("aborted")));
  return source.pipe(counter);
}

function tooLarge(limit: number): ModTsError {
  return new ModTsError("MODTS_BODY_TOO_LARGE", { limit });
}
