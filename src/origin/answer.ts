/**
 * From the answer of an origin to the client, or to a `Response`.
 * @module
 */
import type { IncomingMessage } from "node:http";
import { isModTsError, ModTsError } from "../errors.ts";
import { type ApacheRequest, internals } from "../request/request.ts";
import type { ResponseBuffer } from "../request/response.ts";
import { announceLength } from "../request/web-response.ts";
import { endToEnd } from "./message-headers.ts";
import { errorStatus } from "./outgoing.ts";
import { ReadBlocks, reclaim } from "./reclaim.ts";

const closed = "the connection was closed";

/** Sends an answer to the client at the client's speed. Headers that handlers have set stay as they are. */
export async function copyAnswer(req: ApacheRequest, answer: IncomingMessage): Promise<void> {
  try {
    copyHead(req, answer);
    await pump(answer, req[internals].response);
  } catch (error) {
    throw brokenOff(error);
  } finally {
    answer.destroy();
  }
}

/** A response that streams the answer. It names no length: its body is there to be changed. */
export function toResponse(answer: IncomingMessage): Response {
  const { statusCode: status = 502, statusMessage: statusText } = answer;
  const headers = new Headers();
  const raw = endToEnd(answer.rawHeaders);
  for (let at = 0; at < raw.length; at += 2)
    headers.append(raw[at] as string, raw[at + 1] as string);
  const length = headers.get("content-length");
  headers.delete("content-length");
  const isBodiless = status === 204 || status === 205 || status === 304;
  if (isBodiless) answer.resume();
  const body = isBodiless ? null : ReadableStream.from(chunksOf(answer));
  const response = new Response(body, { status, statusText: statusText ?? "", headers });
  // Returned as it is, it has the length that the origin said.
  if (length !== null) announceLength(response, length);
  return response;
}

function copyHead(req: ApacheRequest, answer: IncomingMessage): void {
  const { response } = req[internals];
  const { headersOut } = req;
  const status = answer.statusCode ?? 502;
  const refused = status === 200 ? errorStatus(req) : undefined;
  // Behind a long page of a handler, whose head has left, the body alone follows; under another status it would mean something else.
  if (response.begun && req.status === (refused ?? status)) return;
  req.status = refused ?? status;
  if (answer.statusMessage && refused === undefined)
    req.statusLine = `${answer.statusCode} ${answer.statusMessage}`;
  response.withoutDefaultType();
  const kept = new Set([...headersOut.keys()].map((name) => name.toLowerCase()));
  if (response.contentType !== undefined) kept.add("content-type");
  const raw = endToEnd(answer.rawHeaders);
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] as string;
    const value = raw[at + 1] as string;
    const key = name.toLowerCase();
    if (key === "content-length") response.announceFile(Number(value));
    else if (key === "set-cookie" || !kept.has(key)) headersOut.add(name, value);
  }
}

/** By events, as an iterator would join what has come meanwhile: with a hundred large answers on their way that is memory. */
function pump(answer: IncomingMessage, response: ResponseBuffer): Promise<void> {
  return new Promise((resolve, reject) => {
    // What an answer has told before anybody listened it does not tell again.
    if (answer.destroyed) return reject(answer.errored ?? new Error(closed));
    const blocks = new ReadBlocks(answer);
    answer.on("data", (chunk: Buffer) => {
      blocks.handedOn(chunk);
      try {
        if (response.give(chunk, () => reclaim(chunk))) return;
      } catch (error) {
        return reject(error);
      }
      answer.pause();
      response.flush().then(() => answer.resume(), reject);
    });
    answer.once("end", resolve).once("error", reject);
    answer.once("close", () => answer.complete || reject(new Error(closed)));
  });
}

async function* chunksOf(answer: IncomingMessage): AsyncGenerator<Uint8Array> {
  try {
    yield* answer as AsyncIterable<Uint8Array>;
    // Trap: the body of one that was destroyed before anybody read it ends without an error.
    if (!answer.complete) throw new Error(closed);
  } catch (error) {
    throw brokenOff(error);
  } finally {
    answer.destroy();
  }
}

/** What the stream says of a connection that ended in the middle. Our own errors speak of the client's side. */
function brokenOff(error: unknown): unknown {
  if (isModTsError(error)) return error;
  const { message } = error as Error;
  return new ModTsError("MODTS_ORIGIN_BROKEN", { origin: "the origin", reason: message });
}
