/**
 * From a web-standard `Response` to the client.
 * @module
 */
import { ModTsError } from "../errors.ts";
import type { HeaderTable } from "./headers.ts";

/** By its tag too: a `Response` of another realm or of a polyfill does the same job. */
export function isResponse(value: unknown): value is Response {
  return value instanceof Response || Object.prototype.toString.call(value) === "[object Response]";
}

/** What a response is written to; a `ResponseBuffer`. */
export interface ResponseSink {
  status: number;
  statusLine: string;
  contentType: string | undefined;
  readonly headersOut: HeaderTable;
  readonly headOnly: boolean;
  readonly begun: boolean;
  readonly exchange: { readonly signal: AbortSignal };
  withoutDefaultType(): void;
  write(data: string | Uint8Array): boolean;
  flush(): Promise<void>;
  finish(): void;
  abort(): void;
}

const lengths = new WeakMap<Response, string>();

/** The length that goes with a response returned as it is, and with no copy of its headers. */
export function announceLength(response: Response, length: string): void {
  lengths.set(response, length);
}

type Reader = ReadableStreamDefaultReader<Uint8Array>;

/**
 * Sends status, headers and body, at the speed of the client; a client that goes away cancels the body.
 *
 * Headers replace those of `headersOut`, cookies are added to them. Rejects when the body fails; if its headers have
 * left by then, the connection is broken off.
 */
export async function sendWebResponse(sink: ResponseSink, response: Response): Promise<void> {
  if (response.bodyUsed || response.body?.locked) {
    throw new ModTsError("MODTS_BAD_ARGUMENT", {
      name: "Response",
      reason: "its body has been read already; return response.clone() or a new Response",
    });
  }
  copyHead(sink, response);
  if (!response.body) return sink.finish();
  const reader = response.body.getReader();
  try {
    await copyBody(sink, reader);
  } catch (error) {
    reader.cancel(error).catch(() => {});
    if (sink.exchange.signal.aborted) return;
    if (sink.begun) sink.abort();
    throw error;
  }
}

/** Status and headers of a response that was made elsewhere. */
export interface ForeignHead {
  readonly status: number;
  /** Empty for the usual one. */
  readonly statusText: string;
  readonly headers: Iterable<readonly [string, string]>;
}

/** Takes a head over: its headers replace those of `headersOut`, cookies are added to them. */
export function adoptHead(
  sink: Omit<ResponseSink, "finish" | "flush">,
  { status, statusText, headers }: ForeignHead,
): void {
  sink.status = status;
  if (statusText) sink.statusLine = `${status} ${statusText}`;
  sink.withoutDefaultType();
  const { headersOut } = sink;
  const seen = new Set(["set-cookie"]);
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    if (lower === "content-type") sink.contentType = value;
    else if (seen.has(lower)) headersOut.add(name, value);
    else headersOut.set(name, value);
    seen.add(lower);
  }
}

function copyHead(sink: ResponseSink, response: Response): void {
  adoptHead(sink, response);
  const { headersOut } = sink;
  const length = lengths.get(response);
  if (length !== undefined) headersOut.set("Content-Length", length);
  // A response of `fetch` is decoded already, while its headers still speak of what came over the wire.
  if (response.url && headersOut.delete("Content-Encoding")) headersOut.delete("Content-Length");
}

async function copyBody(sink: ResponseSink, reader: Reader): Promise<void> {
  // A body that is complete at once goes out with its length; one that is not must not hold back its first part.
  const turn = new Promise<undefined>((resolve) => setImmediate(resolve, undefined));
  let pending = reader.read();
  const first = await Promise.race([pending, turn]);
  if (first && !first.done) {
    sink.write(first.value);
    pending = reader.read();
  }
  const last = first?.done ? first : await Promise.race([pending, turn]);
  if (last?.done) return sink.finish();
  const { signal } = sink.exchange;
  const cancel = (): void => void reader.cancel(signal.reason).catch(() => {});
  signal.addEventListener("abort", cancel, { once: true });
  try {
    if (first || sink.headOnly) await sink.flush();
    if (sink.headOnly) await reader.cancel();
    else await copyRest(sink, reader, pending);
    sink.finish();
  } finally {
    signal.removeEventListener("abort", cancel);
  }
}

async function copyRest(
  sink: ResponseSink,
  reader: Reader,
  pending: ReturnType<Reader["read"]>,
): Promise<void> {
  for (let part = await pending; !part.done; part = await reader.read()) {
    sink.write(part.value);
    await sink.flush();
  }
}
