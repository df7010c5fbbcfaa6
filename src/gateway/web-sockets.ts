/**
 * WebSockets of door 1: what a handshake must be like, and the sockets that are open.
 * @module
 */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { ModTsError } from "../errors.ts";
import { log } from "../log.ts";
import type { ApacheRequest } from "../request/request.ts";

/** The open sockets of one worker. */
export class WebSockets {
  readonly #server: WebSocketServer;

  /** @param messageBytes bytes that one message may have: it is held in memory as a whole; more closes with 1009 */
  constructor(messageBytes: number) {
    this.#server = new WebSocketServer({ noServer: true, maxPayload: messageBytes });
  }

  /**
   * Completes a handshake that {@link requireHandshake} let pass. Gives the open socket, or undefined when the client has
   * gone meanwhile.
   */
  open(message: IncomingMessage, socket: Duplex, head: Buffer): WebSocket | undefined {
    let opened: WebSocket | undefined;
    this.#server.handleUpgrade(message, socket, head, (webSocket) => {
      // Attack: one malformed frame is an `error` event, and one that nobody listens to ends the process.
      webSocket.on("error", (error) => log("info", `WebSocket closed: ${error.message}`));
      opened = webSocket;
    });
    return opened;
  }

  /** Says goodbye to all of them. RFC 6455, section 7.4.1: 1001, the server goes away; clients come back to another worker. */
  close(): void {
    for (const client of this.#server.clients) client.close(1001);
  }
}

/** Whether a request proposes a WebSocket. Any other protocol (h2c) may be ignored, RFC 9110, section 7.8. */
export function proposesWebSocket({ method, headers }: IncomingMessage): boolean {
  return method === "GET" && headers.upgrade?.toLowerCase() === "websocket";
}

/**
 * Refuses what is no handshake before any handler has run for it (RFC 6455, section 4.2.1).
 * @throws ModTsError `MODTS_BAD_REQUEST`
 */
export function requireHandshake({ headers }: IncomingMessage): void {
  if (headers["sec-websocket-version"] !== "13") {
    throw invalid("the WebSocket version is not 13");
  }
  if (!/^[+/0-9A-Za-z]{22}==$/.test(headers["sec-websocket-key"] ?? "")) {
    throw invalid("Sec-WebSocket-Key is not 16 bytes in base64");
  }
}

/**
 * A page of another site can open a WebSocket to us, and the browser sends our cookies along: neither the same-origin
 * policy nor CORS is in the way. So the origin must be ours, unless the location names others or `*` (RFC 6455, 10.2).
 * @throws ModTsError `MODTS_WEBSOCKET_ORIGIN`
 */
export function requireSameOrigin(req: ApacheRequest): void {
  const origin = req.headersIn.get("origin");
  if (origin === undefined) return;
  const allowed = (req.getOptions()["mod_ts.websocket_origins"] ?? "")
    .split(/[\s,]+/)
    .filter(Boolean);
  if (allowed.includes("*") || allowed.includes(origin)) return;
  if (URL.canParse(origin) && new URL(origin).host === req.headersIn.get("host")) return;
  throw new ModTsError("MODTS_WEBSOCKET_ORIGIN", { origin });
}

function invalid(reason: string): ModTsError {
  return new ModTsError("MODTS_BAD_REQUEST", { reason });
}
