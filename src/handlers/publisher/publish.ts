/**
 * Responses from the results of published functions: text, JSON, bytes, streams. A number is an
 * ordinary value, not a status. A returned function is not called (mod_python did): what it closes
 * over may be more than its author meant to show.
 */
import { setImmediate } from "node:timers/promises";
import type { Readable } from "node:stream";
import { readFileSync } from "node:fs";
import { attempt } from "../../base/attempt.ts";
import { ModTsError } from "../../base/errors.ts";
import { OK, type Outcome } from "../../base/outcome.ts";
import { internals } from "../../request/internals.ts";
import type { ApacheRequest } from "../../request/request.ts";
import { isResponse } from "../../request/web-standard.ts";
import type { Upload } from "../../request/body/upload.ts";
import { type Fields, noFields } from "./arguments.ts";

export interface Labelled {
  /** For messages. */
  readonly label: string;
}

type Given = Outcome | Response;

/** Writes a value. Throws or rejects with `MODTS_BAD_RESULT` for what cannot be sent. */
export function publish(
  req: ApacheRequest,
  value: unknown,
  from: Labelled,
): Given | Promise<Given> {
  switch (typeof value) {
    case "string":
      return send(req, isPage(value) ? "text/html" : "text/plain", value);
    case "number":
    case "boolean":
    case "bigint":
      return send(req, "text/plain", String(value));
    case "undefined":
      return OK;
    case "object":
      return value === null ? OK : publishObject(req, value, from);
    default:
      throw badResult(from, `a ${typeof value} cannot be sent`);
  }
}

