/**
 * The engine: takes a request through its phases.
 *
 * ```
 *   init ─ headerparser ─ access ─ authen ─ authz ─ type ─ fixup ─ handler ──> response ──> log ─ cleanup
 *     │          │           │        │        │      │       │        │           ▲
 *     │          │           │        │        │      │       │        ├ OK, DONE ─┤  what was written
 *     │          │           │        │        │      │       │        ├ Response ─┤  a web-standard answer
 *     │          │           │        │        │      │       │        ├ DECLINED ─┤  the plain file, or 404
 *     └──────────┴───────────┴────────┴────────┴──────┴───────┴────────┴ status ───┤  error page, or redirect
 *                           any phase: DONE ends with what was written ────────────┤
 *                           any phase: throw HttpError is an outcome; ─────────────┤
 *                                      any other throw is a 500 and a log line ────┘
 * ```
 *
 * A list of handlers goes on after `OK` and `DECLINED` (`init headerparser access fixup handler log`), or stops at the
 * first `OK` (`authen authz type`). Where mod_python's manual and its code part (`handler`: the code stops at DECLINED),
 * the manual holds. `access`, `authen` and `authz` fail closed: at least one handler must say `OK`, also where the
 * only lists there are hold for other extensions (mod_python lets such a file pass; `a.b.html` has the extension `.b.html`).
 * @module
 */
import type { WebSocket } from "ws";
import {
  type CallLabel,
  findHandler,
  type Lookup,
  lookupOf,
  toOutcome,
  withinLimit,
} from "./call-handler.ts";
import {
  type Directives,
  type HandlerReference,
  parseReference,
  selectHandlers,
} from "./directives.ts";
import { ModTsError } from "./errors.ts";
import type { Handler, HandlerModule, PhaseName, Resolve, WebSocketHandler } from "./handler.ts";
import { type HttpError, isHttpError } from "./http-error.ts";
import { DECLINED, OK, type Outcome } from "./outcome.ts";
import { type ApacheRequest, internals } from "./request/request.ts";
import { type Ending, logFailure, respond } from "./respond.ts";

export interface EngineOptions {
  /** Finds handler modules. */
  resolve: Resolve;
  /** Answers when every content handler declined: gives an outcome, `OK` when it has written the response. */
  fallback: (req: ApacheRequest) => Promise<Outcome>;
  /** Milliseconds until a handler must have begun its response; then the client gets 504. */
  handlerTimeout: number;
  /** In development: what is added to the end of an HTML page that came from these modules; undefined: one that failed to load. */
  pageTail?: (
    req: ApacheRequest,
    modules: ReadonlyMap<string, HandlerModule | undefined>,
  ) => Promise<string>;
}

export interface Engine {
  /** Takes a request through all phases and answers it. Never rejects. */
  run(req: ApacheRequest, directives: Directives): Promise<void>;
  /**
   * Takes a WebSocket handshake through the phases before content. Gives what serves the socket once it is open, or
   * undefined when a phase or a missing `webSocketHandler` ended the request, which is answered then. Never rejects.
   */
  upgrade(req: ApacheRequest, directives: Directives): Promise<ServeSocket | undefined>;
  /**
   * Takes a request for a resource that Apache itself serves through the phases before content. True when it may pass;
   * else it is answered. Never rejects.
   */
  authorize(req: ApacheRequest, directives: Directives): Promise<boolean>;
}

/**
 * Serves an open WebSocket until it closes; log and cleanup phases run after that. To be called in any case: without a
 * socket when the client has gone meanwhile. Never rejects.
 */
export type ServeSocket = (socket: WebSocket | undefined) => Promise<void>;

/** How the handlers of a phase share the word. */
interface Rule {
  /** Stops at the first OK instead of running all. */
  readonly firstOk: boolean;
  /** What it means when every handler declined; undefined: nothing. */
  readonly allDeclined?: () => Outcome;
}

