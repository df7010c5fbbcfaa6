/**
 * What the engine and the doors know of a request beyond what handler authors see.
 * @module
 */
import { ModTsError } from "../errors.ts";
import { BodyReader } from "./body.ts";
import type { Exchange, RequestContext } from "./exchange.ts";
import type { ResponseBuffer } from "./response.ts";
import type { Toolkit } from "./toolkit.ts";

/** Phases in the order they run; `handler.ts` lists the same, one floor up. */
export const requestPhases = [
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

/** The entry of a handler list that is running; mod_python: `hlist`. */
export interface HandlerEntry {
  /** Reference as configured, or the name of a function. */
  readonly handler: string;
  readonly phase: RequestPhase;
  /** Absolute path of the module, when known. */
  readonly file?: string;
}

/** A version of a module that a request holds until it is over. */
export interface HeldModule {
  /** What the module exports. */
  readonly exports: Readonly<Record<string, unknown>>;
  /** Names of the exports that it declares itself, not those that it passes on; absent for what is no user module. */
  readonly declared?: ReadonlySet<string>;
  /** Absolute path. */
  readonly file: string;
  /** Counts the builds of this module in this process, from 1. */
  readonly generation: number;
  /**
   * Holds the version beyond the request, for something that was made of it and serves others too; the function that it
   * gives lets go. Missing where there is nothing to hold.
   */
  retain?(): () => void;
  /** Why the newest save could not be loaded, while this older version goes on serving. */
  readonly failure?: Error | undefined;
}

/** Finds modules on behalf of a request. */
export interface ModuleSource {
  /**
   * The newest version of a module, by a path as in the Apache configuration or an absolute one, held until the request is over.
   * `exportName` is what the caller is going to look up. Throws or rejects with a `ModTsError`: no such file, outside of the
   * folders for handlers, or it cannot be built.
   */
  load(file: string, exportName: string): HeldModule | Promise<HeldModule>;
}

/** What handlers have begun and the engine completes for them. */
export interface Settling {
  /**
   * Called when the handlers before the response are done: what they changed is kept before the client hears that all went well. A rejection
   * takes the place of the response. `isGood` is false when a handler failed.
   */
  settle(isGood: boolean): Promise<void>;
  /** Called when the request is over; never throws. */
  close(): void;
}

/** Reached as `req[internals]`. `Added` is what `addHandler` takes. */
export class RequestInternals<Added = unknown> {
  readonly context: RequestContext;
  readonly exchange: Exchange;
  readonly response: ResponseBuffer;
  /** The entry that is running. */
  handlerEntry: HandlerEntry | null = null;
  /** Name of the pool that runs the request. */
  interpreter: string;
  /** Finds further modules for handlers that are made of some: published functions, pages. Set by the engine. */
  modules: ModuleSource | undefined;
  /** What the process lends to its requests. Set by the engine. */
  toolkit: Toolkit | undefined;
  /** Sessions that are open. */
  settling: Settling | undefined;
  /** Whether the request is over: what is opened from now on would never be closed. */
  isOver = false;
  /** Callbacks of `registerCleanup`; the last one runs first. */
  readonly cleanups: (() => unknown)[] = [];
  #added: Map<RequestPhase, Added[]> | undefined;
  #body: BodyReader | undefined;
  #phase: RequestPhase | null = null;
  #reached = -1;

  constructor(context: RequestContext, exchange: Exchange, response: ResponseBuffer) {
    this.context = context;
    this.exchange = exchange;
    this.response = response;
    this.interpreter = context.interpreter;
  }

  /** The request body; made when it is first asked for. */
  get body(): BodyReader {
    return (this.#body ??= new BodyReader(this.exchange));
  }

  /** `Use TsDebug On`. */
  get debug(): boolean {
    return this.context.debug;
  }

  /** The running phase; null between phases. */
  get phase(): RequestPhase | null {
    return this.#phase;
  }
  set phase(phase: RequestPhase | null) {
    this.#phase = phase;
    if (phase !== null) this.#reached = requestPhases.indexOf(phase);
  }

  /** Handlers of `req.addHandler`, a list a phase. A list may grow while its phase runs. */
  get added(): ReadonlyMap<RequestPhase, readonly Added[]> {
    return this.#added ?? (none as ReadonlyMap<RequestPhase, readonly Added[]>);
  }

  /** Appends a handler; a phase that is over, or that does not exist, throws `MODTS_BAD_PHASE` at once. */
  add(phase: string, handler: Added): void {
    const index = (requestPhases as readonly string[]).indexOf(phase);
    if (index < 0) {
      throw badPhase(phase, `the phases are ${requestPhases.join(", ")}`);
    }
    if (index < this.#reached || (index === this.#reached && this.#phase === null)) {
      throw badPhase(phase, "it is over for this request");
    }
    this.#added ??= new Map();
    const list = this.#added.get(phase as RequestPhase);
    if (list) list.push(handler);
    else this.#added.set(phase as RequestPhase, [handler]);
  }
}

const none: ReadonlyMap<RequestPhase, readonly unknown[]> = new Map();

function badPhase(phase: string, reason: string): ModTsError {
  return new ModTsError("MODTS_BAD_PHASE", { phase, reason });
}
