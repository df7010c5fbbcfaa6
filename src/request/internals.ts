/** The side of a request for engine and transports; handlers do not see it. */
import type { WebSocket } from "ws";
import { ModTsError } from "../base/errors.ts";
import type { BodyReader } from "./body/body.ts";
import type { Exchange, RequestContext } from "./exchange.ts";
import type { RequestFacts } from "./request-facts.ts";
import type { ResponseBuffer } from "./response/response.ts";
import type { Session, SessionOptions } from "./session.ts";

/** Registered: a second copy of this package may call `redirect` with our requests. */
export const internals: unique symbol = Symbol.for("mod_ts.internals");

/** Phases in the order they run. */
export const requestPhases = [
  "trans",
  "init",
  "headerparser",
  "access",
  "authen",
  "authz",
  "type",
  "fixup",
  "handler",
  "log",
  "cleanup",
] as const;

export type RequestPhase = (typeof requestPhases)[number];

/** The running entry of a handler list; mod_python: `hlist`. */
export interface HandlerEntry {
  /** As configured, or the name of a function. */
  readonly handler: string;
  readonly phase: RequestPhase;
  /** Absolute path of the module, if known. */
  readonly file?: string;
}

/** A version of a module, held by a request until its end. */
export interface HeldModule {
  readonly exports: Readonly<Record<string, unknown>>;
  /** Names of its own exports, re-exports excluded; absent for a built-in. */
  readonly declared?: ReadonlySet<string>;
  /** Of its text, and of the local files that it imports; absent for a built-in. */
  readonly digest?: string;
  /** Absolute path. */
  readonly file: string;
  /** Builds of this module in this process, from 1. */
  readonly generation: number;
  /** Holds it beyond the request; the returned function releases it. Absent for a built-in. */
  retain?(): () => void;
  /** Error of the newest save, while this older version keeps serving. */
  readonly failure?: Error | undefined;
}

/** Finds modules for a request. */
export interface ModuleSource {
  /**
   * The newest version of a module, by absolute path or as in the Apache configuration, held until
   * the request is over. `exportName` is the export to be used. Throws or rejects with a
   * `ModTsError`.
   */
  load(file: string, exportName: string): HeldModule | Promise<HeldModule>;
}

/** Completes open work, such as sessions, at the end of a request. */
export interface RequestFinalizer {
  /**
   * After the last handler and before the response: changes are saved before the client sees
   * success. A rejection replaces the response. `isGood` is false after a failure.
   */
  settle(isGood: boolean): Promise<void>;
  /** After the request; never throws. */
  close(): void;
}

/** Services of the process for its requests, created by the worker. */
export interface Toolkit {
  /** Absolute path of a private directory for temporary files, created on first use. */
  readonly temporary: string;
  openSession?(req: RequestFacts, options?: SessionOptions): Promise<Session>;
  /** Access to resources of Apache or another server. */
  readonly origin?: OriginAccess;
}

/** A valid redirect. */
export interface RedirectTarget {
  /** Path and query, escaped. */
  readonly path: string;
  readonly method: string;
  /** Whether the response is a part of another one: ranges and conditions of the client are not for it. */
  readonly isPart?: boolean;
}

/** See `fetchOrigin` and `req.internalRedirect`. */
export interface OriginAccess {
  /** Whether callbacks to Apache are configured. */
  readonly callsBack: boolean;
  /** @param part another address of Apache in place of the original resource */
  fetch(req: RequestFacts, part?: RedirectTarget): Promise<Response>;
  redirect(req: RequestFacts, target: RedirectTarget): Promise<void>;
  /** Responds with the original resource. */
  pass(req: RequestFacts): Promise<void>;
}

/** How long a decision of built-in handlers holds, for a ticket that repeats it. */
export interface DecisionTerms {
  /** Absolute paths; a change of one of them ends it. */
  readonly files: Set<string>;
  /** Milliseconds since 1970. */
  until: number;
}

/** Another protocol than WebSockets, which the client proposes and the location takes. */
export interface RawUpgrade {
  readonly protocol: string;
  /** Aborted when the worker is about to end. */
  readonly ending: AbortSignal;
}

/** Reached as `req[internals]`. `Added` is the parameter of `addHandler`. */
export interface RequestInternals<Added = unknown> {
  readonly context: RequestContext;
  /** The transport's, or a `FilteredExchange` around it. */
  exchange: Exchange;
  response: ResponseBuffer;
  body: BodyReader | undefined;
  /** The running phase; null between phases. */
  phase: RequestPhase | null;
  endedPhase: RequestPhase | null;
  handlerEntry: HandlerEntry | null;
  /** Handlers of `req.addHandler` by phase. A list may grow while its phase runs. */
  added: Map<RequestPhase, Added[]> | undefined;
  interpreter: string;
  /** Set by the engine. */
  modules: ModuleSource | undefined;
  /** Set by the engine. */
  toolkit: Toolkit | undefined;
  finalizer: RequestFinalizer | undefined;
  /**
   * Whether another address has responded. Attack: a handler before the content redirects from what
   * it protects, and the content follows in the same response.
   */
  isRedirected?: boolean;
  /** Whether the request is over: resources opened from now on would never be closed. */
  isOver: boolean;
  /** The deciding phase in which every handler declined. */
  declined?: RequestPhase;
  /** Set by the authorizer if the decision may be repeated. */
  terms?: DecisionTerms | undefined;
  /** Of a request that asks for another protocol than WebSockets. */
  rawUpgrade?: RawUpgrade | undefined;
  /** Given by an application that wants the connection of this request. */
  acceptSocket?: (socket: WebSocket) => unknown;
  /** Callbacks of `registerCleanup`; the last one runs first. */
  readonly cleanups: (() => unknown)[];
}

/** Notes what a decision depends on. */
export function addTerms(
  req: { readonly [internals]: { readonly terms?: DecisionTerms | undefined } },
  files: Iterable<string>,
  until = Infinity,
): void {
  const { terms } = req[internals];
  if (!terms) return;
  for (const file of files) terms.files.add(file);
  terms.until = Math.min(terms.until, until);
}

/** Appends a handler; throws `MODTS_BAD_PHASE` for a phase that is over or unknown. */
export function addHandler<Added>(
  state: RequestInternals<Added>,
  phase: RequestPhase,
  handler: Added,
): void {
  const index = requestPhases.indexOf(phase);
  if (index < 0) throw badPhase(phase, `the phases are ${requestPhases.join(", ")}`);
  const first = state.phase ? indexOf(state.phase) : indexOf(state.endedPhase) + 1;
  if (index < first) throw badPhase(phase, "it is over for this request");
  state.added ??= new Map();
  const list = state.added.get(phase);
  if (list) list.push(handler);
  else state.added.set(phase, [handler]);
}

function indexOf(phase: RequestPhase | null): number {
  return phase === null ? -1 : requestPhases.indexOf(phase);
}

function badPhase(phase: string, reason: string): ModTsError {
  return new ModTsError("MODTS_BAD_PHASE", { phase, reason });
}
