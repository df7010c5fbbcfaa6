/** The handlers of one phase: selection, calls, and combination of their results. */
import { type Directives, phasesBeforeContent, selectHandlers } from "./directives.ts";
import { type HandlerReference, parseReference } from "./handler-reference.ts";
import { describe, ModTsError } from "../base/errors.ts";
import {
  defaultNames,
  type Handler,
  type HandlerModule,
  type PhaseName,
  type Resolve,
} from "./handler.ts";
import { type HttpError, isHttpError } from "../base/http-error.ts";
import { isHttpStatus } from "../base/http-status.ts";
import { countsOf, endCall } from "../base/counts.ts";
import { type CallLabel, logSlowCall, type Timing } from "./observe.ts";
import { DECLINED, DONE, OK, type Outcome } from "../base/outcome.ts";
import { isPromiseLike } from "../base/attempt.ts";
import { adviseOnModules } from "../loader/explain.ts";
import { adviceOnContent, adviceOnExport, adviseOnCalls } from "./advice.ts";
import { openRequests } from "./strays.ts";
import { withinLimit } from "./time-limit.ts";
import { internals, type ModuleSource, type Toolkit } from "../request/internals.ts";
import type { ApacheRequest } from "../request/request.ts";
import { isResponse } from "../request/web-standard.ts";

export interface PhaseRunnerOptions {
  resolve: Resolve;
  /** Milliseconds until a handler must have begun its response; then 504. */
  handlerTimeout: number;
  /** Makes a content handler of a default export. Throws if it is not an application. */
  application: (module: HandlerModule) => Handler;
  toolkit?: Toolkit;
  /** Milliseconds after which a call is logged; 0: never. @default 0 */
  slowCall?: number;
}

/** How the results of several handlers in one phase are combined. */
interface Rule {
  /** Stops at the first OK instead of running all. */
  readonly firstOk: boolean;
  /** The outcome if every handler declined; undefined: none. */
  readonly allDeclined?: () => Outcome;
}

