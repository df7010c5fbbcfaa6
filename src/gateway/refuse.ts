/** Responses to requests that are not admitted: not from Apache, malformed, or not parsable. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { errorPage } from "../base/html.ts";
import { isModTsError, ModTsError, report } from "../base/errors.ts";
import { reasonPhrase } from "../base/http-status.ts";
import type { ApacheRequest } from "../request/request.ts";
import { logFailure } from "../engine/respond.ts";

/** Responds with the status of the error. The reason is only logged; the peer does not learn it. */
export function refuse(reply: ServerResponse, error: unknown, req?: ApacheRequest): void {
  const status = isModTsError(error) && error.status > 0 ? error.status : 500;
  logFailure(error, req);
  if (reply.headersSent) return void reply.destroy();
  const page = errorPage(status, req?.uniqueId ?? "");
  // Kept alive: if closed while Apache still sends a body, the response would be lost (502).
  reply.writeHead(status, {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Length": Buffer.byteLength(page),
    // RFC 9110, section 10.2.3, in seconds.
    ...(status === 503 && { "Retry-After": "1" }),
  });
  reply.end(page);
}

export interface ParserError {
  message: string;
  code?: string | undefined;
  /** The bytes being parsed. */
  rawPacket?: unknown;
}

/**
 * Throws `MODTS_SOURCE_REQUESTED` for a request that Apache sends here because the file is a source:
 * see "Sources are never shown" in `mod_ts.conf`. Crawlers ask for them; nothing is misconfigured.
 */
export function refuseSource({ url = "", headers }: IncomingMessage): void {
  if (
    !/\.(?:[mc]?ts|tsx|tsp)(?:[^a-z0-9/][^/]*)?$|\/\.mod-ts(?:\/|$)|\/mod-ts\.config\./i.test(url)
  )
    return;
  // mod_proxy appends the address of the client.
  const client =
    String(headers["x-forwarded-for"] ?? "")
      .split(", ")
      .at(-1) || "unknown";
  throw new ModTsError("MODTS_SOURCE_REQUESTED", { client, file: url });
}

/**
 * Responds to bytes that the HTTP parser rejected.
 * @param req whose body is incomplete: Apache closes the connection when its client disconnects
 */
export function refuseBroken(error: ParserError, socket: Socket, req?: ApacheRequest): void {
  if (req && /^(?:HPE_INVALID_EOF_STATE|ECONNRESET)$/.test(error.code ?? "")) {
    logFailure(new ModTsError("MODTS_BODY_ABORTED"), req);
    return void socket.destroy();
  }
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  const failure = nameParserError(error);
  report(failure);
  const { status } = failure;
  const page = errorPage(status, "");
  const head = [
    `HTTP/1.1 ${status} ${reasonPhrase(status)}`,
    "Connection: close",
    "Content-Type: text/html; charset=utf-8",
    `Content-Length: ${Buffer.byteLength(page)}`,
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${page}`);
}

function nameParserError({ code, message, rawPacket }: ParserError): ModTsError {
  if (code === "HPE_HEADER_OVERFLOW") return new ModTsError("MODTS_HEADERS_TOO_LARGE");
  // Node.js parses only the methods it knows; Apache accepts any token.
  const bytes = Buffer.isBuffer(rawPacket) ? rawPacket.toString("latin1") : "";
  const [, method] = /^([\w!#$%&'*+.^`|~-]+) \S+ HTTP\/1/.exec(bytes) ?? [];
  if (code === "HPE_INVALID_METHOD" && method) {
    return new ModTsError("MODTS_UNKNOWN_METHOD", { method: method.slice(0, 40) });
  }
  return new ModTsError("MODTS_BAD_REQUEST", { reason: code ?? message });
}
