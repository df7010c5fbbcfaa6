/**
 * From a handler reference to its outcome: find the function, call it within its time, judge what it gave.
 * @module
 */
import type { HandlerReference } from "./directives.ts";
import { ModTsError } from "./errors.ts";
import type { Handler, HandlerModule, PhaseName } from "./handler.ts";
import { isHttpStatus } from "./http-status.ts";
import { DECLINED, DONE, OK, type Outcome } from "./outcome.ts";
import { type ApacheRequest, internals } from "./request/request.ts";

/** Name of the export that a phase looks up when the reference names none. */
export const defaultNames: Readonly<Record<PhaseName, string>> = {
  init: "initHandler",
  headerparser: "headerParserHandler",
  access: "accessHandler",
  authen: "authenHandler",
  authz: "authzHandler",
  type: "typeHandler",
  fixup: "fixupHandler",
  handler: "handler",
  log: "logHandler",
  cleanup: "cleanupHandler",
};

/** Phases whose handlers have nothing to decide: to return nothing is the natural thing there. */
const mayBeSilent: ReadonlySet<PhaseName> = new Set(["handler", "log", "cleanup"]);

/** What to look up in a module for a reference in a phase. */
export interface Lookup {
  /** Names from the module inwards, at least one. */
  readonly names: readonly string[];
  /** Method to call when the names end at a class. */
  readonly method: string;
  /** What the loader hears that a request looks up, see `Resolve`. */
  readonly asked: string;
}

/** The name that a content handler has by default, else a fetch application as the default export. */
const contentExports = `${defaultNames.handler}|default`;

/** The lookup of a reference in a phase: its own names, or the default name of the phase. */
export function lookupOf(reference: HandlerReference, phase: PhaseName): Lookup {
  const method = defaultNames[phase];
  const [first] = reference.path;
  if (first !== undefined) return { names: reference.path, method, asked: first };
  return { names: [method], method, asked: phase === "handler" ? contentExports : method };
}

/**
 * Finds the function that a reference names in a module. A class on the way is instantiated with the request, and the
 * next name (the default one when none is left) is looked up on the instance, as in mod_python.
 * @throws ModTsError `MODTS_MISSING_EXPORT`, `MODTS_NOT_CALLABLE`
 */
export function findHandler(module: HandlerModule, lookup: Lookup, req: ApacheRequest): Handler {
  const [first = "", ...rest] = lookup.names;
  // Own exports only: "toString" or "__proto__" must not resolve to something that the module never wrote.
  if (!Object.hasOwn(module.exports, first)) throw missing(module, first);
  let owner: unknown;
  let value: unknown = module.exports[first];
  const enter = (name: string): void => {
    owner = isClass(value) ? new value(req) : value;
    value = owner === null || owner === undefined ? undefined : Reflect.get(Object(owner), name);
    if (value === undefined) throw missing(module, [first, ...rest].join("."));
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
 * Whether a module answers content as an application with its default export, in the place that WSGI had. Who exports
 * the handler that is looked up means that one. No other phase asks: a default export must not decide who may pass.
 */
export function isApplication(module: HandlerModule, { asked }: Lookup): boolean {
  if (asked !== contentExports) return false;
  const { exports } = module;
  return !Object.hasOwn(exports, defaultNames.handler) && Object.hasOwn(exports, "default");
}

/**
 * Judges what a handler gave. Anything but a number that httpd knows is an error and never a pass: `true`, `"ok"` and
 * a forgotten `return` in an access handler must not open the door. An interim status is no outcome either: the client
 * would wait for the final one (RFC 9110, section 15.2).
 * @throws ModTsError `MODTS_BAD_OUTCOME`
 */
export function toOutcome(value: unknown, phase: PhaseName, handler: string): Outcome {
  if (value === OK || value === DECLINED || value === DONE) return value;
  if (isHttpStatus(value) && value >= 200) return value;
  if (value === undefined && mayBeSilent.has(phase)) return OK;
  throw new ModTsError("MODTS_BAD_OUTCOME", { phase, handler, value: describe(value) });
}

/** What a call is known by in the log and in its limit. */
export interface CallLabel {
  readonly phase: PhaseName;
  readonly handler: string;
  /** Milliseconds until the response must have begun. */
  readonly limit: number;
}

/**
 * Waits for an asynchronous handler, but not for ever: one that has not begun its response in time ends in
 * `MODTS_HANDLER_TIMEOUT`. A response that has begun may take as long as it likes (server-sent events), until its
 * client has gone and the limit has passed once more; so may a request body, as long as some of it comes within each limit (how slow
 * a client may be is for mod_reqtimeout to say).
 */
export function withinLimit<T>(
  promise: Promise<T>,
  req: ApacheRequest,
  label: CallLabel,
): Promise<T> {
  const { response, exchange } = req[internals];
  let timer: NodeJS.Timeout | undefined;
  let received = exchange.received;
  const expired = new Promise<never>((_, reject) => {
    timer = setInterval(() => {
      const isArriving = exchange.received !== received;
      received = exchange.received;
      if ((isArriving || response.begun) && !req.signal.aborted) return;
      const { phase, handler, limit } = label;
      reject(new ModTsError("MODTS_HANDLER_TIMEOUT", { phase, handler, limit }));
    }, label.limit);
  });
  return Promise.race([promise, expired]).finally(() => clearInterval(timer));
}

function missing(module: HandlerModule, name: string): ModTsError {
  return new ModTsError("MODTS_MISSING_EXPORT", { module: module.file, name });
}

const classes = new WeakMap<object, boolean>();

/** Whether a value is a class, which cannot be called. */
export function isClass(value: unknown): value is new (req: ApacheRequest) => unknown {
  if (typeof value !== "function") return false;
  let known = classes.get(value);
  if (known === undefined) {
    known = /^class\b/.test(Function.prototype.toString.call(value));
    classes.set(value, known);
  }
  return known;
}

/** A value in the words of an error. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "string") return JSON.stringify(value.slice(0, 40));
  if (typeof value === "object")
    return `an object (${value.constructor?.name ?? "null prototype"})`;
  return typeof value === "function" ? "a function" : String(value);
}