function publishObject(req: ApacheRequest, value: object, from: Labelled): Given | Promise<Given> {
  if (isResponse(value)) return value;
  if (value instanceof Uint8Array) return send(req, binary, value);
  if (ArrayBuffer.isView(value)) {
    return send(req, binary, new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  }
  if (value instanceof ArrayBuffer) return send(req, binary, new Uint8Array(value));
  const producer = producerOf(value);
  return producer
    ? sendStream(req, producer, from)
    : send(req, "application/json", toJson(value, from));
}

const binary = "application/octet-stream";

function toJson(value: object, from: Labelled): string {
  // They would silently become {}.
  if (value instanceof Map || value instanceof Set) {
    throw badResult(from, "a Map or Set is not JSON; give Object.fromEntries(map) or [...set]");
  }
  try {
    const text = JSON.stringify(value) as string | undefined;
    if (text !== undefined) return text;
  } catch (cause) {
    throw badResult(from, `not JSON: ${(cause as Error).message}`, cause);
  }
  throw badResult(from, "not JSON");
}

function send(req: ApacheRequest, type: string, data: string | Uint8Array): Outcome {
  setType(req, type);
  // Long responses are sent at once, with their length if nothing else was written.
  if (data.length > wholeLimit) req[internals].response.announceFile(Buffer.byteLength(data));
  req.write(data);
  return OK;
}

/** Characters or bytes below which the response is buffered and counted by itself. */
const wholeLimit = 65_536;

function badResult({ label }: Labelled, reason: string, cause?: unknown): ModTsError {
  return new ModTsError("MODTS_BAD_RESULT", { name: label, reason }, { cause });
}

/**
 * Sends all parts. A disconnected client stops the producer, a generator after its next part; the
 * handler time-out ends one that waits forever.
 */
export async function sendStream(
  req: ApacheRequest,
  producer: Producer,
  from: Labelled,
): Promise<Outcome> {
  const { signal } = req;
  const stop = (): void => producer.stop();
  signal.addEventListener("abort", stop, { once: true });
  try {
    await sendParts(req, producer, from);
    return OK;
  } catch (error) {
    stop();
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

async function sendParts(req: ApacheRequest, producer: Producer, from: Labelled): Promise<void> {
  for (let isFirst = true; ; isFirst = false) {
    const part = await producer.next();
    if (part.done) return;
    const data = toData(part.value, from);
    // Streamed text is never HTML by default: its end, part of that check, is unknown.
    if (isFirst) setType(req, typeof data === "string" ? "text/plain" : "application/octet-stream");
    const hasRoom = req.write(data);
    // HEAD needs the headers of GET, and so the first part, but not the rest.
    if (req.headerOnly) {
      producer.stop();
      return req.flush();
    }
    if (producer.isLive) await req.flush();
    else if (!hasRoom) await breathe(req);
  }
}

/** Synchronous producers would block other requests. */
async function breathe(req: ApacheRequest): Promise<void> {
  await req.flush();
  await setImmediate();
}

function toData(value: unknown, from: Labelled): string | Uint8Array {
  if (typeof value === "string" || value instanceof Uint8Array) return value;
  throw badResult(from, "a part of a stream must be text or bytes");
}

export interface Producer {
  /** Whether parts arrive over time, so that each is sent at once. */
  readonly isLive: boolean;
  next(): IteratorResult<unknown> | Promise<IteratorResult<unknown>>;
  /** Ends it as `break` ends a loop; never throws. */
  stop(): void;
}

/** Undefined for other values. Arrays, Maps and Sets hold everything already, so they are none. */
export function producerOf(value: object): Producer | undefined {
  if (value instanceof ReadableStream) return fromReader(value.getReader());
  const { [Symbol.asyncIterator]: asyncIterator, [Symbol.iterator]: iterator } = value as Partial<
    AsyncIterable<unknown> & Iterable<unknown>
  >;
  if (typeof asyncIterator === "function") {
    return fromIterator(Reflect.apply(asyncIterator, value, []), true, value as Partial<Readable>);
  }
  const isIterator = typeof Reflect.get(value, "next") === "function";
  if (!isIterator || typeof iterator !== "function") return undefined;
  return fromIterator(Reflect.apply(iterator, value, []), false);
}

function fromReader(reader: ReadableStreamDefaultReader<unknown>): Producer {
  return {
    isLive: true,
    next: () => reader.read() as Promise<IteratorResult<unknown>>,
    stop: () => void reader.cancel().catch(() => {}),
  };
}

function fromIterator(
  iterator: AsyncIterator<unknown> | Iterator<unknown>,
  isLive: boolean,
  stream?: Partial<Readable>,
): Producer {
  return {
    isLive,
    next: () => iterator.next(),
    stop() {
      try {
        // A waiting generator ends after its next part; a stream can be destroyed at once.
        stream?.destroy?.();
        Promise.resolve(iterator.return?.()).catch(() => {});
      } catch {
        // The client has disconnected: errors of the author's clean-up are dropped.
      }
    },
  };
}

/** Sets the content type unless the author did. */
export function setType(req: ApacheRequest, type: string): void {
  const { response } = req[internals];
  if (response.begun || response.contentType !== undefined) return;
  if (req.headersOut.has("Content-Type") || req.errHeadersOut.has("Content-Type")) return;
  req.contentType = type;
}

/**
 * Whether a text is an HTML document from its first character to its last. Attack: `"Hello " +
 * name` with a name ending in `</html>`, or `name + " is here"` with one starting with `<html`.
 */
export function isPage(text: string): boolean {
  return (
    /^[\ufeff\s]*<(?:!doctype html|html)[\s>]/i.test(text) &&
    /<\/html\s*>\s*$/i.test(text.slice(-100))
  );
}

/**
 * Attack: a function returns what was sent, files included, or text beginning with it: HTML made by
 * the client; a form on another site suffices.
 */
export function keepPlain(req: ApacheRequest, text: string, fields: Fields): void {
  if (fields === noFields || !isPage(text)) return;
  const begin = text.trimStart();
  for (const [, value] of fields) {
    const sent = sentText(value, text).trim();
    if (sent !== "" && begin.startsWith(sent)) return setType(req, "text/plain");
  }
}

/** A field as text; empty for files much longer than the compared text. */
function sentText(value: unknown, { length }: string): string {
  if (typeof value === "string") return value;
  const { path, size = Infinity } = Object(value) as Partial<Upload>;
  if (path === undefined || size > 4 * length + mebibyte) return "";
  return attempt(() => readFileSync(path, "utf8"), "");
}

const mebibyte = 1024 ** 2;
