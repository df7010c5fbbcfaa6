/** One HTTP request and its response, as the engine sees them. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import { ModTsError } from "../base/errors.ts";
import { whenDrained } from "../engine/connection.ts";
import type { Exchange } from "../request/exchange.ts";
import { RequestBody } from "./request-body.ts";

export interface ExchangeLimits {
  readonly bodyBytes: number;
}

/** What may wait for the peer: Node.js sends it together, in fewer turns of the loop. */
const maxQueuedBytes = 262_144;

/** Node.js marks requests whose connection has left HTTP: later bytes do not belong to them. */
type Message = IncomingMessage & { readonly upgrade?: boolean | null };

/** Bytes of a body that is sent in one piece with its headers. */
const largestPiece = 16_384;

export class HttpExchange implements Exchange {
  readonly #message: IncomingMessage;
  readonly #reply: ServerResponse;
  #limits: ExchangeLimits;
  #controller: AbortController | undefined;
  #body: RequestBody | undefined;
  /** The response is over; its end waits for the end of the body, or of the turn. */
  #ending = false;
  /** The body is discarded. */
  #givenUp = false;
  /** Part of the response was sent. */
  #isStreaming = false;
  /** The client sends its body only after "100 Continue". */
  #awaitsContinue: boolean;

  constructor(message: Message, reply: ServerResponse, limits: ExchangeLimits) {
    this.#message = message;
    this.#reply = reply;
    this.#limits = limits;
    const { expect } = message.headers;
    this.#awaitsContinue = expect !== undefined && /^100-continue$/i.test(expect);
    if (this.hasBody && !message.upgrade) this.#followBody();
  }

  /** The limit of the section, where it is lower. */
  limitBody(bodyBytes: number): void {
    if (bodyBytes >= this.#limits.bodyBytes) return;
    this.#limits = { bodyBytes };
    this.#body?.lowerLimit(bodyBytes);
  }

  /** Lazy: a controller with its listener costs as much as a response, and few handlers ask. */
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

  get awaitsContinue(): boolean {
    return this.#awaitsContinue;
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

  begin(status: number, reason: string | undefined, headers: string[]): void {
    this.#reply.writeHead(status, reason, headers);
  }

  hint(headers: Record<string, string | string[]>): void {
    if (!this.begun && !this.ended) this.#reply.writeEarlyHints(headers);
  }

  write(chunk: Uint8Array | string, left?: () => void): boolean {
    if (this.ended) return true;
    this.#isStreaming = true;
    return this.#reply.write(chunk, left && ((error) => error ?? left()));
  }

  drain(): Promise<void> {
    const reply = this.#reply;
    if (!reply.writableNeedDrain || reply.destroyed) return Promise.resolve();
    if (reply.writableLength < maxQueuedBytes) return Promise.resolve();
    this.#giveUpBody();
    return whenDrained(reply);
  }

  end(chunk?: Uint8Array | string, encoding: "utf8" | "latin1" = "utf8"): void {
    this.#giveUpBody();
    // Late readers must not delay the response with the rest of the body.
    this.#body?.destroy();
    if (!this.#closesOverBody()) return this.#endReply(chunk, encoding);
    if (chunk !== undefined) this.#reply.write(chunk, encoding);
    this.#ending = true;
    this.#message.once("close", () => this.#reply.end());
  }

  /** Node.js sends headers and a string in one piece, but bytes in another. */
  #endReply(chunk: Uint8Array | string | undefined, encoding: "utf8" | "latin1"): void {
    if (typeof chunk !== "object" || chunk.length > largestPiece || this.#isStreaming) {
      this.#reply.end(chunk, encoding);
      return;
    }
    const { buffer, byteOffset, byteLength } = chunk;
    this.#reply.end(Buffer.from(buffer, byteOffset, byteLength).toString("latin1"), "latin1");
  }

  /** Closes the connection, so that Apache and the client see an incomplete response. */
  abort(): void {
    const reply = this.#reply;
    if (!this.begun || this.ended) return void reply.destroy();
    this.#ending = true;
    // Node.js sends what was written at the end of the turn.
    process.nextTick(() => reply.destroy());
  }

  /**
   * Whether Apache still sends the body of a request whose connection closes after the response, as
   * in a drain. Closed now, Apache would fail to send the rest and ignore the response (502).
   */
  #closesOverBody(): boolean {
    const isComing = !this.#awaitsContinue && !this.#message.complete && this.hasBody;
    return isComing && !this.#reply.shouldKeepAlive && !this.#reply.destroyed;
  }

  /**
   * mod_proxy_http reads the response only after it has sent the whole body: without this, a long
   * response to an unread body would wait forever.
   */
  #giveUpBody(): void {
    if (this.#body?.isOpen || this.#message.complete || !this.hasBody) return;
    this.#givenUp = true;
    this.#body?.destroy();
  }

  #followBody(): RequestBody {
    const body = new RequestBody(this.#message, this.#limits.bodyBytes);
    // Also if something else has responded.
    this.#reply.once("finish", () => body.destroy());
    return (this.#body = body);
  }

  /** Throws if the body can no longer be read, or must not be; else sends "100 Continue". */
  #requireBody(): void {
    // After the headers of a response, "100 Continue" would be in the middle of its body.
    if (this.#givenUp || (this.#awaitsContinue && this.begun)) {
      throw new ModTsError("MODTS_BODY_USED", { first: "the response" });
    }
    const { bodyBytes } = this.#limits;
    const announced = this.#message.headers["content-length"];
    if (announced !== undefined && Number(announced) > bodyBytes) {
      throw new ModTsError("MODTS_BODY_TOO_LARGE", { limit: bodyBytes });
    }
    // Not earlier: a handler that rejects without reading saves the upload (RFC 9110, 10.1.1).
    if (this.#awaitsContinue) this.#reply.writeContinue();
    this.#awaitsContinue = false;
  }
}
