/**
 * The engine: takes a request through its phases.
 *
 * ```
 *  trans ─ init ─ headerparser ─ access ─ authen ─ authz ─ type ─ fixup ─ handler ──> response ──> log ─ cleanup
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
 * A list of handlers continues after `OK` and `DECLINED` (`init headerparser access fixup handler
 * log`), or stops at the first `OK` (`authen authz type`). Where mod_python's manual and code differ
 * (`handler`: the code stops at DECLINED), the manual applies. `access`, `authen` and `authz` fail
 * closed: at least one handler must return `OK`, even if the only lists are for other extensions
 * (mod_python lets such a file pass; `a.b.html` has the extension `.b.html`).
 */
import type { Directives } from "./directives.ts";
import { ModTsError } from "../base/errors.ts";
import type { HandlerModule, PhaseName } from "./handler.ts";
import { DECLINED, DONE, OK, type Outcome } from "../base/outcome.ts";
import { openFilters, settleFilters } from "./filters.ts";
import { addServerTiming, logAccess } from "./observe.ts";
import { addChallenge, expandModules } from "./site-modules.ts";
import { openTelemetry, type Tracing } from "./tracing.ts";
import { counter, type RefusalReason } from "../base/counts.ts";
import { PhaseRunner, type PhaseRunnerOptions, wrapHandlerError } from "./phase-runner.ts";
import { findSocketHandler, serveSocket, type ServeSocket, type SocketHandler } from "./upgrade.ts";
import { internals } from "../request/internals.ts";
import type { ApacheRequest } from "../request/request.ts";
import { followTranslation, translationOf } from "./translation.ts";
import { sendWebResponse } from "../request/web-standard.ts";
import {
  cutOff,
  type Ending,
  endingOf,
  logFailure,
  respondToBadResponse,
  respondToFailure,
  respondWithStatus,
  settled,
  statusOf,
} from "./respond.ts";

export interface EngineOptions extends PhaseRunnerOptions {
  /** Spans of requests. @default none */
  tracing?: Tracing;
  /** Whether each request is a line of the log. @default false */
  logsAccess?: boolean;
  /** Serves content if every handler declined; `OK` if it has written the response. */
  fallback: (req: ApacheRequest) => Promise<Outcome>;
  /** Appended to HTML pages in development; a module is undefined if it failed to load. */
  pageTail?: (
    req: ApacheRequest,
    modules: ReadonlyMap<string, HandlerModule | undefined>,
  ) => Promise<string>;
}

export interface Engine {
  /**
   * Runs all phases and sends the response; at once where no handler waits. Never throws or
   * rejects.
   */
  run(req: ApacheRequest, directives: Directives): Promise<void> | void;
  /**
   * Runs the phases before content for a WebSocket handshake. Returns what serves the open socket,
   * or undefined if the response was sent: a phase ended the request, or there is no
   * `webSocketHandler`. Never rejects.
   */
  upgrade(req: ApacheRequest, directives: Directives): Promise<ServeSocket | undefined>;
  /** Runs the phases before content. False: access was denied, the response sent. Never rejects. */
  authorize(req: ApacheRequest, directives: Directives): Promise<boolean>;
  /**
   * Runs the phases before content for a resource that Apache serves; after a translation, no
   * further one. False if the response was sent. Never rejects.
   */
  decide(req: ApacheRequest, directives: Directives): Promise<boolean>;
  /** Runs the log phase of a request that Apache itself has served. Never rejects. */
  log(req: ApacheRequest, directives: Directives): Promise<void>;
}

const deciding = ["access", "authen", "authz"] as const satisfies readonly PhaseName[];

/** Mostly there is no SDK: then a request costs one look at a global. */
const isTraced = (): boolean => Reflect.get(globalThis, openTelemetry)?.trace !== undefined;

export function createEngine(options: EngineOptions): Engine {
  const { tracing } = options;
  const start = <T>(
    req: ApacheRequest,
    directives: Directives,
    work: (run: Run) => Promise<T>,
  ): Promise<T> => {
    const run = new Run(options, req, directives);
    return tracing && isTraced() ? tracing.span(req, directives, () => work(run)) : work(run);
  };
  return {
    run: (req, directives) =>
      tracing && isTraced()
        ? start(req, directives, async (run) => run.complete())
        : new Run(options, req, directives).complete(),
    upgrade: (req, directives) => start(req, directives, (run) => run.upgrade()),
    authorize: (req, directives) => start(req, directives, (run) => run.authorize()),
    decide: (req, directives) => start(req, directives, (run) => run.decide()),
    log: (req, directives) => new Run(options, req, directives).conclude(),
  };
}

function contentEnding(outcome: Outcome | Response): Ending {
  return typeof outcome === "number" ? { outcome } : { outcome: OK, response: outcome };
}

class Run {
  readonly #options: EngineOptions;
  readonly #req: ApacheRequest;
  #directives: Directives;
  readonly #phases: PhaseRunner;
  #isUpgrade = false;

