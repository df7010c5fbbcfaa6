/** Upgrades of the gateway: requirements of a handshake, and the open WebSockets. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { ModTsError } from "../base/errors.ts";
import { log } from "../base/log.ts";
import type { Dictionary } from "../base/options.ts";
import type { ApacheRequest } from "../request/request.ts";

export class WebSockets {
  readonly #server: WebSocketServer;

  /** @param messageBytes maximum size of a message; a larger one closes the socket with 1009 */
  constructor(messageBytes: number) {
    this.#server = new WebSocketServer({ noServer: true, maxPayload: messageBytes });
  }

  /** Completes a handshake. Undefined if the client has disconnected. */
  open(message: IncomingMessage, socket: Duplex, head: Buffer): WebSocket | undefined {
    let opened: WebSocket | undefined;
    this.#server.handleUpgrade(message, socket, head, (webSocket) => {
      // Attack: one malformed frame is an `error` event; without a listener it ends the process.
      webSocket.on("error", (error) => log("info", `WebSocket closed: ${error.message}`));
      opened = webSocket;
    });
    return opened;
  }

  /** RFC 6455, section 7.4.1: 1001, the server goes away; clients reconnect to another worker. */
  close(): void {
    for (const client of this.#server.clients) client.close(1001);
  }
}

/** Whether a WebSocket is proposed. Other protocols (h2c) may be ignored, RFC 9110, section 7.8. */
export function proposesWebSocket({ method, headers }: IncomingMessage): boolean {
  return method === "GET" && headers.upgrade?.toLowerCase() === "websocket";
}

/**
 * Another protocol that the client proposes and `mod_ts.upgrade` of the location names. Apache
 * compares the answer with the whole of the client's header, so a list of protocols never matches.
 */
export function rawProtocolOf(
  { method, headers }: IncomingMessage,
  options: Dictionary,
): string | undefined {
  const hasBody = headers["content-length"] ?? headers["transfer-encoding"];
  if (method !== "GET" || hasBody !== undefined) return undefined;
  const proposed = headers.upgrade?.toLowerCase();
  const taken = (options["mod_ts.upgrade"] ?? "").toLowerCase().split(/[\s,]+/);
  return proposed && taken.includes(proposed) ? headers.upgrade : undefined;
}

/**
 * Rejects an invalid handshake before any handler runs (RFC 6455, section 4.2.1).
 * @throws ModTsError `MODTS_BAD_REQUEST`
 */
export function requireHandshake({ headers }: IncomingMessage): void {
  if (headers["sec-websocket-version"] !== "13") throw invalid("the WebSocket version is not 13");
  if (!/^[+/0-9A-Za-z]{22}==$/.test(headers["sec-websocket-key"] ?? "")) {
    throw invalid("Sec-WebSocket-Key is not 16 bytes in base64");
  }
}

/**
 * Attack: a page of another site opens a WebSocket, and the browser sends our cookies; neither the
 * same-origin policy nor CORS prevents it. So the origin must be ours, unless the location allows
 * others or `*` (RFC 6455, section 10.2).
 * @throws ModTsError `MODTS_WEBSOCKET_ORIGIN`
 */
export function requireSameOrigin(req: ApacheRequest): void {
  const origin = req.headersIn.get("origin");
  if (origin === undefined) return;
  const allowed = (req.getOptions()["mod_ts.websocket_origins"] ?? "")
    .split(/[\s,]+/)
    .filter(Boolean);
  if (allowed.includes("*") || allowed.includes(origin)) return;
  // With TLS ended in front of Apache, the origin of an http virtual host is https. No other scheme.
  const { protocol, host } = URL.parse(origin) ?? {};
  if (/^https?:$/.test(protocol ?? "") && host === req.headersIn.get("host")) return;
  throw new ModTsError("MODTS_WEBSOCKET_ORIGIN", { origin });
}

function invalid(reason: string): ModTsError {
  return new ModTsError("MODTS_BAD_REQUEST", reason);
}