const runAll: Rule = { firstOk: false };
const rules: Readonly<Record<PhaseName, Rule>> = {
  init: runAll,
  headerparser: runAll,
  access: { firstOk: false, allDeclined: () => 403 },
  authen: { firstOk: true, allDeclined: refuseUnknownUser },
  authz: { firstOk: true, allDeclined: () => 403 },
  type: { firstOk: true },
  fixup: runAll,
  handler: runAll,
  log: runAll,
  cleanup: runAll,
};

const beforeContent = [
  "init",
  "headerparser",
  "access",
  "authen",
  "authz",
  "type",
  "fixup",
] as const satisfies readonly PhaseName[];

/** Phases that let a request pass, or do not. */
const deciding = ["access", "authen", "authz"] as const satisfies readonly PhaseName[];

/** Creates the engine; one serves all requests of a worker. */
export function createEngine(options: EngineOptions): Engine {
  return {
    run: (req, directives) => new Run(options, req, directives).complete(),
    upgrade: (req, directives) => new Run(options, req, directives).upgrade(),
    authorize: (req, directives) => new Run(options, req, directives).authorize(),
  };
}

/** One request on its way; owns the module versions that it began with. */
class Run {
  readonly #options: EngineOptions;
  readonly #req: ApacheRequest;
  readonly #directives: Directives;
  readonly #held: HandlerModule[] = [];
  /** Modules asked for, found or not, by their names in the configuration. */
  readonly #asked = new Map<string, HandlerModule | undefined>();

  constructor(options: EngineOptions, req: ApacheRequest, directives: Directives) {
    this.#options = options;
    this.#req = req;
    this.#directives = directives;
  }

