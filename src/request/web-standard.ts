/** Web-standard `Request` and `Response` of a request. */
import { Readable } from "node:stream";
import { badArgument } from "../base/errors.ts";
import { LightResponse } from "./response/light-response.ts";
import type { ResponseBuffer } from "./response/response.ts";
import { bodyOf } from "./body/body.ts";
import { internals, type RequestInternals } from "./internals.ts";
import type { RequestFacts } from "./request-facts.ts";

/** By its tag as well: a `Response` of another realm or a polyfill. */
export function isResponse(value: unknown): value is Response {
  return value instanceof Response || Object.prototype.toString.call(value) === "[object Response]";
}

const lengths = new WeakMap<Response, string>();

/** The length of a response, sent only if it is returned unchanged. */
export function announceLength(response: Response, length: string): void {
  lengths.set(response, length);
}

type Reader = ReadableStreamDefaultReader<Uint8Array>;
type Add = (part: Uint8Array) => void;

/**
 * Sends status, headers and body at the speed of the client; its disconnection cancels the body. A
 * light response is sent at once. Headers replace those of `headersOut`, cookies are added. Fails if
 * the body does; if headers were sent, the connection is closed.
 */
export function sendWebResponse(sink: ResponseBuffer, response: Response): Promise<void> | void {
  const whole = LightResponse.takeWhole(response);
  if (whole === undefined) return sendStream(sink, response);
  copyHead(sink, response);
  if (typeof whole === "string") sink.keep(whole);
  else if (whole) sink.keep(whole.bytes, whole.release);
  sink.finish();
}

async function sendStream(sink: ResponseBuffer, response: Response): Promise<void> {
  if (response.bodyUsed || response.body?.locked) {
    throw badArgument(
      "Response",
      "its body has been read already; return response.clone() or a new Response",
    );
  }
  copyHead(sink, response);
  if (!response.body) return sink.finish();
  const add = adderOf(sink, response.body);
  const reader = response.body.getReader();
  try {
    await copyBody(sink, reader, add);
  } catch (error) {
    reader.cancel(error).catch(() => {});
    if (sink.exchange.signal.aborted) return;
    if (sink.begun) sink.abort();
    throw error;
  }
}

/** Status and headers of another response. */
export interface ForeignHead {
  readonly status: number;
  /** Empty for the standard phrase. */
  readonly statusText: string;
  readonly headers: Iterable<readonly [string, string]>;
}

/** Headers replace those of `headersOut`, cookies are added. */
export function adoptHead(
  sink: ResponseBuffer,
  { status, statusText, headers }: ForeignHead,
): void {
  // 200 is the default of `Response`: in an ErrorDocument, the status of the error stays.
  if (status !== 200 || sink.status !== sink.errorStatus) {
    sink.status = status;
    if (statusText) sink.statusLine = `${status} ${statusText}`;
  }
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

function copyHead(sink: ResponseBuffer, response: Response): void {
  adoptHead(sink, response);
  const { headersOut } = sink;
  const length = lengths.get(response);
  if (length !== undefined) headersOut.set("Content-Length", length);
  // A response of `fetch` is decoded, but its headers describe the encoded one.
  if (response.url && headersOut.delete("Content-Encoding")) headersOut.delete("Content-Length");
}

/** Bytes of a byte stream are the reader's alone (Streams Standard): they need no copy. */
function adderOf(sink: ResponseBuffer, body: ReadableStream): Add {
  if (!isByteStream(body) || sink.headersOut.has("Content-Length")) {
    return (part) => void sink.write(part);
  }
  return (part) => sink.keep(part);
}

function isByteStream(body: ReadableStream): boolean {
  if (!(body instanceof ReadableStream)) return false;
  try {
    body.getReader({ mode: "byob" }).releaseLock();
    return true;
  } catch {
    return false;
  }
}

async function copyBody(sink: ResponseBuffer, reader: Reader, add: Add): Promise<void> {
  // A body that is complete at once is sent with its length; otherwise its first part is not
  // delayed.
  const turn = new Promise<undefined>((resolve) => setImmediate(resolve, undefined));
  let pending = reader.read();
  const first = await Promise.race([pending, turn]);
  if (first && !first.done) {
    add(first.value);
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
    else await copyRest(sink, reader, pending, add);
    sink.finish();
  } finally {
    signal.removeEventListener("abort", cancel);
  }
}

async function copyRest(
  sink: ResponseBuffer,
  reader: Reader,
  pending: ReturnType<Reader["read"]>,
  add: Add,
): Promise<void> {
  for (let part = await pending; !part.done; part = await reader.read()) {
    add(part.value);
    await sink.flush();
  }
}

/**
 * A `Request` that owns the body from then on. CONNECT and TRACE throw a `TypeError`, as in `fetch`.
 * @param path path and query of its URL, by default as sent
 */
export function toWebRequest(
  req: RequestFacts & { readonly [internals]: RequestInternals },
  path: string = req.unparsedUri,
): Request {
  const body = bodyOf(req[internals]);
  const hasBody = body.announced && req.method !== "GET" && req.method !== "HEAD";
  return new Request(req.constructUrl(path), {
    method: req.method,
    headers: [...req.headersIn],
    signal: req.signal,
    ...(hasBody && {
      body: Readable.toWeb(body.claim("req.toRequest()")) as ReadableStream,
      duplex: "half",
    }),
  });
}
