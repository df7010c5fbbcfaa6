/**
 * The request as `node:http` knows it.
 * @module
 */
import { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { isModTsError } from "../errors.ts";
import { type ApacheRequest, internals } from "../request/request.ts";
import type { ApplicationUrl } from "./application-url.ts";
import type { ClientSocket } from "./client-socket.ts";

/** What Express and Connect make of a request below a mount point. */
interface Mounted {
  baseUrl?: string;
  originalUrl?: string;
}

/**
 * Makes the message. What it does differently from others is its own, not its prototype's: Express replaces that one.
 * The body is opened when somebody reads it, so that `Expect: 100-continue` is answered then and not before.
 */
export function createMessage(
  req: ApacheRequest,
  socket: ClientSocket,
  url: ApplicationUrl,
): IncomingMessage {
  const message: IncomingMessage & Mounted = new IncomingMessage(socket as unknown as Socket);
  message.method = req.method;
  message.url = url.rest;
  message.httpVersion = "1.1";
  message.httpVersionMajor = 1;
  message.httpVersionMinor = 1;
  setHeaders(message, [...req.headersIn.raw()]);
  if (url.base) {
    message.baseUrl = url.base;
    message.originalUrl = url.whole;
  }
  message.apache = req;
  feed(message, req);
  return message;
}

/**
 * Ends a message after its response. One that nobody has read ends as Node ends it; one that somebody is still reading
 * fails, as the rest will not come: half an upload must not pass for a whole one.
 */
export function dropBody(message: IncomingMessage): void {
  if (message.destroyed || message.readableEnded) return;
  if (message.complete || !message.readableDidRead) {
    if (!message.complete) finish(message);
    message.resume();
  } else message.destroy(aborted());
}

/** What `node:http` says of a client that went away. */
export function aborted(): Error {
  return Object.assign(new Error("aborted"), { code: "ECONNRESET" });
}

/** As Node's parser does it, so that `headers` and `headersDistinct` are made by its own rules when somebody asks. */
function setHeaders(message: IncomingMessage, rawHeaders: string[]): void {
  const { _addHeaderLines: add } = message as unknown as {
    _addHeaderLines(lines: string[], count: number): void;
  };
  add.call(message, rawHeaders, rawHeaders.length);
}

function finish(message: IncomingMessage): void {
  message.complete = true;
  message.push(null);
}

function feed(message: IncomingMessage, req: ApacheRequest): void {
  const { body } = req[internals];
  let source: Readable | undefined;
  const open = (): Readable => {
    const opened = body.claim("the application");
    opened.on("data", (chunk: Buffer) => void (message.push(chunk) || opened.pause()));
    opened.once("end", () => message.complete || finish(message));
    opened.once("error", (error) => message.destroy(withStatus(error)));
    return opened;
  };
  const read = (): void => {
    try {
      source ??= open();
      source.resume();
    } catch (error) {
      message.destroy(error as Error);
    }
  };
  const { _destroy: destroyAll } = message;
  const destroy: typeof destroyAll = (error, done) => {
    source?.destroy();
    // A body that is too large is answered by the application: its connection stays.
    if (!isModTsError(error)) return destroyAll.call(message, error, done);
    done(message.listenerCount("error") > 0 ? error : null);
  };
  Object.assign(message, { _read: read, _destroy: destroy });
  if (!body.announced) finish(message);
}

/** Frameworks of `node:http` look for the status under this name. */
function withStatus(error: Error): Error {
  return isModTsError(error) ? Object.assign(error, { statusCode: error.status }) : error;
}
