/**
 * An exchange whose response, or request body, goes through filters. Whatever the producer, a
 * handler, a `Response`, a file or the origin, it writes here.
 *
 * - A changed body has another length, other bytes to take ranges of, and a weak `ETag` of its own
 *   (RFC 9110, sections 8.8.1 and 14.2).
 * - Attack: a filter that hides data fails midway, or does not understand the coding of the body.
 *   Then nothing unfiltered is sent: the response is an error, or is cut off.
 */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { setBounded } from "../../base/cache.ts";
import { badArgument, ModTsError } from "../../base/errors.ts";
import type { Exchange } from "../exchange.ts";
import { HeaderTable } from "../headers.ts";
import { internals, type RequestInternals } from "../internals.ts";
import type { RequestFacts } from "../request-facts.ts";
import { isNullBodyStatus } from "../response/light-response.ts";
import { ResponseBuffer } from "../response/response.ts";
import { ChunkQueue } from "./chunk-queue.ts";
import { type Filter, type FilteredMessage, runFilters, toFilter } from "./filter.ts";
import { codingsOf, decoded, through, unreadable } from "./codings.ts";
import { WholeText } from "./whole-text.ts";

/** A filter where it applies. */
export interface AppliedFilter {
  readonly filter: Filter;
  /** Media types in lower case, `text/*` and similar; empty: every type. */
  readonly types: readonly string[];
  /** Changes with the code of the filter. */
  readonly version: string;
}

type Request = RequestFacts & { readonly [internals]: RequestInternals };

export class FilteredExchange implements Exchange {
  readonly #inner: Exchange;
  readonly #req: Request;
  readonly #output: AppliedFilter[];
  readonly #input: readonly AppliedFilter[];
  #mode: "waiting" | "direct" | "filtered" | "bodiless" = "waiting";
  #queue: ChunkQueue | undefined;
  #whole: WholeText | undefined;
  #hasEnded = false;
  #failure: { error: unknown } | undefined;
  #work: Promise<void> | undefined;
  #body: Readable | undefined;
  #changedLength: number | undefined;

  constructor(
    inner: Exchange,
    req: Request,
    { output, input }: { output: readonly AppliedFilter[]; input: readonly AppliedFilter[] },
  ) {
    this.#inner = inner;
    this.#req = req;
    this.#output = [...output];
    const type = req.headersIn.get("content-type") ?? "";
    this.#input = input.filter((each) => matches(each, type));
  }

  add(filter: AppliedFilter): void {
    this.#output.push(filter);
  }

