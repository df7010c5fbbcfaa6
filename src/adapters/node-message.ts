/**
 * The request as `node:http` knows it.
 * @module
 */
import { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { type ApacheRequest, internals } from "../request/request.ts";
import type { ApplicationUrl } from "./application-url.ts";
import type { ClientSocket } from "./client-socket.ts";

/** What Express and Connect make of a request below a mount point. */
export interface MountedMessage extends IncomingMessage {
  baseUrl?: string;
  originalUrl?: string;
}

/** Makes a message without its body. */
export function createMessage(
  req: ApacheRequest,
  socket: ClientSocket,
  url: ApplicationUrl,
): MountedMessage {
  const message: MountedMessage = new IncomingMessage(socket as unknown as Socket);
  message.method = req.method;
  message.url = url.rest;
  // As behind every proxy; what the client spoke is `req.apache.protocol`.
  message.httpVersion = "1.1";
  message.httpVersionMajor = 1;
  message.httpVersionMinor = 1;
  setHeaders(message, headersOf(req));
  if (url.base) {
    message.baseUrl = url.base;
    message.originalUrl = url.whole;
  }
  message.apache = req;
  return message;
}

/** Middleware tells by its headers whether a request has a body, and how it is framed is not passed on by Apache. */
function headersOf(req: ApacheRequest): string[] {
  const { headersIn } = req;
  const headers = [...headersIn.raw()];
  const isFramed = headersIn.has("content-length") || headersIn.has("transfer-encoding");
  if (req[internals].body.announced && !isFramed) headers.push("Transfer-Encoding", "chunked");
  return headers;
}

/** As Node's parser does it, so that `headers` and `headersDistinct` are made by its own rules when somebody asks. */
function setHeaders(message: IncomingMessage, rawHeaders: string[]): void {
  const { _addHeaderLines: add } = message as unknown as {
    _addHeaderLines(lines: string[], count: number): void;
  };
  add.call(message, rawHeaders, rawHeaders.length);
}