  constructor(options: EngineOptions, req: ApacheRequest, directives: Directives) {
    this.#options = options;
    this.#req = req;
    this.#directives = directives;
    this.#phases = new PhaseRunner(options, req, directives);
    if (options.pageTail) this.#phases.follow();
  }

  complete(): Promise<void> | void {
    const began = this.#begin();
    const ending = this.#ending(
      () => this.#content(),
      async () => ({ outcome: await followTranslation(this.#req) }),
    );
    if (ending instanceof Promise) return ending.then((known) => this.#answer(known, began));
    return this.#answer(ending, began);
  }

  #answer(ending: Ending, began: number): Promise<void> | void {
    if (this.#directives.modules.length > 0 && statusOf(ending) === 401) addChallenge(this.#req);
    if (this.#phases.timings) addServerTiming(this.#req, this.#phases.timings);
    const answered = this.#respond(ending);
    const { isFiltered } = this.#req[internals].exchange;
    if (answered || isFiltered || this.#isBusyAfterwards()) return this.#finish(answered, began);
    this.#phases.release();
    this.#count(began);
  }

  async #finish(answered: Promise<void> | void, began: number): Promise<void> {
    if (answered) await answered;
    if (this.#req[internals].exchange.isFiltered) await this.#settle();
    await this.conclude();
    this.#count(began);
  }

  #count(began: number): void {
    (counter.responses[Math.floor(this.#req.status / 100)] as number)++;
    this.#end(began);
  }

  /** The time, which only the access log needs. */
  #begin(): number {
    counter.active += 1;
    counter.served += 1;
    return this.#options.logsAccess ? performance.now() : 0;
  }

  #end(began: number): void {
    counter.active -= 1;
    if (this.#options.logsAccess) logAccess(this.#req, this.#directives, began);
  }

  /** An open socket is an active request until it closes. */
  async upgrade(): Promise<ServeSocket | undefined> {
    this.#isUpgrade = true;
    const began = this.#begin();
    // Attack: behind another path, the phases after the translation would be left out.
    const moved = async (): Promise<Ending> => {
      const handler = this.#req[internals].handlerEntry?.handler ?? "trans";
      const reason = "has set another path, where no WebSocket can follow";
      throw new ModTsError("MODTS_NO_WEBSOCKET", { handler, reason });
    };
    const conclude = async (hundreds: number): Promise<void> => {
      await this.conclude();
      this.#end(began);
      (counter.responses[hundreds] as number)++;
    };
    let found: SocketHandler | undefined;
    const ending = await this.#ending(async () => {
      const answer = await findSocketHandler(this.#phases, this.#req, this.#directives);
      if ("refusal" in answer) return contentEnding(answer.refusal);
      const { response } = this.#req[internals];
      // A handler that wrote its own response and returned OK is done.
      if (response.begun) return { outcome: OK };
      response.discard();
      found = answer;
      return { outcome: OK };
    }, moved);
    // 101, Switching Protocols.
    if (found && !("error" in ending)) return serveSocket(found, this.#req, () => conclude(1));
    await this.#respond(ending);
    await conclude(Math.floor(this.#req.status / 100));
    return undefined;
  }

  async authorize(): Promise<boolean> {
    const began = this.#begin();
    let passed = false;
    const decided = async (): Promise<Ending> => {
      // Type and fixup handlers grant no access: without a deciding handler there was no OK.
      if (!this.#decides) throw new ModTsError("MODTS_NOTHING_DECIDES");
      passed = true;
      return { outcome: OK };
    };
    const ending = await this.#ending(decided, async () => ({ outcome: 403 }));
    if ("error" in ending) passed = false;
    if (!passed) await this.#respond(ending);
    await this.conclude();
    counter.addEvent(passed ? "access_granted" : "access_denied");
    if (!passed) counter.addEvent(`refused_${this.#reason(ending)}`);
    this.#end(began);
    return passed;
  }

  get #decides(): boolean {
    return deciding.some((phase) => this.#directives.handlers.has(phase));
  }

  #reason(ending: Ending): RefusalReason {
    if ("error" in ending || ending.outcome >= 500) return "failure";
    const phase = this.#req[internals].handlerEntry?.phase;
    return deciding.find((name) => name === phase) ?? "other";
  }

  async decide(): Promise<boolean> {
    const began = this.#begin();
    let passed = false;
    const pass = async (): Promise<Ending> => {
      passed = true;
      return { outcome: OK };
    };
    const ending = await this.#ending(pass, pass);
    if ("error" in ending) passed = false;
    if (!passed) await this.#respond(ending);
    await this.conclude();
    this.#end(began);
    return passed;
  }

  /**
   * The phases before content, then `content`, or `moved` after a translation; errors become an
   * ending here.
   */
  #ending(
    content: () => Ending | Promise<Ending>,
    moved: () => Promise<Ending>,
  ): Ending | Promise<Ending> {
    try {
      const ending = this.#hasPhasesBefore ? this.#afterPhases(content, moved) : content();
      if (!(ending instanceof Promise)) return this.#settled(ending);
      return ending.catch(endingOf).then((known) => this.#settled(known));
    } catch (error) {
      return this.#settled(endingOf(error));
    }
  }

  get #hasPhasesBefore(): boolean {
    return this.#directives.modules.length > 0 || this.#phases.beforeContent.length > 0;
  }

  async #afterPhases(
    content: () => Ending | Promise<Ending>,
    moved: () => Promise<Ending>,
  ): Promise<Ending> {
    if (this.#directives.modules.length > 0) await this.#expand();
    for (let index = 0; ; index++) {
      const phase = this.#phases.beforeContent[index];
      if (phase === undefined) return content();
      const outcome = await this.#phases.run(phase);
      if (phase === "trans" && translationOf(this.#req)) return moved();
      if (outcome !== OK && outcome !== DECLINED) return { outcome: outcome as Outcome };
    }
  }

  #settled(ending: Ending): Ending | Promise<Ending> {
    const { finalizer } = this.#req[internals];
    return finalizer ? settled(finalizer, ending) : ending;
  }

  async #expand(): Promise<void> {
    const kind = this.#isUpgrade ? "upgrade" : "request";
    this.#directives = await expandModules(this.#directives, this.#phases, kind);
    this.#phases.use(this.#directives);
  }

  /** Waits for the filters; their error replaces the response if none was sent. */
  async #settle(): Promise<void> {
    const failure = await settleFilters(this.#req);
    if (failure) await this.#send(endingOf(failure.error));
  }

  #content(): Ending | Promise<Ending> {
    const { filters, modules } = this.#directives;
    // Otherwise the authorizer has decided, and says so itself. Shared caches avoid `Authorization`.
    const decides = modules.length > 0 && this.#decides;
    if (decides && !this.#req.headersIn.has("Authorization")) {
      this.#req[internals].response.isPrivate = true;
    }
    const opened = filters && openFilters(this.#req, filters, this.#phases);
    const outcome = opened
      ? opened.then(() => this.#phases.run("handler"))
      : this.#phases.run("handler");
    const goOn = (known: Outcome | Response): Ending | Promise<Ending> =>
      known === DECLINED ? this.#fallBack() : contentEnding(known);
    return outcome instanceof Promise ? outcome.then(goOn) : goOn(outcome);
  }

  async #fallBack(): Promise<Ending> {
    // Output of a handler that declined would precede the file.
    const { response, finalizer } = this.#req[internals];
    response.discard();
    // Before the file: a slow client would lock the session for all its other requests.
    await finalizer?.settle(true);
    return { outcome: await this.#options.fallback(this.#req) };
  }

  #respond(ending: Ending): Promise<void> | void {
    const { pageTail } = this.#options;
    const { asked } = this.#phases;
    if (!pageTail || !asked) return this.#send(ending);
    return pageTail(this.#req, asked).then((tail) => {
      this.#req[internals].response.tail = tail;
      return this.#send(ending);
    });
  }

  /** Never rejects: a response that fails midway is cut off, so that it does not look complete. */
  #send(ending: Ending): Promise<void> | void {
    const req = this.#req;
    const { response } = req[internals];
    const { held } = this.#phases;
    try {
      if ("error" in ending) return respondToFailure(req, ending.error, held);
      if (ending.response) {
        const sending = sendWebResponse(response, ending.response);
        return sending?.catch((error: unknown) => respondToBadResponse(req, error, held));
      }
      if (ending.outcome !== OK && ending.outcome !== DONE) return respondWithStatus(req, ending);
      if (ending.thrown?.body !== undefined) req.write(ending.thrown.body);
      return response.finish();
    } catch (error) {
      return ending.response ? respondToBadResponse(req, error, held) : cutOff(req, error);
    }
  }

  /** What follows the response. */
  async conclude(): Promise<void> {
    await this.#afterwards("log");
    await this.#cleanUp();
    this.#phases.release();
  }

  #isBusyAfterwards(): boolean {
    const hasCleanups = this.#req[internals].cleanups.length > 0;
    return hasCleanups || this.#phases.has("log") || this.#phases.has("cleanup");
  }

  /** Phases after the response: failures are only logged. */
  async #afterwards(phase: "log" | "cleanup"): Promise<void> {
    if (!this.#phases.has(phase)) return;
    try {
      await this.#phases.run(phase);
    } catch (error) {
      logFailure(error, this.#req);
    }
  }

  /** Registered cleanups, last first, then cleanup handlers, then what those registered. */
  async #cleanUp(): Promise<void> {
    await this.#runRegistered();
    await this.#afterwards("cleanup");
    await this.#runRegistered();
  }

  async #runRegistered(): Promise<void> {
    for (;;) {
      const cleanup = this.#req[internals].cleanups.pop();
      if (!cleanup) break;
      try {
        await cleanup();
      } catch (error) {
        logFailure(wrapHandlerError(error, "cleanup", "registered cleanup"), this.#req);
      }
    }
  }
}
