/**
 * Connections to origins: callbacks without a body on a connection of their own
 * (`callback-response.ts`), other content through `node:http`, and upgrades through `http-proxy` (httpxy),
 * which pipes the real ones.
 *
 * A request with a body is always framed by its headers, see `outgoing.ts`. Attack: without
 * `Content-Length` and `Transfer-Encoding`, the body of a GET is read as the next request.
 */
import * as http from "node:http";
import * as https from "node:https";
import { connect, type Socket } from "node:net";
import type { Readable } from "node:stream";
import { createProxyServer } from "http-proxy";
import { ModTsError } from "../../base/errors.ts";
import { isHttpError } from "../../base/http-error.ts";
import { type CallbackRequest, CallbackResponse, writeRequest } from "./callback-response.ts";
import type { OutgoingHeaders } from "./outgoing.ts";
import type { Target } from "./origin-options.ts";

export interface Peer {
  /** Name in messages. */
  readonly name: string;
  readonly target: Target;
  /** Until the response begins, or more of the request body is sent. */
  readonly timeout: number;
  readonly keepAlive: boolean;
  /** Host for the TLS handshake, if not that of the target. */
  readonly servername?: string | undefined;
  /** Accepts unverified certificates: on the loopback interface they would prove nothing. */
  readonly unverified?: boolean;
}

/** With a body, the headers frame it: `content-length` or `transfer-encoding: chunked`. */
export interface UpstreamRequest extends CallbackRequest {
  /**
   * Opened once connected, and with `Expect: 100-continue` when the origin asks for it: a client that
   * waits sends no body in vain.
   */
  readonly body?: (() => Readable) | undefined;
}

/** The response of an origin. */
export type Upstream = Readable &
  Pick<
    http.IncomingMessage,
    "complete" | "headers" | "rawHeaders" | "socket" | "statusCode" | "statusMessage"
  >;

export class Proxy {
  readonly #agents = {
    "http:": new http.Agent({ keepAlive: true, maxFreeSockets: 64 }),
    "https:": new https.Agent({ keepAlive: true, maxFreeSockets: 64 }),
  };

  close(): void {
    for (const agent of Object.values(this.#agents)) agent.destroy();
  }

  /**
   * Resolves with the head of the response; `signal` aborts the rest. Rejects with
   * `MODTS_ORIGIN_DOWN` or `MODTS_ORIGIN_TIMEOUT`, or with the error of the request body.
   */
  async send(peer: Peer, request: UpstreamRequest, signal: AbortSignal): Promise<Upstream> {
    // The other side may close a kept connection just when it is reused. Idempotent requests (RFC
    // 9110, section 9.2.2) are sent again on a new one; others use a new one in the first place.
    const repeatable = !request.body && repeatableMethods.has(request.method);
    if (repeatable && !peer.keepAlive && peer.target.protocol === "http:") {
      return sendAlone(peer, request, signal);
    }
    if (!repeatable || !peer.keepAlive) return this.#sendOnce(peer, request, signal, false);
    try {
      return await this.#sendOnce(peer, request, signal, true);
    } catch (error) {
      if (!(error instanceof StaleConnection)) throw error;
      return this.#sendOnce(peer, request, signal, false);
    }
  }

  #sendOnce(
    peer: Peer,
    request: UpstreamRequest,
    signal: AbortSignal,
    keep: boolean,
  ): Promise<http.IncomingMessage> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) throw new ModTsError("MODTS_CLIENT_GONE");
      const message = this.#open(peer, request, keep);
      let response: http.IncomingMessage | undefined;
      const fail = (error: unknown): void => {
        reject(explain(error, peer));
        message.destroy();
      };
      const gone = (): void => fail(new ModTsError("MODTS_CLIENT_GONE"));
      const { name: origin, timeout: limit } = peer;
      const late = (): void => fail(new ModTsError("MODTS_ORIGIN_TIMEOUT", { origin, limit }));
      const timer = setTimeout(late, limit);
      signal.addEventListener("abort", gone, { once: true });
      message.once("close", () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", gone);
      });
      message.on("error", (error) => {
        // Trap: on a reset, Node marks a body without length as complete; the error comes first.
        if (response?.complete === false) response.destroy(error);
        if (keep && message.reusedSocket) reject(new StaleConnection());
        else reject(explain(error, peer));
      });
      message.once("upgrade", (_response, socket) => {
        socket.destroy();
        fail(new Error("unrequested protocol upgrade"));
      });
      message.on("information", ({ statusCode, headers }) =>
        request.inform?.(statusCode, headers as OutgoingHeaders),
      );
      message.once("response", (head) => {
        clearTimeout(timer);
        if (!isFinalResponse(head)) return fail(new Error("invalid HTTP status line"));
        response = head;
        resolve(head);
      });
      // Slow uploads are no time-out. refresh() would restart a cleared timer.
      sendBody(message, request, { moved: () => response ?? timer.refresh(), fail });
    });
  }

  #open(peer: Peer, { method, path, headers }: UpstreamRequest, keep: boolean): http.ClientRequest {
    const { target, servername, unverified } = peer;
    const to = { ...target, method, path, headers };
    if (!keep && target.protocol === "http:") {
      // Without an agent, Node works a fifth less.
      return http.request({ ...to, createConnection: () => openSocket(target) });
    }
    const { request } = target.protocol === "https:" ? https : http;
    return request({
      ...to,
      servername,
      rejectUnauthorized: !unverified,
      agent: keep && this.#agents[target.protocol],
    });
  }

  /**
   * Connects a client with an origin, handshake included. Resolves when both sides are
   * closed; either closes the other. Rejects with `MODTS_ORIGIN_DOWN` when the handshake got no
   * response; then nothing was sent to the client.
   */
  tunnel(
    peer: Peer,
    {
      path: url,
      headers,
      upgrade,
    }: Pick<UpstreamRequest, "path" | "headers"> & { readonly upgrade: string },
    socket: Socket,
    head: Buffer,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      // All that the library accepts.
      const webSocket = { connection: "Upgrade", upgrade: "websocket" };
      const message = Object.assign(new http.IncomingMessage(socket), { method: "GET", url });
      message.headers = { ...headers, ...webSocket } as http.IncomingHttpHeaders;
      const server = createProxyServer({ upgradeTimeout: peer.timeout });
      socket.once("close", () => resolve());
      server.on("proxyReqWs", (request) => {
        request.setHeader("Upgrade", upgrade);
        socket.once("close", () => request.destroy());
        request.once("upgrade", (_response, upstream: Socket) => {
          socket.once("close", () => upstream.destroy());
          upstream.once("close", () => socket.destroy());
        });
      });
      server.once("error", (error) => reject(explain(error, peer)));
      void server.ws(message, socket, { target: peer.target, agent: false }, head);
    });
  }
}