  /** Error pages of mod_ts are sent as they are. No effect once the response has begun. */
  bypass(): void {
    if (this.#mode === "waiting") this.#output.length = 0;
  }

  /** Resolves when all was sent, or with the error of a filter; see {@link canReplace}. */
  async settled(): Promise<{ error: unknown } | undefined> {
    await this.#work;
    return this.#failure;
  }

  /** Whether nothing was sent, so that another response can be. */
  get canReplace(): boolean {
    return !this.#inner.begun && !this.#inner.ended;
  }

  get inner(): Exchange {
    return this.#inner;
  }

  /**
   * Runs filters of the request body that need all of it, so that they refuse it before anybody
   * works with it. Rejects with what a filter throws.
   */
  async prepareBody(): Promise<void> {
    if (this.#input.length === 0 || !this.#inner.hasBody) return;
    if (!this.#input.every(({ filter }) => filter.isWhole)) return;
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.#filterBody()) chunks.push(chunk);
    this.#changedLength = chunks.reduce((sum, { length }) => sum + length, 0);
    this.#body = Readable.from(chunks, { objectMode: false });
  }

  body(): Readable {
    if (this.#input.length === 0) return this.#inner.body();
    return (this.#body ??= Readable.from(this.#filterBody(), { objectMode: false }));
  }

  get isFiltered(): boolean {
    return true;
  }
  get hasBody(): boolean {
    return this.#inner.hasBody;
  }
  get awaitsContinue(): boolean {
    return this.#inner.awaitsContinue ?? false;
  }
  /** Whether the body has another length than the client announced. */
  get changesBody(): boolean {
    return this.#input.length > 0;
  }
  get changedLength(): number | undefined {
    return this.#changedLength;
  }
  get signal(): AbortSignal {
    return this.#inner.signal;
  }
  get received(): number {
    return this.#inner.received ?? 0;
  }
  get hasErrorDocuments(): boolean {
    return this.#inner.hasErrorDocuments ?? false;
  }
  get begun(): boolean {
    return this.#mode !== "waiting";
  }
  get ended(): boolean {
    return this.#hasEnded || this.#inner.ended;
  }
  hint(headers: Readonly<Record<string, string | string[]>>): void {
    this.#inner.hint?.(headers);
  }

  begin(status: number, reason: string | undefined, headers: string[]): void {
    const table = HeaderTable.fromRaw(headers);
    const chosen = this.#choose(status, table.get("content-type") ?? "");
    if (chosen.length === 0) {
      this.#mode = "direct";
      return this.#inner.begin(status, reason, headers);
    }
    const head = table.copy();
    describeChange(head, chosen);
    const hasNoBody = isNullBodyStatus(status) || this.#req.method === "HEAD";
    this.#mode = hasNoBody ? "bodiless" : "filtered";
    const message = new Message(this.#req, head, status);
    const begin = (): number => {
      // Without a length, Apache would announce a body in chunks.
      if (message.status === 205) head.set("Content-Length", 0);
      const ownReason = message.status === status ? reason : undefined;
      this.#inner.begin(message.status, ownReason, [...head.raw()]);
      return message.status;
    };
    if (hasNoBody) return void begin();
    this.#whole = this.#wantsRange
      ? undefined
      : WholeText.of(
          message,
          chosen.map(({ filter }) => filter),
          begin,
        );
    if (this.#whole) return;
    this.#queue = new ChunkQueue();
    this.#work = this.#send(message, chosen, begin);
  }

  write(chunk: Uint8Array | string, left?: () => void): boolean {
    if (this.#mode === "direct") return this.#inner.write(chunk, left);
    const sink = this.#whole ?? this.#queue;
    if (!sink || this.ended) return true;
    // A filter may keep the bytes, which the producer uses again.
    const isEmpty = chunk.length === 0;
    const bytes = typeof chunk === "string" || left ? Buffer.from(chunk as string) : chunk;
    left?.();
    if (isEmpty || sink.push(bytes)) return true;
    // The rest of a body that is too large is not waited for.
    if (this.#whole) this.#endWhole(this.#whole);
    return false;
  }

  drain(): Promise<void> {
    return this.#mode === "direct"
      ? this.#inner.drain()
      : (this.#queue?.drained() ?? Promise.resolve());
  }

  end(chunk?: Uint8Array | string, encoding?: "utf8" | "latin1"): void {
    if (this.#mode === "bodiless") return this.#inner.end();
    if (this.#mode !== "filtered") return this.#inner.end(chunk, encoding);
    if (this.#hasEnded) return;
    if (typeof chunk === "string") this.write(Buffer.from(chunk, encoding));
    else if (chunk) this.write(chunk);
    if (this.#hasEnded) return;
    if (this.#whole) return this.#endWhole(this.#whole);
    this.#hasEnded = true;
    this.#queue?.close();
  }

  #endWhole(whole: WholeText): void {
    this.#hasEnded = true;
    this.#work = whole.send(this.#inner).catch((error: unknown) => {
      this.#failure = { error };
      if (this.#inner.begun) this.#inner.abort();
    });
  }

  abort(): void {
    this.#hasEnded = true;
    this.#queue?.close(new ModTsError("MODTS_CLIENT_GONE"));
    this.#inner.abort();
  }

  /** Apache would serve a part of what it gets in one piece with its length. */
  get #wantsRange(): boolean {
    return HeaderTable.fromRaw(this.#req[internals].context.rawHeaders).has("range");
  }

  #choose(status: number, type: string): readonly AppliedFilter[] {
    // A 304 has no type: its ETag says whether it is about filtered content.
    return status === 304 ? this.#output : this.#output.filter((each) => matches(each, type));
  }

  /** Never rejects. */
  async #send(
    message: Message,
    chosen: readonly AppliedFilter[],
    begin: () => number,
  ): Promise<void> {
    const inner = this.#inner;
    try {
      if (message.status === 206) throw unreadable("part of a body (206)");
      const codings = codingsOf(message.headers);
      const filters = chosen.map(({ filter }) => filter);
      const plain = decoded(this.#queue!, codings);
      const changed = runFilters(plain, filters, message);
      for await (const chunk of through(
        changed,
        codings.map(({ encode }) => encode),
      )) {
        if (inner.ended) return;
        // On the connection, a body would be read as the next response.
        if (!inner.begun && isNullBodyStatus(begin())) break;
        if (!inner.write(chunk)) await inner.drain();
      }
      if (!inner.begun) begin();
      inner.end();
    } catch (error) {
      this.#failure = { error };
      if (inner.begun) inner.abort();
    } finally {
      this.#hasEnded = true;
      this.#queue?.close();
    }
  }

  #filterBody(): AsyncGenerator<Uint8Array> {
    const { headersIn } = this.#req;
    const coding = headersIn.get("content-encoding") ?? "identity";
    if (coding.toLowerCase() !== "identity") throw unreadable(`content coding ${coding}`);
    const filters = this.#input.map(({ filter }) => filter);
    return runFilters(this.#inner.body(), filters, new Message(this.#req, this.#req.headersIn));
  }
}

/** Sends the response of a request, and its body, through filters from now on. */
export function attachFilters(
  req: Request,
  filters: { output: readonly AppliedFilter[]; input: readonly AppliedFilter[] },
): FilteredExchange {
  const state = req[internals];
  const exchange = new FilteredExchange(state.exchange, req, filters);
  state.exchange = exchange;
  state.response.exchange = exchange;
  // Not read yet: the phases before content have used it otherwise.
  if (state.body?.used !== true) state.body = undefined;
  return exchange;
}

/** A response in place of one that filters could not send. */
export function replaceResponse(req: Request, exchange: Exchange): void {
  const state = req[internals];
  const { headOnly, errorStatus, errHeadersOut } = state.response;
  state.exchange = exchange;
  state.response = new ResponseBuffer(exchange, headOnly, errorStatus);
  for (const [name, value] of errHeadersOut) state.response.errHeadersOut.add(name, value);
}

/** See `req.addOutputFilter`. */
export function addOutputFilter(req: Request, value: unknown): void {
  const filter = toFilter(value);
  if (!filter) throw badArgument("addOutputFilter", "it takes a filter or a function");
  const { exchange } = req[internals];
  if (exchange.begun) throw new ModTsError("MODTS_HEADERS_SENT", { name: "addOutputFilter" });
  const applied = { filter, types: [], version: "" };
  if (exchange instanceof FilteredExchange) return exchange.add(applied);
  attachFilters(req, { output: [applied], input: [] });
}

/** Makes a request one for the whole original, and its conditions ones about that. */
export function prepareHeaders(req: Request, output: readonly AppliedFilter[]): void {
  // Apache knows the type of files; what PHP, CGI and others send is known later.
  const type = req[internals].context.contentType;
  const chosen = output.filter((each) => type === "" || matches(each, type));
  if (chosen.length === 0) return;
  const { headersIn } = req;
  // "identity" would be a 406 where Apache has the file only in compressed form (mod_negotiation).
  const ofBytes = ["Range", "If-Range", "If-Modified-Since", "Accept-Encoding"];
  for (const name of ofBytes) headersIn.delete(name);
  const condition = headersIn.getAll("If-None-Match").join(",");
  // Any representation: a PUT that must not replace a file, for example.
  if (condition.trim() === "*") return;
  const suffix = `-${versionOf(chosen)}"`;
  const tags = condition.match(/(?:W\/)?"[^"]*"/g) ?? [];
  const ours = tags.filter((tag) => tag.endsWith(suffix));
  headersIn.delete("If-None-Match");
  // Apache compares weakly, so the original is not modified either (RFC 9110, section 13.1.2).
  const originals = ours.map((tag) => `${tag.slice(0, -suffix.length)}"`);
  if (originals.length > 0) headersIn.set("If-None-Match", originals.join(", "));
}

class Message implements FilteredMessage {
  readonly req: RequestFacts;
  readonly headers: HeaderTable;
  status: number;

  constructor(req: RequestFacts, headers: HeaderTable, status = 0) {
    this.req = req;
    this.headers = headers;
    this.status = status;
  }

  get contentType(): string | null {
    return this.headers.get("Content-Type") ?? null;
  }
  set contentType(type: string | null) {
    if (type === null) this.headers.delete("Content-Type");
    else this.headers.set("Content-Type", type);
  }
}

const aboutBytes = [
  "Content-Length",
  "Accept-Ranges",
  "Content-MD5",
  "Digest",
  "Content-Digest",
  "Repr-Digest",
  // The filter may be newer than the file: a cache would take its old result for the present one.
  "Last-Modified",
];

/** Headers that speak of the bytes before the change. */
function describeChange(headers: HeaderTable, chosen: readonly AppliedFilter[]): void {
  for (const name of aboutBytes) headers.delete(name);
  const tag = /"([^"]*)"$/.exec(headers.get("ETag") ?? "")?.[1];
  if (tag !== undefined) headers.set("ETag", `W/"${tag}-${versionOf(chosen)}"`);
}

function versionOf(chosen: readonly AppliedFilter[]): string {
  const versions = chosen.map(({ version }) => version).join(" ");
  const known = digests.get(versions);
  if (known !== undefined) return known;
  const digest = createHash("sha256").update(versions).digest("base64url").slice(0, 8);
  setBounded(digests, versions, digest, 1000);
  return digest;
}

const digests = new Map<string, string>();

function matches({ types }: AppliedFilter, contentType: string): boolean {
  if (types.length === 0) return true;
  const type = (contentType.split(";")[0] ?? "").trim().toLowerCase();
  return types.some((each) =>
    each.endsWith("/*") ? type.startsWith(each.slice(0, -1)) : each === type,
  );
}
