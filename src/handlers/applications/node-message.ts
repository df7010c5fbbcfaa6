/** The request as an `IncomingMessage` of Node, for applications. */
import { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { internals } from "../../request/internals.ts";
import type { ApacheRequest } from "../../request/request.ts";
import type { ApplicationUrl } from "./application.ts";

/** Set by Express and Connect below a mount point. */
export interface MountedMessage extends IncomingMessage {
  baseUrl?: string;
  originalUrl?: string;
}

/** @param more names and values of headers that Apache does not pass on */
export function createMessage(
  req: ApacheRequest,
  socket: Duplex,
  url: ApplicationUrl,
  ...more: string[]
): MountedMessage {
  const message: MountedMessage = new IncomingMessage(socket as Socket);
  message.method = req.method;
  message.url = url.rest;
  // As behind every proxy; the client's version is `req.apache.protocol`.
  message.httpVersion = "1.1";
  message.httpVersionMajor = 1;
  message.httpVersionMinor = 1;
  setHeaders(message, [...headersOf(req), ...more]);
  if (url.base) {
    message.baseUrl = url.base;
    message.originalUrl = url.whole;
  }
  message.apache = req;
  return message;
}

/** Middleware detects a body by its headers, but Apache does not pass its framing on. */
function headersOf(req: ApacheRequest): string[] {
  const { headersIn } = req;
  const headers = [...headersIn.raw()];
  const isFramed = headersIn.has("content-length") || headersIn.has("transfer-encoding");
  if (req[internals].exchange.hasBody && !isFramed) headers.push("Transfer-Encoding", "chunked");
  return headers;
}

/** As Node's parser does, so that Node derives `headers` and `headersDistinct` on demand. */
function setHeaders(message: IncomingMessage, rawHeaders: string[]): void {
  const { _addHeaderLines: add } = message as unknown as {
    _addHeaderLines(lines: string[], count: number): void;
  };
  add.call(message, rawHeaders, rawHeaders.length);
}
