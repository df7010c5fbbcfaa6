/** Request body as the stream of a `node:http` message. */
import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { isModTsError } from "../../base/errors.ts";
import { bodyOf } from "../../request/body/body.ts";
import { internals } from "../../request/internals.ts";
import type { ApacheRequest } from "../../request/request.ts";

type Destroy = IncomingMessage["_destroy"];

/**
 * Feeds one message. The body is opened by the first read: `Expect: 100-continue` is answered only
 * then, and later handlers can read an unread body.
 */
export class MessageBody {
  readonly #message: IncomingMessage;
  readonly #req: ApacheRequest;
  readonly #destroyMessage: Destroy;
  #source: Readable | undefined;

  constructor(message: IncomingMessage, req: ApacheRequest) {
    const { _destroy: destroyMessage } = message;
    this.#message = message;
    this.#req = req;
    this.#destroyMessage = destroyMessage;
    // On the message itself: Express replaces its prototype.
    Object.assign(message, {
      _read: () => this.#read(),
      _destroy: (...parameters: Parameters<Destroy>) => this.#destroy(...parameters),
    });
    if (!req[internals].exchange.hasBody) this.#finish();
  }

  /**
   * Ends the message after its response. An unread body ends normally; one being read fails,
   * because half an upload must not pass as complete.
   */
  drop(): void {
    const message = this.#message;
    if (message.destroyed || message.readableEnded) return;
    if (this.#source && !message.complete) return void message.destroy(aborted());
    if (!message.complete) this.#finish();
    message.resume();
  }

  #finish(): void {
    this.#message.complete = true;
    this.#message.push(null);
  }

  #read(): void {
    try {
      this.#source ??= this.#open();
      this.#source.resume();
    } catch (error) {
      this.#message.destroy(withStatus(error as Error));
    }
  }

  #open(): Readable {
    const message = this.#message;
    const source = bodyOf(this.#req[internals]).claim("the application");
    source.on("data", (chunk: Buffer) => void (message.push(chunk) || source.pause()));
    source.once("end", () => message.complete || this.#finish());
    source.once("error", (error) => message.destroy(withStatus(error)));
    return source;
  }

  #destroy(...[error, done]: Parameters<Destroy>): void {
    const message = this.#message;
    this.#source?.destroy();
    // The application may respond to a body that is too large: its connection stays.
    if (!isModTsError(error)) return this.#destroyMessage.call(message, error, done);
    // Body parsers wait for the end of the message or socket before they report such an error.
    message.complete = true;
    done(message.listenerCount("error") > 0 ? error : null);
  }
}

/** Node's error for a disconnected client. */
export function aborted(): Error {
  return Object.assign(new Error("aborted"), { code: "ECONNRESET" });
}

/** Frameworks for `node:http` expect the status under this name. */
function withStatus(error: Error): Error {
  return isModTsError(error) ? Object.assign(error, { statusCode: error.status }) : error;
}
