/**
 * Server of the decider: SCGI from mod_proxy_scgi, which asks what Apache does with a request for
 * something of its own: an internal redirect (`ProxySCGIInternalRedirect`), or the response.
 *
 * Everything that goes wrong here is an error response: nothing is served undecided.
 */
import type { Socket } from "node:net";
import { errorPage } from "../base/html.ts";
import { isModTsError, ModTsError, report } from "../base/errors.ts";
import { QuestionConnections, type QuestionOptions } from "../base/question-connections.ts";
import { ApacheContext, fieldIndex } from "../engine/apache-context.ts";
import { changesOf, digest } from "../engine/changes.ts";
import { type Directives, DirectivesCache } from "../engine/directives.ts";
import type { Engine } from "../engine/phases.ts";
import { logFailure } from "../engine/respond.ts";
import { formatAddress, requireLocal, translationOf } from "../engine/translation.ts";
import { decodeBytes, formatCgiHead, HeaderTable, type Params } from "../request/headers.ts";
import { internals } from "../request/internals.ts";
import { ApacheRequest } from "../request/request.ts";
import { type Decision, Decisions, type Subject } from "./decision.ts";
import { ScgiReader } from "./netstring.ts";
import { endToEnd, ScgiExchange } from "./scgi-exchange.ts";
import { createTrustCheck, type Question, type TrustCheck } from "./trust.ts";

export interface DeciderOptions extends QuestionOptions {
  engine: Engine;
  /** Maximum size of the variables of a question, in bytes. @default 262_144 */
  parameterBytes?: number;
}

/** Questions about one request, as many as Apache's own `LimitInternalRecursion`. */
const maxDepth = 10;

/** The server. It does not listen: the supervisor owns the socket. */
export class Decider {
  readonly #options: DeciderOptions;
  readonly #trust: TrustCheck;
  readonly #decisions: Decisions;
  readonly #directives: DirectivesCache;
  readonly #connections: QuestionConnections;

  constructor(options: DeciderOptions) {
    this.#options = options;
    this.#directives = new DirectivesCache(options.sidecar ?? "");
    this.#trust = createTrustCheck(options.secret);
    this.#decisions = new Decisions(options.secret);
    this.#connections = new QuestionConnections("decider", options);
  }

  /** Serves a connection, which is one question. */
  accept(socket: Socket): void {
    this.#connections.add(socket);
    const reader = new ScgiReader(this.#options.parameterBytes ?? 262_144);
    socket.on("data", (bytes: Buffer) => {
      const event = reader.push(bytes);
      this.#connections.hold(socket, reader.held);
      if (event.type === "wait") return;
      if (event.type === "malformed") return refuseProtocol(socket, event.reason);
      void this.#answer(event.params, socket);
    });
  }

  /** Resolves when every connection has had its answer. */
  drain(): Promise<void> {
    return this.#connections.drain();
  }

  /** Never rejects. */
  async #answer(params: Params, socket: Socket): Promise<void> {
    const exchange = new ScgiExchange(socket);
    let req: ApacheRequest | undefined;
    try {
      const question = this.#trust(params);
      this.#connections.prove(socket, () => {
        const { budget: limit } = this.#connections;
        const error = new ModTsError("MODTS_DECIDER_TIMEOUT", { limit });
        refuse(socket, error, exchange, req);
      });
      const plan = this.#plan(question);
      const context = new ApacheContext(params.get("REQUEST_METHOD") ?? "", question.headers, {
        directives: plan.directives,
        interpreter: this.#options.interpreter,
      });
      req = new ApacheRequest(context, exchange);
      if (await this.#options.engine.decide(req, plan.directives)) {
        requireNoBody(params);
        exchange.end(this.#goOn(req, plan), "latin1");
      }
    } catch (error) {
      refuse(socket, error, exchange, req);
    }
  }

  #plan({ headers, decision, isSubRequest }: Question): Plan {
    const { fields, directives: lines } = headers;
    const bytesOf = (name: "uri" | "requestLine"): Buffer =>
      Buffer.from(fields[fieldIndex[name]] ?? "", "base64");
    const subject: Subject = {
      path: bytesOf("uri"),
      requestLine: bytesOf("requestLine"),
      remoteAddress: fields[fieldIndex.remoteAddress] ?? "",
      remotePort: fields[fieldIndex.remotePort] ?? "",
    };
    const before = this.#decisions.read(decision, subject);
    const isContinued = before?.path.equals(subject.path) ?? false;
    const judged = isContinued ? (before?.judged ?? []) : [];
    const left = lines.filter((line) => asked.test(line) && !judged.includes(digest(line)));
    const depth = (before?.depth ?? 0) + 1;
    // Whatever led here again, another answer of the same kind would lead here forever.
    if (left.length === 0 || depth > maxDepth) {
      throw new ModTsError("MODTS_DECISION_LOOP", { path: decodeBytes(subject.path), depth });
    }
    const carried = isContinued ? (before?.fields ?? new Map<string, string>()) : new Map();
    const directives = this.#directives.get(selectLines(lines, left));
    return { lines, directives, subject, depth, judged, carried, before, isSubRequest };
  }

  /** The answer after which Apache itself continues. */
  #goOn(req: ApacheRequest, plan: Plan): string {
    const { lines, subject, depth, judged, carried, before, isSubRequest } = plan;
    // Apache would ask the guard about the redirect, without the decision about the page.
    if (isSubRequest && lines.includes("guarded")) throw new ModTsError("MODTS_SUBREQUEST_GUARDED");
    const translation = translationOf(req);
    // The sections of another address have handlers of their own, which are asked next.
    const phases = translation ? /^trans / : asked;
    const now = lines.filter((line) => phases.test(line)).map(digest);
    const fields = new Map([...carried, ...changesOf(req, acceptedOf(lines))]);
    if (isSubRequest && fields.has("handler")) throw new ModTsError("MODTS_SUBREQUEST_HANDLER");
    const path = translation ? Buffer.from(translation.path) : subject.path;
    if (!translation) requireLocal(decodeBytes(path));
    const { args } = translation ?? req;
    const next = { depth, judged: [...new Set([...judged, ...now])], fields };
    const headers = unsent(endToEnd(req[internals].response.rawHeaders()), before?.fields);
    fields.set("sent", headers.digests);
    return formatCgiHead(200, [
      "Mod-Ts-Location",
      formatAddress(path, args),
      "Server",
      this.#decisions.write(next, { ...subject, path }),
      ...headers.raw.map((text) => Buffer.from(text).toString("latin1")),
    ]);
  }
}

