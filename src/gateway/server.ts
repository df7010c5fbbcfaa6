/**
 * Door 1: HTTP from mod_proxy. Decides whether it trusts the peer, builds the request, hands both to the engine.
 * @module
 */
import {
  createServer,
  METHODS,
  type IncomingMessage,
  type Server,
  ServerResponse,
} from "node:http";
import type { Socket } from "node:net";
import fastify, { type FastifyInstance } from "fastify";
import { type Directives, DirectivesCache, parseDirectives } from "../directives.ts";
import { errorPage } from "../error-page.ts";
import { ModTsError } from "../errors.ts";
import { reasonPhrase } from "../http-status.ts";
import { log } from "../log.ts";
import type { Engine } from "../phases.ts";
import { Tickets } from "../origin/tickets.ts";
import type { Passage } from "../request/exchange.ts";
import { ApacheRequest } from "../request/request.ts";
import {
  decodeBase64,
  fieldIndex,
  GatewayContext,
  type LocationFacts,
  type SplitHeaders,
  splitHeaders,
} from "./context.ts";
import {
  type AnswerQuestion,
  type AuthEndpoints,
  createAuthEndpoints,
  isAuthQuestion,
} from "./auth-endpoint.ts";
import { HttpExchange } from "./http-exchange.ts";
import { refuse } from "./refuse.ts";
import { createTrustCheck, type TrustCheck } from "./trust.ts";
import {
  proposesWebSocket,
  requireHandshake,
  requireSameOrigin,
  WebSockets,
} from "./web-sockets.ts";

export interface GatewayOptions {
  engine: Engine;
  /** Name of the pool that this process serves. */
  interpreter: string;
  /** Shared with Apache; empty over a Unix socket means that its permissions decide. */
  secret: string;
  /** Bytes of a request's header block, ours included; over it the answer is 431. */
  headerBytes: number;
  /** Bytes of a request body; over it reading the body fails with 413. */
  bodyBytes: number;
  /** Milliseconds for which an idle connection is kept. Must exceed the `ttl` of Apache's `<Proxy>` block. */
  keepAlive: number;
  /** Questions of other servers that are answered here, by name. @default none */
  auth?: AuthEndpoints;
}

export interface Gateway {
  /** Serves a connection that the supervisor accepted. */
  accept(socket: Socket): void;
  /**
   * Ends each connection with its next answer, and after `linger` milliseconds idle ones and WebSockets (1001). Resolves when
   * all are gone.
   */
  drain(linger: number): Promise<void>;
}

/** Creates the gateway. It listens on nothing: the supervisor owns the sockets. */
export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  const door = new Door(options);
  const app = createApp(options, door);
  await app.ready();
  // Never listening, this server would never start to enforce its own time-outs.
  app.server.emit("listening");
  return door.attach(app.server);
}

/** The fastify instance: its server takes the requests of Apache, its one route the questions of other servers. */
function createApp(options: GatewayOptions, door: Door): FastifyInstance {
  const app = fastify({
    logger: false,
    // The path in the request line is a file name of Apache's; the engine has the true one from the context.
    rewriteUrl: () => "/",
    serverFactory: (handler) => {
      const server = createServer(
        {
          maxHeaderSize: options.headerBytes,
          keepAliveTimeout: options.keepAlive,
          requestTimeout: 0,
          // Whether a handshake may pass is a question like any other; it is not for us to accept it.
          shouldUpgradeCallback: (message) =>
            proposesWebSocket(message) && !isAuthQuestion(message),
        },
        (message, reply) => {
          // Apache has routed already: on this way fastify's own routing would cost as much as a small handler.
          if (isAuthQuestion(message)) handler(message, reply);
          else void door.serve(message, reply);
        },
      );
      server.on(
        "upgrade",
        (message, socket, head) => void door.upgrade(message, socket as Socket, head),
      );
      // Node would promise the upload at once; the exchange does so when somebody reads the body.
      server.on("checkContinue", (message, reply) => server.emit("request", message, reply));
      return server;
    },
    clientErrorHandler: refuseBroken,
  });
  // "Without a body": or fastify would itself refuse a Content-Type that it cannot read, or the lack of one. Which bodies
  // to take, and how, is for handlers to say.
  for (const method of METHODS) {
    app.addHttpMethod(method, { hasBody: false, overrideExisting: true });
  }
  app.all("/", (request, reply) => {
    reply.hijack();
    request.raw.url = request.originalUrl;
    void door.answer(request.raw, reply.raw);
  });
  return app;
}

/** Bytes of a WebSocket message, which is held in memory as a whole, should a body be allowed more. */
const messageBytes = 16 * 1024 * 1024;

/** In force until the configuration of the location has been read. */
const nothing = parseDirectives([]);

/** Filled in while the request is being let in, so that a failure finds what is known. */
interface Facts extends LocationFacts {
  directives: Directives;
  passage?: Passage | undefined;
}

interface Admitted {
  readonly req: ApacheRequest;
  readonly directives: Directives;
}

class Door implements Gateway {
  readonly #options: GatewayOptions;
  readonly #trust: TrustCheck;
  readonly #tickets: Tickets;
  readonly #directives = new DirectivesCache();
  readonly #connections = new Set<Socket>();
  readonly #sockets: WebSockets;
  /** Connections that were handed over as they are. */
  readonly #tunnels = new Set<Socket>();
  readonly #answerQuestion: AnswerQuestion;
  #server: Server | undefined;
  #drained: (() => void) | undefined;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#trust = createTrustCheck(options.secret);
    this.#tickets = new Tickets(options.secret);
    this.#answerQuestion = createAuthEndpoints(options);
    this.#sockets = new WebSockets(Math.min(options.bodyBytes, messageBytes));
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