/** On a new connection, without a body. */
function sendAlone(peer: Peer, request: UpstreamRequest, signal: AbortSignal): Promise<Upstream> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) throw new ModTsError("MODTS_CLIENT_GONE");
    const response = new CallbackResponse(openSocket(peer.target, true), request);
    const { name: origin, timeout: limit } = peer;
    const gone = (): void => void response.destroy(new ModTsError("MODTS_CLIENT_GONE"));
    const timer = setTimeout(
      () => response.destroy(new ModTsError("MODTS_ORIGIN_TIMEOUT", { origin, limit })),
      limit,
    );
    signal.addEventListener("abort", gone, { once: true });
    response.once("head", () => {
      clearTimeout(timer);
      resolve(response);
    });
    response.on("error", (error) => reject(explain(error, peer)));
    response.once("close", () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", gone);
    });
    try {
      writeRequest(response.socket, request);
    } catch (error) {
      response.destroy(error as Error);
    }
  });
}

function openSocket(target: Target, allowHalfOpen = false): Socket {
  const { socketPath, hostname, port } = target;
  if (socketPath !== undefined) return connect({ path: socketPath, allowHalfOpen });
  return connect({ host: hostname, port: Number(port), noDelay: true, allowHalfOpen });
}

const repeatableMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PROPFIND"]);

class StaleConnection extends Error {}

interface BodyEvents {
  moved(): void;
  fail(error: unknown): void;
}

function sendBody(
  message: http.ClientRequest,
  { body, headers }: UpstreamRequest,
  { moved, fail }: BodyEvents,
): void {
  if (!body) return void message.end();
  const send = (): void => {
    try {
      body().on("data", moved).once("error", fail).pipe(message);
    } catch (error) {
      fail(error);
    }
  };
  if (headers["expect"] === undefined) return void message.once("socket", send);
  const timer = setTimeout(send, continueMs);
  const stop = (): void => clearTimeout(timer);
  message.once("response", stop).once("close", stop).once("continue", stop).once("continue", send);
}

/** For servers that never send "100 Continue" (RFC 9110, section 10.1.1); curl waits as long. */
const continueMs = 1000;

/** RFC 9110, section 15, and RFC 9112, section 4. Node accepts any three digits and any bytes. */
function isFinalResponse({ statusCode = 0, statusMessage = "" }: http.IncomingMessage): boolean {
  return statusCode >= 200 && statusCode < 600 && /^[\t\x20-\x7e\x80-\xff]*$/.test(statusMessage);
}

function explain(error: unknown, { name, timeout }: Peer): unknown {
  // The second one refuses the request body.
  if (error instanceof ModTsError || isHttpError(error)) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ERR_UPSTREAM_UPGRADE_TIMEOUT") {
    return new ModTsError("MODTS_ORIGIN_TIMEOUT", { origin: name, limit: timeout });
  }
  const reason = message || code || "unknown reason";
  return new ModTsError("MODTS_ORIGIN_DOWN", { origin: name, reason });
}
