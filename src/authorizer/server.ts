/**
 * Server of the authorizer: FastCGI from mod_authnz_fcgi, which asks for access decisions on any
 * resource of Apache.
 *
 * Everything that goes wrong here is a refusal: a broken record closes the connection (Apache: 500),
 * a missing context is 403, a handler that takes too long is 503. Apache itself would wait 30
 * seconds, a constant in its source.
 */
import type { Socket } from "node:net";
import { type Directives, DirectivesCache } from "../engine/directives.ts";
import { counter, type RefusalReason } from "../base/counts.ts";
import { isModTsError, ModTsError, report } from "../base/errors.ts";
import {
  QuestionConnections,
  type QuestionOptions,
  Throttle,
} from "../base/question-connections.ts";
import type { Engine } from "../engine/phases.ts";
import { Refusals } from "../engine/refusals.ts";
import { internals } from "../request/internals.ts";
import { ApacheRequest } from "../request/request.ts";
import { logFailure } from "../engine/respond.ts";
import {
  allow,
  answerRefusal,
  answerStatus,
  type Asked,
  DenyExchange,
  keepPrivate,
  Proofs,
} from "./answer.ts";
import {
  type ConnectionEvent,
  type ConnectionLimits,
  defaultLimits,
  FCGI_REQUEST_COMPLETE,
  FCGI_STDOUT,
  FcgiConnection,
  type Pairs,
  writeEndRequest,
  writeStream,
} from "./fastcgi.ts";
import {
  createContext,
  destinationOf,
  isAuthorization,
  isReset,
  pageStatus,
  selectPolicy,
} from "./context.ts";
import { ObservedRequest } from "./observed-request.ts";
import { type TicketDraft, Tickets } from "./tickets.ts";
import { type AccessQuestion, createTrustCheck, Grants, type TrustCheck } from "./trust.ts";

export interface AuthorizerOptions extends QuestionOptions {
  engine: Engine;
  /** Bytes of the parameters of a question; Apache responds 500 for longer ones. @default 65_536 */
  parameterBytes?: number;
  /** For tickets (`TsTicket`). @default none */
  tickets?: { run: string; handlerFiles: () => Iterable<string> };
}

type RequestEvent = Extract<ConnectionEvent, { type: "request" }>;

/** The server. It does not listen: the supervisor owns the sockets. */
export class Authorizer {
  readonly #options: AuthorizerOptions;
  readonly #trust: TrustCheck;
  readonly #grants: Grants;
  readonly #refusals: Refusals;
  readonly #proofs: Proofs;
  readonly #tickets: Tickets | undefined;
  readonly #directives: DirectivesCache;
  readonly #connections: QuestionConnections;
  readonly #limits: ConnectionLimits;
  readonly #protocolErrors = new Throttle();
  readonly #lostRefusals = new Throttle();

  constructor(options: AuthorizerOptions) {
    this.#options = options;
    this.#directives = new DirectivesCache(options.sidecar ?? "");
    this.#connections = new QuestionConnections("authorizer", options);
    this.#limits = { ...defaultLimits, parameterBytes: options.parameterBytes ?? 65_536 };
    this.#grants = new Grants(options.secret);
    this.#refusals = new Refusals(options.secret);
    this.#proofs = new Proofs(options.secret);
    const { secret, tickets } = options;
    this.#tickets = tickets && new Tickets({ ...tickets, secret, grants: this.#grants });
    this.#trust = createTrustCheck(secret, this.#grants, (path) => this.#tickets?.read(path));
  }

  /** Serves a connection that the supervisor accepted. */
  accept(socket: Socket): void {
    this.#connections.add(socket);
    const connection = new FcgiConnection(this.#limits);
    socket.on("data", (bytes: Buffer) => {
      for (const event of connection.push(bytes)) void this.#handle(socket, event);
      this.#connections.hold(socket, connection.held);
    });
  }

  /** Resolves when every connection has had its answer. */
  drain(): Promise<void> {
    return this.#connections.drain();
  }

  /** Ends all tickets: the supervisor has died. */
  abandon(): void {
    this.#tickets?.close();
  }

  async #handle(socket: Socket, event: ConnectionEvent): Promise<void> {
    if (event.type === "request") await this.#answer(socket, event);
    else if (event.type === "reply") socket.write(event.bytes);
    else if (event.type === "close") {
      const error = new ModTsError("MODTS_FCGI_PROTOCOL", {
        peer: `${socket.remoteAddress}:${socket.remotePort}`,
        reason: event.reason,
      });
      this.#protocolErrors.run(() => report(error));
      socket.destroy();
    }
  }

  async #answer(socket: Socket, { id, keepConnection, params }: RequestEvent): Promise<void> {
    let isAnswered = false;
    const send = (answer: Buffer): void => {
      if (socket.destroyed || isAnswered) return;
      // Attack: on a kept connection, a second answer would be that of the next question.
      isAnswered = true;
      this.#connections.answered(socket);
      const bytes = [
        writeStream(FCGI_STDOUT, id, answer),
        writeEndRequest(id, FCGI_REQUEST_COMPLETE),
      ];
      if (keepConnection) socket.write(Buffer.concat(bytes));
      else socket.end(Buffer.concat(bytes));
    };
    send(await this.#decide(params, socket, send));
  }