  drain(linger: number): Promise<void> {
    return new Promise((resolve) => {
      this.#drained = resolve;
      if (this.#connections.size === 0) return resolve();
      setTimeout(() => this.#closeIdle(), linger);
    });
  }

  async serve(message: IncomingMessage, reply: ServerResponse): Promise<void> {
    this.#begin(reply);
    const admitted = this.#admit(message, reply);
    if (admitted) await this.#options.engine.run(admitted.req, admitted.directives);
  }

  /** Another server asks, in place of Apache. */
  async answer(message: IncomingMessage, reply: ServerResponse): Promise<void> {
    this.#begin(reply);
    await this.#answerQuestion(message, reply);
  }

  async upgrade(message: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    // Attack: Node has taken its own listeners off, and a reset that nobody listens to would end the process.
    socket.on("error", () => {});
    // Until the handshake is accepted this is a request like any other, which a phase may refuse.
    const reply = new ServerResponse(message);
    reply.assignSocket(socket);
    reply.shouldKeepAlive = false;
    reply.once("finish", () => socket.end());
    this.#begin(reply);
    const admitted = this.#admit(message, reply, (req) => {
      requireHandshake(message);
      requireSameOrigin(req);
    });
    const serve =
      admitted && (await this.#options.engine.upgrade(admitted.req, admitted.directives));
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
    // The end of the socket is the end of the answer: `req.signal` tells.
    webSocket?.once("close", () => reply.destroy().emit("close"));
    await serve.webSocket(webSocket);
  }

  #begin(reply: ServerResponse): void {
    // Apache has its own Date, and these two headers would end at it anyway.
    reply.sendDate = false;
    if (this.#drained) reply.shouldKeepAlive = false;
    // Apache knows HTTP/1.1, and its own `ttl`: Connection and Keep-Alive would tell it nothing, at the price of parsing. But
    // "close" it must be told: after the refusal of an upgrade, or of a body that waits for "100 Continue", it would go on sending.
    else if (reply.shouldKeepAlive && !reply.req.headers.expect) reply.removeHeader("Connection");
  }

  /** Lets a request in that comes from Apache; answers any other and gives undefined. */
  #admit(
    message: IncomingMessage,
    reply: ServerResponse,
    require?: (req: ApacheRequest) => void,
  ): Admitted | undefined {
    let req: ApacheRequest | undefined;
    try {
      const headers = splitHeaders(message.rawHeaders);
      this.#trust(headers);
      const exchange = new HttpExchange(message, reply, this.#options);
      const facts: Facts = { directives: nothing, interpreter: this.#options.interpreter };
      const context = new GatewayContext(message, headers, facts);
      req = new ApacheRequest(context, exchange);
      facts.passage = this.#passageOf(headers);
      facts.directives = this.#directivesOf(headers);
      require?.(req);
      return { req, directives: facts.directives };
    } catch (error) {
      refuse(reply, error, req);
      return undefined;
    }
  }

  #passageOf({ fields }: SplitHeaders): Passage | undefined {
    const field = fields[fieldIndex.passage];
    if (!field) return undefined;
    const passage = this.#tickets.read(decodeBase64(field));
    if (passage.kind === "redirect") return passage;
    // Apache was asked for what it has without us: `SetHandler` with a pool written out, say, leads back here for ever.
    const reason = "it is a call back, and a SetHandler other than that of our macros led here";
    throw new ModTsError("MODTS_ORIGIN_LOOP", { reason });
  }

  #directivesOf(headers: SplitHeaders): Directives {
    const directives = this.#directives.get(headers.directives);
    const { interpreter: asked } = directives;
    const actual = this.#options.interpreter;
    if (asked !== undefined && asked !== actual) {
      throw new ModTsError("MODTS_WRONG_INTERPRETER", { asked, actual });
    }
    if (!directives.handlers.has("handler")) throw new ModTsError("MODTS_NO_HANDLER");
    return directives;
  }

  /** By now Apache's `ttl` has passed, so it will not choose the idle ones again. */
  #closeIdle(): void {
    this.#server?.closeIdleConnections();
    this.#sockets.close();
    // Nobody here can say goodbye in the middle of somebody else's frame.
    for (const socket of this.#tunnels) socket.destroy();
  }
}

interface ParserError {
  message: string;
  code?: string | undefined;
  /** The bytes that were being read. */
  rawPacket?: unknown;
}

/** What the HTTP parser itself turned down. */
function refuseBroken(error: ParserError, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  const { level, message, code, status } = nameParserError(error);
  log(level, message, { code });
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
  // Node reads the methods it knows and no others, while Apache lets any word pass.
  const bytes = Buffer.isBuffer(rawPacket) ? rawPacket.toString("latin1") : "";
  const [, method] = /^([\w!#$%&'*+.^`|~-]+) \S+ HTTP\/1/.exec(bytes) ?? [];
  if (code === "HPE_INVALID_METHOD" && method) {
    return new ModTsError("MODTS_UNKNOWN_METHOD", { method: method.slice(0, 40) });
  }
  return new ModTsError("MODTS_BAD_REQUEST", { reason: code ?? message });
}