/** What is asked, and what was decided before. */
interface Plan {
  readonly lines: readonly string[];
  readonly directives: Directives;
  readonly subject: Subject;
  readonly depth: number;
  /** Digests of lines judged for this path. */
  readonly judged: readonly string[];
  /** Fields of the decision that led to this path. */
  readonly carried: ReadonlyMap<string, string>;
  /** The last decision about this request, for whatever path. */
  readonly before: Decision | undefined;
  readonly isSubRequest: boolean;
}

/** Lines of `TsDecide`. */
const asked = /^(?:trans|init|headerparser|type|fixup) /;

/**
 * The lines that run here. Where the content is ours, the gateway runs all phases but the
 * translation; where the authorizer has been asked, it has run type and fixup.
 */
function selectLines(lines: readonly string[], left: readonly string[]): string[] {
  const isContentOurs = lines.some((line) => line.startsWith("handler "));
  const isGuarded = lines.includes("guarded");
  const isTranslated = !left.some((line) => line.startsWith("trans "));
  return lines.filter((line) => {
    if (/^(?:option|debug) /.test(line)) return true;
    if (line.startsWith("trans ")) return !isTranslated;
    if (isContentOurs || !asked.test(line)) return false;
    return !isGuarded || !/^(?:type|fixup) /.test(line);
  });
}

/**
 * Headers that no answer about this request has sent: Apache adds up those of all answers, and a
 * handler runs for a directory and for its index file.
 */
function unsent(
  headers: readonly string[],
  fields: ReadonlyMap<string, string> | undefined,
): { raw: string[]; digests: string } {
  const sent = new Set(fields?.get("sent")?.split(","));
  const raw: string[] = [];
  for (const [name, value] of HeaderTable.fromRaw(headers)) {
    const key = digest(`${name}: ${value}`).slice(0, 16);
    if (!sent.has(key)) raw.push(name, value);
    sent.add(key);
  }
  return { raw, digests: [...sent].join(",") };
}

/** Names of fields that `TsAcceptEnv` and `TsAcceptHeader` name. */
function acceptedOf(lines: readonly string[]): ReadonlySet<string> {
  const names = lines.filter((line) => line.startsWith("accept "));
  return new Set(names.map((line) => line.slice("accept ".length).toLowerCase()));
}

/** Attack: a check in front that has read the body judged another request than the one that follows. */
function requireNoBody(params: Params): void {
  const bytes = Number(params.get("CONTENT_LENGTH"));
  if (bytes > 0) throw new ModTsError("MODTS_BODY_LOST", { bytes });
}

/** Responds with the status of the error. The reason is only logged; the peer does not learn it. */
function refuse(
  socket: Socket,
  error: unknown,
  exchange: ScgiExchange,
  req?: ApacheRequest | undefined,
): void {
  if (exchange.ended) return;
  logFailure(error, req);
  if (exchange.begun) return void socket.destroy();
  const status = isModTsError(error) && error.status >= 400 ? error.status : 500;
  const head = formatCgiHead(status, ["Content-Type", "text/html; charset=utf-8"]);
  exchange.end(head + errorPage(status, req?.uniqueId ?? ""));
}

function refuseProtocol(socket: Socket, reason: string): void {
  report(new ModTsError("MODTS_SCGI_PROTOCOL", { reason }));
  socket.destroy();
}