  async complete(): Promise<void> {
    const ending = await this.#ending(() => this.#content());
    const answered = this.#respond(ending);
    if (answered) await answered;
    if (this.#isBusyAfterwards()) await this.#conclude();
    else this.#release();
  }

  async upgrade(): Promise<ServeSocket | undefined> {
    let serve: WebSocketHandler | undefined;
    const ending = await this.#ending(async () => {
      serve = await this.#findSocketHandler();
      return { outcome: OK };
    });
    if (serve) {
      return async (socket) => {
        if (socket) await this.#serveSocket(socket, serve as WebSocketHandler);
        await this.#conclude();
      };
    }
    await this.#respond(ending);
    await this.#conclude();
    return undefined;
  }

  async authorize(): Promise<boolean> {
    let passed = false;
    const ending = await this.#ending(async () => {
      // Nobody named a handler that decides, so nobody said OK: type and fixup handlers give no permission.
      if (!deciding.some((phase) => this.#directives.handlers.has(phase))) {
        throw new ModTsError("MODTS_NO_HANDLER");
      }
      passed = true;
      return { outcome: OK };
    });
    if (!passed) await this.#respond(ending);
    await this.#conclude();
    return passed;
  }

  /** The phases before content, then `content`; whatever is thrown becomes an ending here. */
  async #ending(content: () => Promise<Ending>): Promise<Ending> {
    try {
      for (const phase of beforeContent) {
        if (!this.#hasHandlers(phase)) continue;
        const outcome = await this.#runPhase(phase);
        if (outcome !== OK && outcome !== DECLINED) return { outcome: outcome as Outcome };
      }
      return await content();
    } catch (error) {
      return isHttpError(error)
        ? { outcome: error.outcome, thrown: error }
        : { outcome: 500, error };
    }
  }

  async #content(): Promise<Ending> {
    const outcome = await this.#runPhase("handler");
    if (typeof outcome !== "number") return { outcome: OK, response: outcome };
    if (outcome !== DECLINED) return { outcome };
    // What a handler wrote before it found that the request is not its own would stand in front of the file.
    this.#req[internals].response.discard();
    return { outcome: await this.#options.fallback(this.#req) };
  }

  #respond(ending: Ending): Promise<void> | void {
    const { pageTail } = this.#options;
    if (!pageTail) return respond(this.#req, ending, this.#held);
    return pageTail(this.#req, this.#asked).then((tail) => {
      this.#req[internals].response.tail = tail;
      return respond(this.#req, ending, this.#held);
    });
  }

  async #conclude(): Promise<void> {
    await this.#afterwards("log");
    await this.#cleanUp();
    this.#release();
  }

  #isBusyAfterwards(): boolean {
    const hasCleanups = this.#req[internals].cleanups.length > 0;
    return hasCleanups || this.#hasHandlers("log") || this.#hasHandlers("cleanup");
  }

  #release(): void {
    for (const module of this.#held) module.release();
  }

  async #findSocketHandler(): Promise<WebSocketHandler> {
    const list = this.#directives.handlers.get("handler");
    const [reference] = selectHandlers(list, this.#req);
    if (!reference) throw new ModTsError("MODTS_NO_HANDLER");
    this.#req[internals].phase = "handler";
    this.#req[internals].handlerEntry = { handler: reference.text, phase: "handler" };
    const lookup = { names: ["webSocketHandler"], method: "webSocketHandler" };
    return (await this.#find(reference, lookup)) as unknown as WebSocketHandler;
  }

  async #serveSocket(socket: WebSocket, serve: WebSocketHandler): Promise<void> {
    try {
      await serve(socket, this.#req);
    } catch (error) {
      logFailure(nameCulprit(error, "handler", "webSocketHandler"), this.#req);
      // RFC 6455, section 7.4.1: 1011, the server met an unexpected condition.
      socket.close(1011);
    }
    if (socket.readyState !== socket.CLOSED) {
      await new Promise((resolve) => socket.once("close", resolve));
    }
  }

  #hasHandlers(phase: PhaseName): boolean {
    return this.#directives.handlers.has(phase) || this.#req[internals].added.has(phase);
  }

  async #runPhase(phase: PhaseName): Promise<Outcome | Response> {
    const { firstOk, allDeclined } = rules[phase];
    const state = this.#req[internals];
    const configured = selectHandlers(this.#directives.handlers.get(phase), this.#req);
    let result: Outcome = DECLINED;
    state.phase = phase;
    try {
      // A handler may add another one to the running phase: the length is read anew each time.
      for (let index = 0; ; index++) {
        const entry = configured[index] ?? state.added.get(phase)?.[index - configured.length];
        if (entry === undefined) break;
        const called = this.#call(typeof entry === "string" ? parseReference(entry) : entry, phase);
        const outcome = isPromise(called) ? await called : called;
        if (typeof outcome !== "number") return outcome;
        if (outcome === OK) result = OK;
        else if (outcome !== DECLINED) return outcome;
        if (firstOk && outcome === OK) break;
      }
      return result === DECLINED && allDeclined ? allDeclined() : result;
    } finally {
      state.phase = null;
    }
  }

  /** Most handlers answer at once, and their modules are there: then nothing here waits for a turn of the event loop. */
  #call(
    entry: HandlerReference | Handler,
    phase: PhaseName,
  ): Outcome | Response | Promise<Outcome | Response> {
    const handler = typeof entry === "function" ? entry.name || "anonymous" : entry.text;
    const label: CallLabel = { phase, handler, limit: this.#options.handlerTimeout };
    this.#req[internals].handlerEntry = label;
    try {
      const found = typeof entry === "function" ? entry : this.#find(entry, lookupOf(entry, phase));
      const given = isPromise(found)
        ? found.then((call) => this.#wait(call(this.#req), label))
        : this.#wait(found(this.#req), label);
      if (!isPromise(given)) return this.#judge(given, label);
      return given.then(
        (value) => this.#judge(value, label),
        (error: unknown) => this.#judgeThrown(error, label),
      );
    } catch (error) {
      return this.#judgeThrown(error, label);
    }
  }

  #wait(given: ReturnType<Handler>, label: CallLabel): ReturnType<Handler> {
    return isPromise(given) ? withinLimit(given, this.#req, label) : given;
  }

  #judge(value: unknown, { phase, handler }: CallLabel): Outcome | Response {
    if (phase === "handler" && isResponse(value)) return value;
    const outcome = toOutcome(value, phase, handler);
    if (phase === "authen" && outcome === OK) requireUser(this.#req, handler);
    return outcome;
  }

  #judgeThrown(error: unknown, label: CallLabel): Outcome | Response {
    if (!isHttpError(error)) throw nameCulprit(error, label.phase, label.handler);
    adopt(this.#req, error);
    const outcome = this.#judge(error.outcome, label);
    if (outcome === OK && error.body !== undefined) this.#req.write(error.body);
    // An OK or DECLINED that is thrown goes on with the list, just as one that is returned.
    if (outcome === OK || outcome === DECLINED) return outcome;
    throw error;
  }

  #find(reference: HandlerReference, lookup: Lookup): Handler | Promise<Handler> {
    if (this.#options.pageTail) this.#asked.set(reference.module, undefined);
    const found = this.#options.resolve(reference.module, lookup.names[0] as string);
    if (!isPromise(found)) return this.#take(found, reference, lookup);
    return found.then((module) => this.#take(module, reference, lookup));
  }

  #take(module: HandlerModule, reference: HandlerReference, lookup: Lookup): Handler {
    this.#held.push(module);
    if (this.#options.pageTail) this.#asked.set(reference.module, module);
    // Who debugs wants to see why the save does not run, not the version before it.
    if (module.failure && this.#req[internals].debug) throw module.failure;
    return findHandler(module, lookup, this.#req);
  }

  /** Phases after the response: their failures can change nothing any more, so they are logged. */
  async #afterwards(phase: "log" | "cleanup"): Promise<void> {
    if (!this.#hasHandlers(phase)) return;
    await this.#runPhase(phase).catch((error: unknown) => logFailure(error, this.#req));
  }

  /** Registered cleanups, last one first, then the cleanup handlers of the configuration. */
  async #cleanUp(): Promise<void> {
    for (;;) {
      const cleanup = this.#req[internals].cleanups.pop();
      if (!cleanup) break;
      try {
        await cleanup();
      } catch (error) {
        logFailure(nameCulprit(error, "cleanup", "registered cleanup"), this.#req);
      }
    }
    await this.#afterwards("cleanup");
  }
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as { then?: unknown } | undefined)?.then === "function";
}

/** By its tag too: a `Response` of another realm or of a polyfill does the same job. */
function isResponse(value: unknown): value is Response {
  return value instanceof Response || Object.prototype.toString.call(value) === "[object Response]";
}

/** Without a user, later phases and the access log would take the request for an anonymous one that may pass. */
function requireUser(req: ApacheRequest, handler: string): void {
  if (!req.user) throw new ModTsError("MODTS_NO_USER", { handler });
}

function refuseUnknownUser(): never {
  throw new ModTsError("MODTS_AUTHEN_DECLINED");
}

/** Gives a stranger's error the name of the phase and handler it came from; ours say it already. */
function nameCulprit(error: unknown, phase: PhaseName, handler: string): unknown {
  if (isHttpError(error) || error instanceof ModTsError) return error;
  return new ModTsError("MODTS_HANDLER_FAILED", { phase, handler }, { cause: error });
}

/** What travels with a thrown outcome: headers survive errors, the status decorates (SERVER_RETURN's second argument). */
function adopt(req: ApacheRequest, error: HttpError): void {
  for (const [name, value] of Object.entries(error.headers)) {
    req.errHeadersOut.delete(name);
    for (const one of [value].flat()) req.errHeadersOut.add(name, one);
  }
  if (error.status !== undefined) req.status = error.status;
}
