/**
 * From what a published function gave to the response.
 *
 * A number is a value like any other and no status: that is what `HttpError` is for. A function that is returned is not called, as
 * mod_python did, for what it closes over may be more than its author meant to show.
 * @module
 */
import { ModTsError } from "../errors.ts";
import { OK, type Outcome } from "../outcome.ts";
import { type ApacheRequest, internals } from "../request/request.ts";
import { isResponse } from "../request/web-response.ts";
import { isPage, setType } from "./content-type.ts";
import { producerOf } from "./producer.ts";
import { sendStream } from "./send-stream.ts";

/** What the value came from. */
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
  // They would all be {}, and nobody would see why.
  if (value instanceof Map || value instanceof Set) {
    throw badResult(from, "a Map or Set is not JSON; give Object.fromEntries(map) or [...set]");
  }
  try {
    const text = JSON.stringify(value) as string | undefined;
    if (text !== undefined) return text;
  } catch (cause) {
    throw badResult(from, `it is not JSON: ${(cause as Error).message}`, cause);
  }
  throw badResult(from, "it is not JSON");
}

function send(req: ApacheRequest, type: string, data: string | Uint8Array): Outcome {
  setType(req, type);
  // A long answer leaves at once; with its length, if it is all there is.
  if (data.length > wholeLimit) req[internals].response.announceFile(Buffer.byteLength(data));
  req.write(data);
  return OK;
}

/** Characters or bytes that the response keeps until its end, and then counts itself. */
const wholeLimit = 65_536;

function badResult({ label }: Labelled, reason: string, cause?: unknown): ModTsError {
  return new ModTsError("MODTS_BAD_RESULT", { name: label, reason }, { cause });
}
