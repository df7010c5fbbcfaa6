/** The HTTP transport: requests from Apache's mod_proxy, from the connection to the engine. */
import { setMaxListeners } from "node:events";
import { type IncomingMessage, type RequestListener, type Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { createDirectives, type Directives, DirectivesCache } from "../engine/directives.ts";
import { ModTsError } from "../base/errors.ts";
import type { Engine } from "../engine/phases.ts";
import { CallbackTokens } from "../engine/callback-token.ts";
import type { CallbackInfo } from "../request/exchange.ts";
import { internals } from "../request/internals.ts";
import { ApacheRequest } from "../request/request.ts";
import {
  decodeBase64,
  fieldIndex,
  ApacheContext,
  type LocationFacts,
  type SplitHeaders,
  splitHeaders,
} from "../engine/apache-context.ts";
import {
  type AnswerQuestion,
  type AuthEndpoints,
  authPrefix,
  createAuthEndpoints,
} from "./auth-endpoint.ts";
import { ownPrefix } from "./own-routes.ts";
import { HttpExchange } from "./http-exchange.ts";
import { type ParserError, refuse, refuseBroken, refuseSource } from "./refuse.ts";
import { createTrustCheck, type TrustCheck } from "./trust.ts";
import {
  proposesWebSocket,
  rawProtocolOf,
  requireHandshake,
  requireSameOrigin,
  WebSockets,
} from "./web-sockets.ts";

export interface GatewayOptions {
  engine: Engine;
  /** Name of the pool that this process serves. */
  interpreter: string;
  /** Name of the sidecar where Apache has several. @default none */
  sidecar?: string;
  /** Shared with Apache; empty: the permissions of the Unix socket decide. */
  secret: string;
  /** Maximum size of a request's headers, ours included; more is 431. */
  headerBytes: number;
  /** Maximum size of a request body; reading more fails with 413. */
  bodyBytes: number;
  /** Maximum number of requests whose response has not begun; more are 503. */
  waitingRequests: number;
  /** Keep-alive timeout in milliseconds. Must exceed the `ttl` of Apache's `<Proxy>` block. */
  keepAlive: number;
  /** Closes each connection after its response: each request is dealt out anew. @default false */
  oneRequest?: boolean;
  /** Endpoints for other servers by name. @default none */
  auth?: AuthEndpoints;
  /** Serves the other addresses below `/.mod-ts/`. @default nothing */
  ownRoutes?: RequestListener;
}

/** Maximum size of a WebSocket message, which is held in memory as a whole. */
const maxMessageBytes = 16 * 1024 * 1024;

/** Until the configuration of the location is known. */
const nothing = createDirectives({});

/** Filled in during admission, so that a failure is logged with everything known so far. */
interface Facts extends LocationFacts {
  directives: Directives;
  callback?: CallbackInfo | undefined;
}

interface Upload {
  readonly message: IncomingMessage;
  readonly req: ApacheRequest;
}

interface Admitted {
  readonly req: ApacheRequest;
  readonly directives: Directives;
  readonly hasBody: boolean;
}

/** Checks whether the peer is trusted, builds the request, and passes it to the engine. */
export class Gateway {
  readonly #options: GatewayOptions;
  readonly #trust: TrustCheck;
  readonly #tokens: CallbackTokens;
  readonly #directives: DirectivesCache;
  readonly #connections = new Set<Socket>();
  readonly #sockets: WebSockets;
  /** Aborted when this process is about to end; for raw connections. */
  readonly #ending = new AbortController();
  /** Raw connections passed to handlers. */
  readonly #tunnels = new Set<Socket>();
  readonly #answerQuestion: AnswerQuestion;
  /** The last request with a body of a connection. */
  readonly #uploads = new WeakMap<Socket, Upload>();
  readonly #running = new ShortLived<ServerResponse>();
  #server: Server | undefined;
  #drained: (() => void) | undefined;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#directives = new DirectivesCache(options.sidecar ?? "");
    this.#trust = createTrustCheck(options.secret);
    this.#tokens = new CallbackTokens(options.secret);
    this.#answerQuestion = createAuthEndpoints(options);
    // One of each raw connection.
    setMaxListeners(0, this.#ending.signal);
    this.#sockets = new WebSockets(Math.min(options.bodyBytes, maxMessageBytes));
  }

  attach(server: Server): this {
    this.#server = server;
    return this;
  }

  accept(socket: Socket): void {
    this.#connections.add(socket);
    socket.once("close", () => {
      this.#connections.delete(socket);
      if (this.#connections.size === 0) this.#drained?.();
    });
    this.#server?.emit("connection", socket);
  }

  /**
   * Closes each connection after its next response; after `linger` milliseconds also idle ones and
   * WebSockets (1001). Resolves when all are closed.
   */
  drain(linger: number): Promise<void> {
    return new Promise((resolve) => {
      this.#drained = resolve;
      this.#ending.abort();
      if (this.#connections.size === 0) return resolve();
      setTimeout(() => this.#closeIdle(), linger);
    });
  }

  /**
   * `route` serves the auth endpoints; for Apache's requests it would cost as much as a small
   * handler.
   */
  listener(route: RequestListener): RequestListener {
    return (message, reply) => {
      const { ownRoutes } = this.#options;
      if (asksSidecar(message, authPrefix)) route(message, reply);
      else if (ownRoutes && asksSidecar(message, `${ownPrefix}/`)) ownRoutes(message, reply);
      else void this.serve(message, reply);
    };
  }

  /** Whether a message of Apache proposes a protocol that its location takes. */
  isUpgrade(message: IncomingMessage): boolean {
    if (!canUpgrade(message)) return false;
    return proposesWebSocket(message) || this.#rawProtocolOf(message) !== undefined;
  }

  /** Other protocols than WebSockets need `mod_ts.upgrade`; they are ignored elsewhere. */
  #rawProtocolOf(message: IncomingMessage): string | undefined {
    if (message.headers.upgrade === undefined || proposesWebSocket(message)) return undefined;
    try {
      const headers = splitHeaders(message.rawHeaders);
      this.#trust(headers);
      return rawProtocolOf(message, this.#directives.get(headers.directives).options);
    } catch {
      // The request reports the error.
      return undefined;
    }
  }

  /** Returns a promise only if the response waits for something. */
  serve(message: IncomingMessage, reply: ServerResponse): Promise<void> | void {
    this.#begin(reply);
    const admitted = this.#admit(message, reply, () => this.#requireRoom());
    if (!admitted) return;
    const place = this.#running.add(reply);
    const { req, directives, hasBody } = admitted;
    // Attack: for a body that is malformed in the same packet, there would be two responses, and
    // Apache could take the second one for that of its next request. So the parser continues first.
    const run = (): Promise<void> | void => this.#options.engine.run(req, directives);
    const running = hasBody ? Promise.resolve().then(run) : run();
    if (running) return running.then(() => void this.#running.delete(place));
    this.#running.delete(place);
  }

  /**
   * Attack: more requests than handlers can serve. Each one would wait longer than the one before
   * and hold its memory; clients give up and repeat. A stream that has begun does not count.
   */
  #requireRoom(): void {
    const { waitingRequests: limit } = this.#options;
    if (this.#running.size < limit) return;
    let waiting = 0;
    for (const { headersSent } of this.#running) if (!headersSent) waiting += 1;
    if (waiting >= limit) throw new ModTsError("MODTS_OVERLOADED", { limit });
  }

  async answer(message: IncomingMessage, reply: ServerResponse): Promise<void> {
    this.#begin(reply);
    await this.#answerQuestion(message, reply);
  }

  async upgrade(message: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    // Attack: Node.js has removed its listeners, and a reset without one would end the process.
    socket.on("error", () => {});
    // Until the handshake is accepted this is a normal request, which a phase may reject.
    const reply = new ServerResponse(message);
    reply.assignSocket(socket);
    reply.shouldKeepAlive = false;
    reply.once("finish", () => socket.end());
    this.#begin(reply);
    const protocol = this.#rawProtocolOf(message);
    const admitted = this.#admit(message, reply, (req) => {
      this.#requireRoom();
      if (protocol === undefined) requireHandshake(message);
      else req[internals].rawUpgrade = { protocol, ending: this.#ending.signal };
      requireSameOrigin(req);
    });
    if (!admitted) return;
    const place = this.#running.add(reply);
    const serve = await this.#options.engine.upgrade(admitted.req, admitted.directives);
    // An open socket waits for nothing.
    this.#running.delete(place);
    if (!serve) return;
    reply.detachSocket(socket);
    if ("tunnel" in serve) {
      this.#tunnels.add(socket);
      socket.once("close", () => {
        this.#tunnels.delete(socket);
        reply.destroy().emit("close");
      });
      return serve.tunnel(socket, head);
    }
    const webSocket = this.#sockets.open(message, socket, head);
    // Aborts `req.signal` when the socket closes.
    webSocket?.once("close", () => reply.destroy().emit("close"));
    await serve.webSocket(webSocket);
  }

  /** Responds to bytes that are not HTTP, or not all of a request. */
  fail(error: ParserError, socket: Socket): void {
    const upload = this.#uploads.get(socket);
    refuseBroken(error, socket, upload?.message.complete === false ? upload.req : undefined);
  }

  #begin(reply: ServerResponse): void {
    // Apache sends its own Date.
    reply.sendDate = false;
    if (this.#drained || this.#options.oneRequest) reply.shouldKeepAlive = false;
    // Apache knows HTTP/1.1 and its `ttl`: both headers would only cost parsing. "close" is
    // required: after a rejected upgrade, or a rejected body with "100 Continue", Apache would keep
    // sending.
    else if (reply.shouldKeepAlive && !reply.req.headers.expect) reply.removeHeader("Connection");
  }

  /** Admits a request of Apache; rejects any other and returns undefined. */
  #admit(
    message: IncomingMessage,
    reply: ServerResponse,
    require?: (req: ApacheRequest) => void,
  ): Admitted | undefined {
    let req: ApacheRequest | undefined;
    try {
      const headers = splitHeaders(message.rawHeaders);
      if (headers.fields.length === 0) refuseSource(message);
      this.#trust(headers);
      const exchange = new HttpExchange(message, reply, this.#options);
      const facts: Facts = { directives: nothing, interpreter: this.#options.interpreter };
      const context = new ApacheContext(message.method ?? "GET", headers, facts);
      req = new ApacheRequest(context, exchange);
      const { hasBody } = exchange;
      if (hasBody) this.#uploads.set(message.socket, { message, req });
      facts.callback = this.#callbackOf(headers);
      facts.directives = this.#directivesOf(headers);
      exchange.limitBody(facts.directives.bodyBytes);
      require?.(req);
      return { req, directives: facts.directives, hasBody };
    } catch (error) {
      refuse(reply, error, req);
      return undefined;
    }
  }

  #callbackOf({ fields }: SplitHeaders): CallbackInfo | undefined {
    const field = fields[fieldIndex.callback];
    if (!field) return undefined;
    const callback = this.#tokens.read(decodeBase64(field));
    if (callback.kind === "redirect") return callback;
    // A callback runs no handler: a `SetHandler` that names a pool would lead back here forever.
    const reason = "it is a callback, and a SetHandler other than that of our macros led here";
    throw new ModTsError("MODTS_ORIGIN_LOOP", { reason });
  }

  #directivesOf(headers: SplitHeaders): Directives {
    const directives = this.#directives.get(headers.directives);
    const { interpreter: asked } = directives;
    const actual = this.#options.interpreter;
    if (asked !== undefined && asked !== actual) {
      throw new ModTsError("MODTS_WRONG_INTERPRETER", { asked, actual });
    }
    const hasContent = directives.handlers.has("handler") || directives.modules.length > 0;
    if (!hasContent) throw new ModTsError("MODTS_NO_HANDLER");
    return directives;
  }

  /** Apache's `ttl` has passed, so it does not use idle connections again. */
  #closeIdle(): void {
    this.#server?.closeIdleConnections();
    // Node counts them as busy for a minute and a half: their first request could still come.
    for (const socket of this.#connections) if (socket.bytesRead === 0) socket.destroy();
    this.#sockets.close();
    // A raw tunnel cannot be closed cleanly: the frame boundaries are unknown.
    for (const socket of this.#tunnels) socket.destroy();
  }
}

/** Whether a message asks the sidecar itself. Requests of Apache never do: they carry a context. */
function asksSidecar({ url = "", headers }: IncomingMessage, prefix: string): boolean {
  return url.startsWith(prefix) && headers["mod-ts-context"] === undefined;
}

/**
 * Upgrades of HTTP/1.0 are ignored (RFC 9110, section 7.8). Attack: Apache sends no 101 to such a
 * client or proxy, which takes what the handler sends for the response. A message without a context,
 * or with a broken one, is never an upgrade: it is refused as any other request.
 */
function canUpgrade({ headers }: IncomingMessage): boolean {
  const fields = String(headers["mod-ts-context"]).split(";");
  return /^HTTP\/(?:1\.[1-9]|[2-9])/.test(fields[fieldIndex.protocol] ?? "");
}

/**
 * Objects that are there for a moment, such as running requests. A `Set` makes a new table after
 * some changes, and V8 links the old one to it: a table in the old generation keeps all later ones,
 * and whatever was in them, until a full collection. Each request would then survive its end.
 */
export interface Place<T> {
  readonly value: T;
  at: number;
}

export class ShortLived<T> {
  readonly #places: Place<T>[] = [];

  get size(): number {
    return this.#places.length;
  }

  /** Returns what {@link delete} takes. */
  add(value: T): Place<T> {
    const place = { value, at: this.#places.length };
    this.#places.push(place);
    return place;
  }

  /** False if it was removed before. The order of the others may change. */
  delete(place: Place<T>): boolean {
    if (this.#places[place.at] !== place) return false;
    const last = this.#places.pop() as Place<T>;
    if (last === place) return true;
    this.#places[place.at] = last;
    last.at = place.at;
    return true;
  }

  *[Symbol.iterator](): IterableIterator<T> {
    for (const { value } of this.#places) yield value;
  }
}