const runAll: Rule = { firstOk: false };
const rules: Readonly<Record<PhaseName, Rule>> = {
  trans: { firstOk: true },
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

/** Runs the phases of one request, and holds the module versions it uses. */
export class PhaseRunner implements ModuleSource {
  /** Released at the end of the request. */
  readonly held: HandlerModule[] = [];
  /** In development: modules requested, found or not, by their configured names. */
  asked: Map<string, HandlerModule | undefined> | undefined;
  /** Calls so far, for `Server-Timing`; recorded if the location wants it. */
  timings: Timing[] | undefined;
  readonly #options: PhaseRunnerOptions;
  readonly #req: ApacheRequest;
  #directives: Directives;

  constructor(options: PhaseRunnerOptions, req: ApacheRequest, directives: Directives) {
    this.#options = options;
    this.#req = req;
    this.#directives = directives;
    const state = req[internals];
    state.modules = this;
    state.toolkit = options.toolkit;
  }

  follow(): void {
    this.asked = new Map();
    openRequests.set(this.#req, this.held);
    this.#req[internals].response.tail = "";
  }

  use(directives: Directives): void {
    this.#directives = directives;
  }

  /** Whether a phase has handlers, configured or added. */
  has(phase: PhaseName): boolean {
    return this.#directives.handlers.has(phase) || Boolean(this.#req[internals].added?.has(phase));
  }

  /** The phases before content that have handlers; running handlers may add to later phases. */
  get beforeContent(): readonly PhaseName[] {
    if (!this.#req[internals].added) return this.#directives.beforeContent;
    return phasesBeforeContent.filter((phase) => this.has(phase));
  }

  /** Throws or rejects with errors of handlers, except outcomes after which the list continues. */
  run(phase: PhaseName): Outcome | Response | Promise<Outcome | Response> {
    const configured = selectHandlers(this.#directives.handlers.get(phase), this.#req);
    this.#req[internals].phase = phase;
    try {
      const result = this.#runFrom(0, configured, phase, DECLINED);
      if (result instanceof Promise) return result.finally(() => this.#leave(phase));
      this.#leave(phase);
      return result;
    } catch (error) {
      this.#leave(phase);
      throw error;
    }
  }

  #leave(phase: PhaseName): void {
    const state = this.#req[internals];
    state.phase = null;
    state.endedPhase = phase;
  }

  /** The rest of a list; `before` is the result of the handlers before `index`. */
  #runFrom(
    index: number,
    configured: readonly HandlerReference[],
    phase: PhaseName,
    before: Outcome,
  ): Outcome | Response | Promise<Outcome | Response> {
    // A handler may add another one to the running phase.
    const added = this.#req[internals].added?.get(phase);
    const entry = configured[index] ?? added?.[index - configured.length];
    if (entry === undefined) return this.#combined(phase, before);
    const called = this.call(typeof entry === "string" ? parseReference(entry) : entry, phase);
    const goOn = (outcome: Outcome | Response): ReturnType<PhaseRunner["run"]> => {
      if (typeof outcome !== "number") return outcome;
      if (outcome !== OK && outcome !== DECLINED) return outcome;
      if (this.#req[internals].isRedirected) return DONE;
      if (outcome === OK && rules[phase].firstOk) return OK;
      return this.#runFrom(index + 1, configured, phase, outcome === OK ? OK : before);
    };
    return called instanceof Promise ? called.then(goOn) : goOn(called);
  }

  /** The outcome of a phase in which no handler ended the request. */
  #combined(phase: PhaseName, result: Outcome): Outcome {
    const { allDeclined } = rules[phase];
    if (result !== DECLINED || !allDeclined) return result;
    this.#req[internals].declined = phase;
    return allDeclined();
  }

  /** Synchronous if handler and module are: most requests never wait for the event loop. */
  call(
    entry: HandlerReference | Handler,
    phase: PhaseName,
  ): Outcome | Response | Promise<Outcome | Response> {
    const handler = typeof entry === "function" ? entry.name || "anonymous" : entry.text;
    const counts = countsOf(entry, phase, handler);
    const { handlerTimeout: limit, slowCall: slow } = this.#options;
    const label: CallLabel = { phase, handler, limit, slow, counts, began: performance.now() };
    this.#req[internals].handlerEntry = label;
    try {
      const found = typeof entry === "function" ? entry : this.find(entry, lookupOf(entry, phase));
      const given =
        found instanceof Promise
          ? found.then((call) => this.#wait(call(this.#req), label))
          : this.#wait(found(this.#req), label);
      if (!(given instanceof Promise)) return this.#end(given, label);
      return given
        .then((value) => this.#end(value, label))
        .catch((error: unknown) => this.#endThrown(error, label));
    } catch (error) {
      return this.#endThrown(error, label);
    }
  }

  #observe(label: CallLabel, hasFailed: boolean): void {
    const ms = endCall(label, hasFailed);
    if (label.slow && ms >= label.slow) logSlowCall(this.#req, label, ms);
    if (this.#directives.timing) (this.timings ??= []).push({ label, ms });
  }

  #end(value: unknown, label: CallLabel): Outcome | Response {
    const result = this.#judge(value, label);
    this.#observe(label, (typeof result === "number" ? result : result.status) >= 500);
    return result;
  }

  #endThrown(error: unknown, label: CallLabel): Outcome | Response {
    this.#observe(label, !isHttpError(error) || error.outcome >= 500);
    return this.#judgeThrown(error, label);
  }

  #wait(given: ReturnType<Handler>, label: CallLabel): ReturnType<Handler> {
    if (given === undefined || typeof given === "number") return given;
    return isPromiseLike(given) ? withinLimit(given, this.#req, label) : given;
  }

  #judge(value: unknown, { phase, handler }: CallLabel): Outcome | Response {
    if (phase === "handler" && typeof value === "object" && isResponse(value)) return value;
    const outcome = toOutcome(value, phase, handler);
    // Attack: without a user, later phases and the log would see a permitted anonymous request.
    if (phase === "authen" && outcome === OK && !this.#req.user) {
      throw new ModTsError("MODTS_NO_USER", { handler });
    }
    return outcome;
  }

  #judgeThrown(error: unknown, label: CallLabel): Outcome | Response {
    if (!isHttpError(error)) throw wrapHandlerError(error, label.phase, label.handler);
    adopt(this.#req, error);
    const outcome = this.#judge(error.outcome, label);
    if (outcome === OK && error.body !== undefined) this.#req.write(error.body);
    // A thrown OK or DECLINED continues with the list, like a returned one.
    if (outcome === OK || outcome === DECLINED) return outcome;
    throw error;
  }

  load(file: string, exportName: string): HandlerModule | Promise<HandlerModule> {
    this.asked?.set(file, undefined);
    const found = this.#options.resolve(file, exportName);
    return found instanceof Promise
      ? found.then((module) => this.#hold(file, module))
      : this.#hold(file, found);
  }

  #hold(name: string, module: HandlerModule): HandlerModule {
    this.held.push(module);
    this.asked?.set(name, module);
    // For debugging, the error of the save matters, not the previous version.
    if (module.failure && this.#req[internals].context.debug) throw module.failure;
    return module;
  }

  find(reference: HandlerReference, lookup: Lookup): Handler | Promise<Handler> {
    const found = this.load(reference.module, lookup.asked);
    if (!(found instanceof Promise)) return this.#pick(found, lookup);
    return found.then((module) => this.#pick(module, lookup));
  }

  #pick(module: HandlerModule, lookup: Lookup): Handler {
    return isApplication(module, lookup)
      ? this.#options.application(module)
      : findHandler(module, lookup, this.#req);
  }

  /** Releases module versions and open resources at the end of the request. */
  release(): void {
    const state = this.#req[internals];
    state.isOver = true;
    if (this.asked) openRequests.delete(this.#req);
    state.finalizer?.close();
    for (const module of this.held) module.release();
  }
}

function refuseUnknownUser(): never {
  throw new ModTsError("MODTS_AUTHEN_DECLINED");
}

/** Names phase and handler in an error of user code. */
export function wrapHandlerError(error: unknown, phase: PhaseName, handler: string): unknown {
  if (isHttpError(error) || error instanceof ModTsError) return error;
  adviseOnModules(error);
  adviseOnCalls(error);
  return new ModTsError("MODTS_HANDLER_FAILED", { phase, handler }, { cause: error });
}

/** Headers survive errors; the status decorates (second argument of SERVER_RETURN). */
function adopt(req: ApacheRequest, error: HttpError): void {
  for (const [name, value] of Object.entries(error.headers)) {
    req.errHeadersOut.delete(name);
    for (const one of [value].flat()) req.errHeadersOut.add(name, one);
  }
  if (error.status !== undefined) req.status = error.status;
}

/** Phases that decide nothing: returning nothing is allowed. */
const mayBeSilent: ReadonlySet<PhaseName> = new Set(["handler", "log", "cleanup"]);

export interface Lookup {
  /** Names from the module inwards, at least one. */
  readonly names: readonly string[];
  /** Method to call if the names end at a class. */
  readonly method: string;
  /** `exportName` of `Resolve`. */
  readonly asked: string;
}

/** The default name of a content handler, else a fetch application as the default export. */
const contentExports = `${defaultNames.handler}|default`;

export function lookupOf(reference: HandlerReference, phase: PhaseName): Lookup {
  const method = defaultNames[phase];
  const [first] = reference.path;
  if (first !== undefined) return { names: reference.path, method, asked: first };
  return { names: [method], method, asked: phase === "handler" ? contentExports : method };
}

/**
 * Finds the function of a reference. A class on the way is instantiated with the request, and the
 * next name (or the default one) is looked up on the instance, as in mod_python.
 * @throws ModTsError `MODTS_MISSING_EXPORT`, `MODTS_NOT_CALLABLE`
 */
export function findHandler(module: HandlerModule, lookup: Lookup, req: ApacheRequest): Handler {
  const [first = "", ...rest] = lookup.names;
  // Own exports only: "toString" or "__proto__" must not resolve to inherited members.
  if (!Object.hasOwn(module.exports, first)) throw missingExport(module, first);
  let owner: unknown;
  let value: unknown = module.exports[first];
  const enter = (name: string): void => {
    owner = isClass(value) ? new value(req) : value;
    value = owner === null || owner === undefined ? undefined : Reflect.get(Object(owner), name);
    if (value === undefined) throw missingExport(module, [first, ...rest].join("."));
  };
  for (const name of rest) enter(name);
  if (isClass(value)) enter(lookup.method);
  if (typeof value !== "function") {
    const name = lookup.names.join(".");
    throw new ModTsError("MODTS_NOT_CALLABLE", {
      name,
      module: module.file,
      type: describe(value),
    });
  }
  return owner === undefined ? (value as Handler) : (value as Handler).bind(owner);
}

/**
 * The function of a reference that belongs to no phase.
 * @throws ModTsError `MODTS_MISSING_EXPORT`, `MODTS_NOT_CALLABLE`
 */
export function findFunction(
  module: HandlerModule,
  names: readonly string[],
): (argument: unknown) => unknown {
  const name = names.join(".");
  const found = names.reduce<unknown>(
    (value, key) => Reflect.get(Object(value), key),
    module.exports,
  );
  if (found === undefined) throw missingExport(module, name);
  if (typeof found === "function") return found as (argument: unknown) => unknown;
  throw new ModTsError("MODTS_NOT_CALLABLE", { name, module: module.file, type: describe(found) });
}

/**
 * Whether a module responds as an application with its default export, as WSGI did. Content phase
 * only: a default export must not decide on access.
 */
export function isApplication(module: HandlerModule, { asked }: Lookup): boolean {
  if (asked !== contentExports) return false;
  const { exports } = module;
  return !Object.hasOwn(exports, defaultNames.handler) && Object.hasOwn(exports, "default");
}

/**
 * Attack: `true`, `"ok"` or a forgotten `return` of an access handler must not grant access:
 * anything but a number known to httpd is an error. So is an interim status, after which the client
 * would wait for the final one (RFC 9110, section 15.2).
 * @throws ModTsError `MODTS_BAD_OUTCOME`
 */
export function toOutcome(value: unknown, phase: PhaseName, handler: string): Outcome {
  if (value === OK || value === DECLINED || value === DONE) return value;
  if (isHttpStatus(value) && value >= 200) return value;
  if (value === undefined && mayBeSilent.has(phase)) return OK;
  const expected =
    phase === "handler"
      ? `OK, DECLINED, DONE, an HTTP status or a Response${adviceOnContent(value)}`
      : "OK, DECLINED, DONE or an HTTP status";
  throw new ModTsError("MODTS_BAD_OUTCOME", { phase, handler, value: describe(value), expected });
}

/** `MODTS_MISSING_EXPORT` with a guess. */
export function missingExport(
  module: Pick<HandlerModule, "file"> & { exports: object },
  name: string,
): ModTsError {
  const hint = adviceOnExport(module, name);
  return new ModTsError("MODTS_MISSING_EXPORT", { module: module.file, name, hint });
}

const classes = new WeakMap<object, boolean>();

export function isClass(value: unknown): value is new (req: ApacheRequest) => unknown {
  if (typeof value !== "function") return false;
  const known = classes.get(value);
  if (known !== undefined) return known;
  const found = /^class\b/.test(Function.prototype.toString.call(value));
  classes.set(value, found);
  return found;
}
