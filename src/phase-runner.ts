/**
 * The handlers of one phase: which of them run, what they are called with, what their answers amount to.
 * @module
 */
import { fetchHandler } from "./adapters/fetch-application.ts";
import {
  type CallLabel,
  findHandler,
  isApplication,
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
import type {
  Handler,
  HandlerModule,
  PhaseName,
  Resolve,
  UpgradeHandler,
  WebSocketHandler,
} from "./handler.ts";
import { type HttpError, isHttpError } from "./http-error.ts";
import { DECLINED, OK, type Outcome } from "./outcome.ts";
import { isPromiseLike } from "./promise-like.ts";
import type { ModuleSource } from "./request/internals.ts";
import { type ApacheRequest, internals } from "./request/request.ts";
import type { Toolkit } from "./request/toolkit.ts";
import { isResponse } from "./request/web-response.ts";

export interface PhaseRunnerOptions {
  /** Finds handler modules. */
  resolve: Resolve;
  /** Milliseconds until a handler must have begun its response; then the client gets 504. */
  handlerTimeout: number;
  /** What the process lends to its requests. */
  toolkit?: Toolkit;
}

/** What serves an upgraded connection. */
export type SocketHandler =
  | { readonly webSocket: WebSocketHandler }
  | { readonly tunnel: UpgradeHandler };

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

/** Runs the phases of one request; owns the module versions that it began with. */
export class PhaseRunner implements ModuleSource {
  /** Versions that the request holds, to be released when it is over. */
  readonly held: HandlerModule[] = [];
  /** Modules asked for, found or not, by their names in the configuration; kept when somebody sets it. */
  asked: Map<string, HandlerModule | undefined> | undefined;
  readonly #options: PhaseRunnerOptions;
  readonly #req: ApacheRequest;
  readonly #directives: Directives;

  constructor(options: PhaseRunnerOptions, req: ApacheRequest, directives: Directives) {
    this.#options = options;
    this.#req = req;
    this.#directives = directives;
    const state = req[internals];
    state.modules = this;
    state.toolkit = options.toolkit;
  }

  /** Whether a phase has handlers, configured or added. */
  has(phase: PhaseName): boolean {
    return this.#directives.handlers.has(phase) || this.#req[internals].added.has(phase);
  }

  /** Runs the handlers of a phase. Rejects with what they throw, but for thrown outcomes that let the list go on. */
  async run(phase: PhaseName): Promise<Outcome | Response> {
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
        const outcome = isPromiseLike(called) ? await called : called;
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
      const given = isPromiseLike(found)
        ? found.then((call) => this.#wait(call(this.#req), label))
        : this.#wait(found(this.#req), label);
      if (!isPromiseLike(given)) return this.#judge(given, label);
      return given.then(
        (value) => this.#judge(value, label),
        (error: unknown) => this.#judgeThrown(error, label),
      );
    } catch (error) {
      return this.#judgeThrown(error, label);
    }
  }

  #wait(given: ReturnType<Handler>, label: CallLabel): ReturnType<Handler> {
    return isPromiseLike(given) ? withinLimit(given, this.#req, label) : given;
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

  load(file: string, exportName: string): HandlerModule | Promise<HandlerModule> {
    this.asked?.set(file, undefined);
    const found = this.#options.resolve(file, exportName);
    return isPromiseLike(found)
      ? found.then((module) => this.#hold(file, module))
      : this.#hold(file, found);
  }

  #hold(name: string, module: HandlerModule): HandlerModule {
    this.held.push(module);
    this.asked?.set(name, module);
    // Who debugs wants to see why the save does not run, not the version before it.
    if (module.failure && this.#req[internals].debug) throw module.failure;
    return module;
  }

  #find(reference: HandlerReference, lookup: Lookup): Handler | Promise<Handler> {
    const found = this.load(reference.module, lookup.asked);
    if (!isPromiseLike(found)) return this.#pick(found, lookup);
    return found.then((module) => this.#pick(module, lookup));
  }

  #pick(module: HandlerModule, lookup: Lookup): Handler {
    return isApplication(module, lookup)
      ? fetchHandler(module)
      : findHandler(module, lookup, this.#req);
  }

  /**
   * What serves an upgraded connection: that of the first content handler in the list which has something to. Gives the answer in its
   * place of one that stands before it.
   */
  async findSocketHandler(): Promise<SocketHandler | { readonly refusal: Outcome | Response }> {
    const references = selectHandlers(this.#directives.handlers.get("handler"), this.#req);
    const state = this.#req[internals];
    state.phase = "handler";
    const at = await this.#indexOfSocketHandler(references);
    const reference = references[at];
    if (!reference) throw new ModTsError("MODTS_NO_HANDLER");
    // Attack: a client asks for an upgrade to get past the handlers that stand guard before the one that serves it.
    for (const before of references.slice(0, at)) {
      const outcome = await this.#call(before, "handler");
      if (outcome !== OK && outcome !== DECLINED) return { refusal: outcome };
    }
    state.handlerEntry = { handler: reference.text, phase: "handler" };
    const { exports } = await this.load(reference.module, socketExport);
    const tunnel = tunnelOf(reference, exports);
    if (tunnel) return { tunnel };
    const lookup = { names: [socketExport], method: socketExport, asked: socketExport };
    const found = await this.#find(reference, lookup);
    return { webSocket: found as unknown as WebSocketHandler };
  }

  /** Where none has something to serve it with, the last one, which the error is to name. */
  async #indexOfSocketHandler(references: readonly HandlerReference[]): Promise<number> {
    for (const [index, reference] of references.entries()) {
      this.#req[internals].handlerEntry = { handler: reference.text, phase: "handler" };
      const { exports } = await this.load(reference.module, socketExport);
      if (Object.hasOwn(exports, socketExport) || tunnelOf(reference, exports)) return index;
    }
    return references.length - 1;
  }

  /** The request is over: lets go of the module versions and of what handlers left open. */
  release(): void {
    const state = this.#req[internals];
    state.isOver = true;
    state.settling?.close();
    for (const module of this.held) module.release();
  }
}

const socketExport = "webSocketHandler";

/** What a handler of ours joins a connection with as it is. */
function tunnelOf(
  { module }: HandlerReference,
  { upgradeHandler }: HandlerModule["exports"],
): UpgradeHandler | undefined {
  return module.startsWith("mod_ts/") ? (upgradeHandler as UpgradeHandler | undefined) : undefined;
}

/** Without a user, later phases and the access log would take the request for an anonymous one that may pass. */
function requireUser(req: ApacheRequest, handler: string): void {
  if (!req.user) throw new ModTsError("MODTS_NO_USER", { handler });
}

function refuseUnknownUser(): never {
  throw new ModTsError("MODTS_AUTHEN_DECLINED");
}

/** Gives a stranger's error the name of the phase and handler it came from; ours say it already. */
export function nameCulprit(error: unknown, phase: PhaseName, handler: string): unknown {
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
