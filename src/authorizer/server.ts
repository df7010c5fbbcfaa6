/**
 * Door 2: FastCGI from mod_authnz_fcgi. Apache asks whether a request may pass, for any resource that it serves.
 *
 * Everything that goes wrong here is a refusal: a broken record closes the connection (Apache: 500), a missing context is
 * 403, a handler that takes too long is 503. Apache itself would wait 30 seconds, a constant in its source.
 * @module
 */
import type { Socket } from "node:net";
import { DirectivesCache } from "../directives.ts";
import { isModTsError, ModTsError } from "../errors.ts";
import { log } from "../log.ts";
import type { Engine } from "../phases.ts";
import { ApacheRequest } from "../request/request.ts";
import { logFailure } from "../respond.ts";
import { allow, DenyExchange, refuse } from "./answer.ts";
import { type ConnectionEvent, defaultLimits, FcgiConnection } from "./connection.ts";
import { AuthorizerContext, directiveLines } from "./context.ts";
import type { Pairs } from "./params.ts";
import { FCGI_REQUEST_COMPLETE, FCGI_STDOUT, writeEndRequest, writeStream } from "./record.ts";
import { createTrustCheck, type TrustCheck } from "./trust.ts";

export interface AuthorizerOptions {
  engine: Engine;
  /** Name of the pool that this process serves. */
  interpreter: string;
  /** Shared with Apache; empty: the loopback address alone decides. */
  secret: string;
  /** Milliseconds for a decision, and for the parameters to arrive; then 503. @default 5_000 */
  budget?: number;
  /** Connections at a time; further ones are closed, which Apache answers with 500. @default 1_024 */
  connections?: number;
}

export interface Authorizer {
  /** Serves a connection that the supervisor accepted. */
  accept(socket: Socket): void;
  /** Resolves when every connection has had its answer. */
  drain(): Promise<void>;
}

/** Creates the door. It listens on nothing: the supervisor owns the sockets. */
export function createAuthorizer(options: AuthorizerOptions): Authorizer {
  return new Door(options);
}

type RequestEvent = Extract<ConnectionEvent, { type: "request" }>;

class Door implements Authorizer {
  readonly #options: AuthorizerOptions;
  readonly #budget: number;
  readonly #trust: TrustCheck;
  readonly #directives = new DirectivesCache();
  readonly #sockets = new Set<Socket>();
  #drained: (() => void) | undefined;

  constructor(options: AuthorizerOptions) {
    this.#options = options;
    this.#budget = options.budget ?? 5_000;
    this.#trust = createTrustCheck(options.secret);
  }

  accept(socket: Socket): void {
    if (this.#sockets.size >= (this.#options.connections ?? 1024)) return void socket.destroy();
    this.#sockets.add(socket);
    const connection = new FcgiConnection(defaultLimits);
    // A peer that sends one byte a second, or none, holds a descriptor no longer than a decision takes.
    const timer = setTimeout(() => socket.destroy(), this.#budget * 2);
    socket.on("data", (bytes: Buffer) => {
      for (const event of connection.push(bytes)) void this.#handle(socket, event);
    });
    socket.on("error", () => socket.destroy());
    socket.once("close", () => {
      clearTimeout(timer);
      this.#sockets.delete(socket);
      if (this.#sockets.size === 0) this.#drained?.();
    });
  }

  drain(): Promise<void> {
    return new Promise((resolve) => {
      this.#drained = resolve;
      if (this.#sockets.size === 0) resolve();
    });
  }

  async #handle(socket: Socket, event: ConnectionEvent): Promise<void> {
    if (event.type === "request") await this.#answer(socket, event);
    else if (event.type === "reply") socket.write(event.bytes);
    else if (event.type === "close") {
      const error = new ModTsError("MODTS_FCGI_PROTOCOL", {
        peer: `${socket.remoteAddress}:${socket.remotePort}`,
        reason: event.reason,
      });
      log(error.level, error.message, { code: error.code });
      socket.destroy();
    }
  }

  async #answer(socket: Socket, { id, keepConnection, params }: RequestEvent): Promise<void> {
    const answer = await this.#decide(params);
    if (socket.destroyed) return;
    const bytes = [
      writeStream(FCGI_STDOUT, id, answer),
      writeEndRequest(id, FCGI_REQUEST_COMPLETE),
    ];
    if (keepConnection) socket.write(Buffer.concat(bytes));
    else socket.end(Buffer.concat(bytes));
  }

  /** Never rejects, and gives permission only when the engine does. */
  async #decide(pairs: Pairs): Promise<Buffer> {
    let req: ApacheRequest | undefined;
    try {
      const params = this.#trust(pairs);
      const directives = this.#directives.get(directiveLines(pairs));
      const context = new AuthorizerContext(params, directives, this.#options.interpreter);
      const exchange = new DenyExchange();
      req = new ApacheRequest(context, exchange);
      const passed = await this.#within(this.#options.engine.authorize(req, directives), exchange);
      return passed ? allow(req) : exchange.toBytes();
    } catch (error) {
      logFailure(error, req);
      return refuse(isModTsError(error) && error.status >= 400 ? error.status : 500);
    }
  }

  #within(decision: Promise<boolean>, exchange: DenyExchange): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        exchange.abort();
        reject(new ModTsError("MODTS_AUTHORIZER_TIMEOUT", { limit: this.#budget }));
      }, this.#budget);
    });
    return Promise.race([decision, late]).finally(() => clearTimeout(timer));
  }
}
