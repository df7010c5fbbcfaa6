/**
 * A request that remembers what its handlers looked at.
 *
 * Attack: a ticket repeats an OK for the whole section, but the handler said it about one request: it looked at the path, and would
 * refuse another one. A handler that read none of this has decided about the visitor alone: with the same visitor it would do the
 * same again.
 */
import { HeaderTable } from "../request/headers.ts";
import type { Dictionary, Exchange, RequestContext } from "../request/exchange.ts";
import { internals } from "../request/internals.ts";
import { ApacheRequest } from "../request/request.ts";

/** Fields of the context that differ from one request of a visitor to the next. */
const ofTheRequest = [
  "requestLine",
  "target",
  "uri",
  "args",
  "filename",
  "pathInfo",
  "contextPrefix",
  "contextDocumentRoot",
  "environment",
] as const satisfies readonly (keyof RequestContext)[];

/** Headers that the ticket is bound to, or that say nothing of the resource. */
const ofTheVisitor: ReadonlySet<string> = new Set([
  "cookie",
  "authorization",
  "host",
  "accept",
  "accept-language",
]);

export class ObservedRequest extends ApacheRequest {
  readonly #seen: Set<string>;
  #headers: HeaderTable | undefined;
  #environment: HeaderTable | undefined;

  constructor(context: RequestContext, exchange: Exchange) {
    const seen = new Set<string>();
    super(observe(context, seen), exchange);
    // What the constructor has read.
    seen.clear();
    this.#seen = seen;
    // Engine and answer look at the request as well, and decide nothing.
    Object.assign(this[internals], { context });
  }

  /** What the handlers have looked at, apart from the visitor. */
  get seen(): ReadonlySet<string> {
    return this.#seen;
  }

  override get headersIn(): HeaderTable {
    return (this.#headers ??= new ObservedHeaders(this[internals].context.rawHeaders, this.#seen));
  }

  override get subprocessEnv(): HeaderTable {
    const { environment } = this[internals].context;
    return (this.#environment ??= new ObservedEnvironment(environment, this.#seen));
  }
}

function observe(context: RequestContext, seen: Set<string>): RequestContext {
  const properties = ofTheRequest.map((name) => [
    name,
    {
      get(): unknown {
        seen.add(name);
        return context[name];
      },
    },
  ]);
  return Object.create(context, Object.fromEntries(properties)) as RequestContext;
}

class ObservedHeaders extends HeaderTable {
  readonly #seen: Set<string>;

  constructor(raw: readonly string[], seen: Set<string>) {
    super();
    for (let at = 0; at < raw.length; at += 2) super.add(raw[at] as string, raw[at + 1] as string);
    this.#seen = seen;
  }

  override get(name: string): string | undefined;
  override get(name: string, fallback: string): string;
  override get(name: string, fallback?: string): string | undefined {
    this.#note(name);
    return super.get(name) ?? fallback;
  }
  override getAll(name: string): string[] {
    this.#note(name);
    return super.getAll(name);
  }
  override has(name: string): boolean {
    this.#note(name);
    return super.has(name);
  }
  override entries(): IterableIterator<[string, string]> {
    this.#seen.add("all headers");
    return super.entries();
  }
  override raw(): readonly string[] {
    this.#seen.add("all headers");
    return super.raw();
  }
  override copy(): HeaderTable {
    this.#seen.add("all headers");
    return super.copy();
  }
  override get size(): number {
    this.#seen?.add("all headers");
    return super.size;
  }

  #note(name: string): void {
    if (!ofTheVisitor.has(name.toLowerCase())) this.#seen.add(`header ${name}`);
  }
}

/** Handlers set variables without looking at any. */
class ObservedEnvironment extends HeaderTable {
  readonly #seen: Set<string> | undefined;

  constructor(environment: Dictionary, seen: Set<string>) {
    super(environment);
    this.#seen = seen;
  }

  override get(name: string): string | undefined;
  override get(name: string, fallback: string): string;
  override get(name: string, fallback?: string): string | undefined {
    this.#seen?.add(`variable ${name}`);
    return super.get(name) ?? fallback;
  }
  override getAll(name: string): string[] {
    this.#seen?.add(`variable ${name}`);
    return super.getAll(name);
  }
  override has(name: string): boolean {
    this.#seen?.add(`variable ${name}`);
    return super.has(name);
  }
  override entries(): IterableIterator<[string, string]> {
    this.#seen?.add("all variables");
    return super.entries();
  }
  override raw(): readonly string[] {
    this.#seen?.add("all variables");
    return super.raw();
  }
  override copy(): HeaderTable {
    this.#seen?.add("all variables");
    return super.copy();
  }
}
