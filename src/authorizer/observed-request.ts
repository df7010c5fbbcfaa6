/**
 * A request that remembers what its handlers looked at.
 *
 * Attack: a ticket repeats an OK for the whole section, but the handler gave it to one request: it
 * looked at the path, and would refuse another one. A handler that read none of these fields has
 * decided about the visitor only, and would decide the same again.
 */
import { HeaderTable } from "../request/headers.ts";
import type { Exchange, RequestContext } from "../request/exchange.ts";
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
    const { rawHeaders } = this[internals].context;
    return (this.#headers ??= new ObservedTable(HeaderTable.fromRaw(rawHeaders), (name) => {
      if (name === undefined) this.#seen.add("all headers");
      else if (!ofTheVisitor.has(name.toLowerCase())) this.#seen.add(`header ${name}`);
    }));
  }

  /** Setting a variable does not count as reading one. */
  override get subprocessEnv(): HeaderTable {
    const { environment } = this[internals].context;
    return (this.#environment ??= new ObservedTable(new HeaderTable(environment), (name) =>
      this.#seen.add(name === undefined ? "all variables" : `variable ${name}`),
    ));
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

/** Calls `note` with the name that was looked at; without one, it was all of them. */
class ObservedTable extends HeaderTable {
  readonly #note: (name?: string) => void;

  constructor(entries: HeaderTable, note: (name?: string) => void) {
    super();
    for (const [name, value] of entries) super.add(name, value);
    this.#note = note;
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
    this.#note();
    return super.entries();
  }
  override raw(): readonly string[] {
    this.#note();
    return super.raw();
  }
  override copy(): HeaderTable {
    this.#note();
    return super.copy();
  }
  override get size(): number {
    this.#note();
    return super.size;
  }
}
