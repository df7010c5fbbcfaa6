/**
 * The one place that speaks to `http-proxy` (httpxy). What it does by itself, and is not safe here, is taken from it:
 *
 * - It copies `headers` as they are, hop-by-hop ones included: `message-headers.ts` makes them.
 * - A body without `Content-Length` or `Transfer-Encoding` of a GET or DELETE would leave it without framing, and be read as the next request: our
 *   messages always name one.
 * - It writes the answer's headers, repeated ones folded, framing ones included: `selfHandleResponse`, we write them.
 * - Its time-outs look like resets: ours are here. Its default agents bound nothing: ours are named.
 * - It follows no client that goes away over a tunnel: see {@link Proxy.tunnel}.
 * @module
 */
import {
  Agent as HttpAgent,
  type ClientRequest,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { Agent as HttpsAgent } from "node:https";
import type { Socket } from "node:net";
import { createProxyServer, type ProxyServer } from "http-proxy";
import { ModTsError } from "../errors.ts";
import { type Question, QuestionMessage, QuestionReply } from "./question.ts";
import type { OutgoingHeaders } from "./message-headers.ts";
import type { Target } from "./settings.ts";

/** Whom to ask, and how long. */
export interface Peer {
  /** How messages name it. */
  readonly name: string;
  readonly target: Target;
  /** Milliseconds until the answer must have begun, or another part of the request body must have gone on. */
  readonly timeout: number;
  /** Whether a connection may be used again. */
  readonly keepAlive: boolean;
  /** Host to name in the TLS handshake, where it is another than that of the target. */
  readonly servername?: string | undefined;
  /** A certificate that nobody vouches for will do: on the loopback interface it would prove nothing. */
  readonly unverified?: boolean;
}

/** Keeps connections, for all requests of a process. */
export class Proxy {
  readonly #server: ProxyServer = createProxyServer({ selfHandleResponse: true });
  readonly #agents = {
    "http:": new HttpAgent({ keepAlive: true, maxFreeSockets: 64 }),
    "https:": new HttpsAgent({ keepAlive: true, maxFreeSockets: 64 }),
  };

  constructor() {
    this.#server.on("proxyReq", (request, message) => {
      const asked = message as unknown as QuestionMessage;
      asked.request = request;
      request.once("upgrade", (_answer, socket) => {
        socket.destroy();
        // Node says nothing more of such a request, and it would wait for its time-out.
        request.emit("error", new Error("it changed the protocol without being asked"));
      });
      const { inform } = asked.question;
      if (!inform) return;
      request.on("information", ({ statusCode, headers }) =>
        inform(statusCode, headers as OutgoingHeaders),
      );
    });
    this.#server.on("proxyRes", (response, message) =>
      (message as unknown as QuestionMessage).answered(response),
    );
  }

  /** Lets the kept connections go. */
  close(): void {
    for (const agent of Object.values(this.#agents)) agent.destroy();
  }

  /**
   * Resolves when the head of the answer is there. The rest is torn down with `signal`.
   * Rejects with `MODTS_ORIGIN_DOWN` or `MODTS_ORIGIN_TIMEOUT`, or with what reading the body gave.
   */
  async ask(peer: Peer, question: Question, signal: AbortSignal): Promise<IncomingMessage> {
    // A kept connection may be closed by the other side in the moment in which we use it. Then a request that may be sent twice
    // (RFC 9110, section 9.2.2) is, on a new one; any other takes a new one from the start.
    const repeatable = !question.body && repeatableMethods.has(question.method);
    if (!repeatable || !peer.keepAlive) return this.#askOnce(peer, question, signal, false);
    try {
      return await this.#askOnce(peer, question, signal, true);
    } catch (error) {
      if (!(error instanceof StaleConnection)) throw error;
      return this.#askOnce(peer, question, signal, false);
    }
  }

  #askOnce(
    peer: Peer,
    question: Question,
    signal: AbortSignal,
    keep: boolean,
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const reply = new QuestionReply();
      const gone = (): void => {
        reject(new ModTsError("MODTS_CLIENT_GONE"));
        reply.destroy();
      };
      const late = (): void => {
        const { name, timeout: limit } = peer;
        reject(new ModTsError("MODTS_ORIGIN_TIMEOUT", { origin: name, limit }));
        reply.destroy();
      };
      const timer = setTimeout(late, peer.timeout);
      // To refresh a timer is to start one that was cleared.
      const stopTimer = (): void => {
        message.moved = undefined;
        clearTimeout(timer);
      };
      reply.once("close", () => {
        stopTimer();
        signal.removeEventListener("abort", gone);
      });
      const message = new QuestionMessage(question, (response) => {
        stopTimer();
        if (!isFinalAnswer(response)) {
          reject(explain(new Error("its status line is none of HTTP"), peer));
          return reply.destroy();
        }
        response.once("close", () => reply.finish());
        breakOffWith(message.request, response);
        resolve(response);
      });
      // A body may take its time to arrive; nobody answers before that.
      message.moved = () => timer.refresh();
      signal.addEventListener("abort", gone, { once: true });
      if (signal.aborted) return gone();
      const agent = keep ? this.#agents[peer.target.protocol] : false;
      this.#send(message, reply, { ...options(peer), agent }).catch((error: unknown) => {
        reply.destroy();
        const isStale = keep && message.request?.reusedSocket === true;
        reject(isStale ? new StaleConnection() : explain(error, peer));
      });
    });
  }

  #send(message: QuestionMessage, reply: QuestionReply, settings: object): Promise<void> {
    const [incoming, outgoing] = [message as unknown, reply as unknown];
    return this.#server.web(incoming as IncomingMessage, outgoing as ServerResponse, settings);
  }

  /**
   * Joins a client that asked for a WebSocket with an origin, handshake and all. Resolves when both have gone; whichever goes takes the
   * other along. Rejects with `MODTS_ORIGIN_DOWN` when there was no answer to the handshake; then the client got nothing.
   */
  tunnel(peer: Peer, question: Question, socket: Socket, head: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      const message = new QuestionMessage(question, () => {});
      const server = createProxyServer({ upgradeTimeout: peer.timeout });
      socket.once("close", () => resolve());
      server.on("proxyReqWs", (request) => {
        socket.once("close", () => request.destroy());
        request.once("upgrade", (_response, upstream: Socket) => {
          socket.once("close", () => upstream.destroy());
          upstream.once("close", () => socket.destroy());
        });
      });
      server.once("error", (error) => reject(explain(error, peer)));
      const settings = { ...options(peer), agent: false as const };
      void server.ws(message as unknown as IncomingMessage, socket, settings, head);
    });
  }
}

const repeatableMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PROPFIND"]);

class StaleConnection extends Error {}

function options({ target, servername, unverified }: Peer): object {
  // Options of TLS are taken from the target and from `ssl`.
  return { target, secure: !unverified, ssl: { ...(servername && { servername }) } };
}

/** RFC 9110, section 15, and RFC 9112, section 4. Node reads any three digits, and any bytes after them. */
function isFinalAnswer({ statusCode = 0, statusMessage = "" }: IncomingMessage): boolean {
  return statusCode >= 200 && statusCode < 600 && /^[\t\x20-\x7e\x80-\xff]*$/.test(statusMessage);
}

/** Trap: Node takes a body that says no length for complete when the connection is reset; its error comes first. */
function breakOffWith(request: ClientRequest | undefined, response: IncomingMessage): void {
  request?.once("error", (error) => {
    if (!response.complete) response.destroy(error);
  });
}

function explain(error: unknown, { name, timeout }: Peer): unknown {
  if (error instanceof ModTsError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ERR_UPSTREAM_UPGRADE_TIMEOUT") {
    return new ModTsError("MODTS_ORIGIN_TIMEOUT", { origin: name, limit: timeout });
  }
  const reason = message || code || "unknown reason";
  return new ModTsError("MODTS_ORIGIN_DOWN", { origin: name, reason });
}
