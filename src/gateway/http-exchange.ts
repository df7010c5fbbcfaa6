/**
 * One request and its answer over HTTP, as the engine wants to see them. Lives as long as the request.
 * @module
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import { ModTsError } from "../errors.ts";
import type { Exchange } from "../request/exchange.ts";
import { RequestBody } from "./request-body.ts";

/** What the gateway decides for all its requests. */
export interface ExchangeLimits {
  /** Bytes that a request body may have. */
  readonly bodyBytes: number;
}

/** Node marks the requests whose connection has left HTTP: what comes after the head is not theirs. */
type Message = IncomingMessage & { readonly upgrade?: boolean | null };

export class HttpExchange implements Exchange {
  readonly #message: IncomingMessage;
  readonly #reply: ServerResponse;
  readonly #limits: ExchangeLimits;
  #controller: AbortController | undefined;
  #body: RequestBody | undefined;
  /** The answer is complete; its end waits for the end of the body. */
  #ending = false;
  /** The body is read and forgotten. */
  #givenUp = false;
  /** The client sends its body only after it has been asked to. */
  #awaitsContinue: boolean;

  constructor(message: Message, reply: ServerResponse, limits: ExchangeLimits) {
    this.#message = message;
    this.#reply = reply;
    this.#limits = limits;
    this.#awaitsContinue = /^100-continue$/i.test(message.headers.expect ?? "");
    if (this.hasBody && !message.upgrade) this.#followBody();
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

  get received(): number {
    return this.#message.socket.bytesRead;
  }

  body(): Readable {
    if (!this.#body?.isOpen) this.#requireBody();
    return (this.#body ??= this.#followBody()).open();
  }

  get begun(): boolean {
    return this.#reply.headersSent;
  }

  get ended(): boolean {
    return this.#ending || this.#reply.writableEnded || this.#reply.destroyed;
  }

  begin(status: number, reason: string, headers: string[]): void {
    this.#reply.writeHead(status, reason, headers);
  }

  hint(headers: Record<string, string | string[]>): void {
    if (!this.begun && !this.ended) this.#reply.writeEarlyHints(headers);
  }

  write(chunk: Uint8Array | string, left?: () => void): boolean {
    if (this.ended) return true;
    return this.#reply.write(chunk, left && ((error) => error ?? left()));
  }

  drain(): Promise<void> {
    const reply = this.#reply;
    if (!reply.writableNeedDrain || reply.destroyed) return Promise.resolve();
    this.#giveUpBody();
    return new Promise((resolve) => {
      const done = (): void => {
        reply.off("drain", done).off("close", done);
        resolve();
      };
      reply.on("drain", done).on("close", done);
    });
  }

  end(chunk?: Uint8Array | string, encoding: "utf8" | "latin1" = "utf8"): void {
    this.#giveUpBody();
    // Whoever still reads is too late: the answer is given, and what is left of the body must not be in its way.
    this.#body?.destroy();
    if (!this.#closesOverBody()) return void this.#reply.end(chunk, encoding);
    if (chunk !== undefined) this.#reply.write(chunk, encoding);
    this.#ending = true;
    this.#message.once("close", () => this.#reply.end());
  }

  /** Cuts the connection, so that Apache and the client see an answer that is not whole. */
  abort(): void {
    this.#reply.destroy();
  }

  /**
   * Whether Apache is still sending the body of a request after whose answer the connection is closed, as in a drain. Closed
   * now, it would fail to send the rest, and never look at the answer (502).
   */
  #closesOverBody(): boolean {
    const isComing = !this.#awaitsContinue && !this.#message.complete && this.hasBody;
    return isComing && !this.#reply.shouldKeepAlive && !this.#reply.destroyed;
  }

  /**
   * mod_proxy_http looks at the answer only when it has sent the whole body: a long answer to a body that nobody reads
   * would wait for ever.
   */
  #giveUpBody(): void {
    if (this.#body?.isOpen || this.#message.complete || !this.hasBody) return;
    this.#givenUp = true;
    this.#body?.destroy();
  }

  #followBody(): RequestBody {
    const body = new RequestBody(this.#message, this.#limits.bodyBytes);
    // Also when it was not for us to answer.
    this.#reply.once("finish", () => body.destroy());
    return (this.#body = body);
  }

  /** Throws where the body cannot be read any more, or must not be; else has the client send it. */
  #requireBody(): void {
    // After the head of an answer, "100 Continue" would stand in the middle of its body, and nobody waits for it.
    if (this.#givenUp || (this.#awaitsContinue && this.begun)) {
      throw new ModTsError("MODTS_BODY_USED", { first: "the response, which was sent before," });
    }
    const { bodyBytes } = this.#limits;
    const announced = this.#message.headers["content-length"];
    if (announced !== undefined && Number(announced) > bodyBytes) {
      throw new ModTsError("MODTS_BODY_TOO_LARGE", { limit: bodyBytes });
    }
    // "Expect: 100-continue" is answered here and not before: who refuses a request without
    // reading it spares the client the upload (RFC 9110, section 10.1.1).
    if (this.#awaitsContinue) this.#reply.writeContinue();
    this.#awaitsContinue = false;
  }
}
