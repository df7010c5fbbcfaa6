/**
 * The body of a request, handed to a message of `node:http`.
 * @module
 */
import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { isModTsError } from "../errors.ts";
import { type ApacheRequest, internals } from "../request/request.ts";

type Destroy = IncomingMessage["_destroy"];

/**
 * Feeds one message. The body is opened when somebody reads, so that `Expect: 100-continue` is answered then and not before,
 * and a message that nobody reads leaves it to later handlers.
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
    // The message's own, not its prototype's: Express replaces that one.
    Object.assign(message, {
      _read: () => this.#read(),
      _destroy: (...parameters: Parameters<Destroy>) => this.#destroy(...parameters),
    });
    if (!req[internals].body.announced) this.#finish();
  }

  /**
   * Ends the message after its response. One that nobody has read ends as Node ends it; one that somebody is still reading
   * fails, as the rest will not come: half an upload must not pass for a whole one.
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
    const source = this.#req[internals].body.claim("the application");
    source.on("data", (chunk: Buffer) => void (message.push(chunk) || source.pause()));
    source.once("end", () => message.complete || this.#finish());
    source.once("error", (error) => message.destroy(withStatus(error)));
    return source;
  }

  #destroy(...[error, done]: Parameters<Destroy>): void {
    const message = this.#message;
    this.#source?.destroy();
    // A body that is too large is answered by the application: its connection stays.
    if (!isModTsError(error)) return this.#destroyMessage.call(message, error, done);
    // Body parsers wait for the end of the message, or of its socket, before they pass such an error on.
    message.complete = true;
    done(message.listenerCount("error") > 0 ? error : null);
  }
}

/** What `node:http` says of a client that went away. */
export function aborted(): Error {
  return Object.assign(new Error("aborted"), { code: "ECONNRESET" });
}

/** Frameworks of `node:http` look for the status under this name. */
function withStatus(error: Error): Error {
  return isModTsError(error) ? Object.assign(error, { statusCode: error.status }) : error;
}
