/**
 * One request on its way to an origin, in the shapes that `http-proxy` wants: an incoming message and a reply to it.
 * @module
 */
import { EventEmitter } from "node:events";
import type { ClientRequest, IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import type { OutgoingHeaders } from "./message-headers.ts";

/** What is asked. */
export interface Question {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  /** Framing included: `content-length`, or `transfer-encoding: chunked`, when there is a body. */
  readonly headers: OutgoingHeaders;
  /** Opened when the connection is there, so that "100 Continue" is not said for nothing. */
  readonly body?: (() => Readable) | undefined;
  /** Gets interim answers (RFC 9110, section 15.2). */
  readonly inform?: ((status: number, headers: OutgoingHeaders) => void) | undefined;
}

/** In the place of `IncomingMessage`. */
export class QuestionMessage extends Readable {
  readonly method: string;
  readonly url: string;
  readonly headers: OutgoingHeaders;
  readonly httpVersion = "1.1";
  readonly httpVersionMajor = 1;
  /** http-proxy asks it whether the client is still there; that is for our signal to tell. */
  readonly socket = { writable: true };
  readonly question: Question;
  readonly answered: (response: IncomingMessage) => void;
  /** Set when a connection was found. */
  request: ClientRequest | undefined;
  /** Called with each part of the body that goes on its way. */
  moved: (() => void) | undefined;
  #source: Readable | undefined;

  constructor(question: Question, answered: (response: IncomingMessage) => void) {
    super();
    this.question = question;
    this.method = question.method;
    this.url = question.path;
    this.headers = question.headers;
    this.answered = answered;
  }

  override _read(): void {
    if (this.#source) return void this.#source.resume();
    const { body } = this.question;
    if (!body) return void this.push(null);
    try {
      this.#source = this.#follow(body());
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  #follow(source: Readable): Readable {
    source.on("data", (chunk: Buffer) => {
      this.moved?.();
      if (!this.push(chunk)) source.pause();
    });
    source.once("end", () => this.push(null));
    source.once("error", (error) => this.destroy(error));
    return source;
  }
}

/** In the place of `ServerResponse`: http-proxy only wants to know when it closes, as we take the answer ourselves. */
export class QuestionReply extends EventEmitter {
  readonly headersSent = false;
  readonly finished = false;
  writableFinished = false;
  destroyed = false;

  /** The answer has been read to its end. */
  finish(): void {
    this.writableFinished = true;
    this.destroy();
  }

  /** Nobody wants the answer any more: http-proxy ends the request. */
  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit("close");
  }
}