  /**
   * Never rejects, and gives permission only when the engine does.
   * @param sendLast for a refusal when the time is over, or before the process ends
   */
  async #decide(pairs: Pairs, socket: Socket, sendLast: (answer: Buffer) => void): Promise<Buffer> {
    let req: ApacheRequest | undefined;
    let proofs: string[] = [];
    try {
      const question = this.#trust(pairs);
      this.#connections.prove(socket, () => {
        const late = new ModTsError("MODTS_AUTHORIZER_TIMEOUT", {
          limit: this.#connections.budget,
        });
        sendLast(answerFailure(late, req, proofs));
        req?.[internals].exchange.abort();
      });
      // For `TsCheckRedirect`: only this question makes Apache show the body of an answer.
      if (question.time && !isAuthorization(question.params))
        proofs = ["Mod-Ts-Proof", this.#proofs.answered(question.time)];
      if (isReset(question.params)) return answerStatus(pageStatus(question.params));
      if (question.params.has("MOD_TS_COOKIES_LOST")) throw new ModTsError("MODTS_COOKIES_LOST");
      const { lines, judged } = selectPolicy(question);
      const directives = this.#directives.get(lines);
      const exchange = new DenyExchange(() => {
        if (req) sendLast(this.#refuse(req, question, exchange, proofs));
      });
      const isTicketed = question.policy.some((line) => line.startsWith("ticket "));
      const draft = isTicketed ? this.#tickets?.begin(question) : undefined;
      req = this.#requestOf(question, directives, exchange, draft);
      if (!(await this.#options.engine.authorize(req, directives))) {
        if (req[internals].declined !== "authz")
          return this.#refuse(req, question, exchange, proofs);
        proofs.push("Mod-Ts-Declined", this.#proofs.declined(askedOf(question), judged));
        return exchange.toBytes(proofs);
      }
      const destination = destinationOf(question, req);
      if (destination === null) return answerStatus(403, proofs);
      if (destination) {
        const second = new DenyExchange();
        const target = this.#requestOf(destination, directives, second);
        if (!(await this.#options.engine.authorize(target, directives)))
          return answerStatus(403, proofs);
      }
      if (draft && req instanceof ObservedRequest && !req.signal.aborted) {
        this.#tickets?.finish(draft, req, req.seen, judged);
      }
      // Apache adds up the headers of sub-requests and of further questions about a request.
      if (!question.grant) keepPrivate(req);
      const setsUser = !isAuthorization(question.params);
      // As Apache has it: a provider of `AuthBasicProvider` does not change the name.
      const isOurs = setsUser && question.policy.includes("ask");
      const user = isOurs ? req.user : question.params.get("REMOTE_USER");
      const passed = this.#grants.write(question, judged, user ?? "");
      const proof = this.#proofs.passed(askedOf(question), passed.judged);
      return allow(req, { setsUser, passed, proof, proofs });
    } catch (error) {
      // Answered already: what a handler throws because its time is over is no second failure.
      if (req?.signal.aborted) return answerStatus(503, proofs);
      return answerFailure(error, req, proofs);
    }
  }

  #refuse(
    req: ApacheRequest,
    { params, policy }: AccessQuestion,
    exchange: DenyExchange,
    proofs: readonly string[],
  ): Buffer {
    const refusal = isAuthorization(params) ? exchange.refusal : undefined;
    if (!refusal) return exchange.toBytes(proofs);
    if (policy.includes("refusals")) return answerRefusal(this.#refusals.write(req, refusal));
    const lost = new ModTsError("MODTS_REFUSAL_LOST", { status: refusal.status });
    this.#lostRefusals.run(() => logFailure(lost, req));
    return exchange.toBytes(proofs);
  }

  #requestOf(
    question: AccessQuestion,
    directives: Directives,
    exchange: DenyExchange,
    draft?: TicketDraft,
  ): ApacheRequest {
    const context = createContext(question, directives, this.#options.interpreter);
    if (!draft) return new ApacheRequest(context, exchange);
    const req = new ObservedRequest(context, exchange);
    req[internals].terms = draft;
    return req;
  }
}

function answerFailure(
  error: unknown,
  req: ApacheRequest | undefined,
  proofs: readonly string[],
): Buffer {
  const reason = reasonOf(error);
  if (reason) counter.addEvent(`refused_${reason}`);
  logFailure(error, req);
  return answerStatus(isModTsError(error) && error.status >= 400 ? error.status : 500, proofs);
}

/** Why the engine has not decided; undefined for an answer that Apache ignores. */
function reasonOf(error: unknown): RefusalReason | undefined {
  const code = isModTsError(error) ? error.code : undefined;
  if (code === "MODTS_AUTHORIZER_TIMEOUT") return "timeout";
  if (code === "MODTS_COOKIES_LOST") return "cookies";
  if (code === "MODTS_SUBREQUEST_UNDECIDED") return undefined;
  return /^MODTS_(?:CONTEXT|SECRET)_/.test(code ?? "") ? "untrusted" : "failure";
}

function askedOf({ seal, params }: AccessQuestion): Asked {
  return { seal, file: params.get("SCRIPT_FILENAME") ?? "" };
}
