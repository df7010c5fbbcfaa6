/** Responses of origins: checked, and passed to the client or to a handler as a `Response`. */
import { isModTsError, ModTsError } from "../../base/errors.ts";
import { decodeBase64 } from "../../engine/apache-context.ts";
import { internals } from "../../request/internals.ts";
import type { ApacheRequest } from "../../request/request.ts";
import type { ResponseBuffer } from "../../request/response/response.ts";
import { announceLength } from "../../request/web-standard.ts";
import { endToEnd, hostOf, isProgram } from "./outgoing.ts";
import { ReadBlocks, reclaim } from "./reclaim.ts";
import type { ForeignOrigin } from "./origin-options.ts";
import type { Upstream } from "./proxy.ts";

/** Bytes. */
const largestPiece = 16_384;

const closed = "the connection was closed";

/** Sends a response at the client's speed. Headers set by handlers win. */
export async function copyResponse(req: ApacheRequest, upstream: Upstream): Promise<void> {
  try {
    copyHead(req, upstream);
    await pump(upstream, req[internals].response);
  } catch (error) {
    throw brokenOff(error);
  } finally {
    upstream.destroy();
  }
}

/** Streams the response. Without a length: handlers may change the body. */
export function toResponse(upstream: Upstream): Response {
  const { statusCode: status = 502, statusMessage: statusText } = upstream;
  const headers = new Headers(endToEnd(upstream.rawHeaders));
  const length = headers.get("content-length");
  headers.delete("content-length");
  const isBodiless = status === 204 || status === 205 || status === 304;
  if (isBodiless) upstream.resume();
  const body = isBodiless ? null : ReadableStream.from(chunksOf(upstream));
  const response = new Response(body, { status, statusText: statusText ?? "", headers });
  // Returned unchanged, it keeps the length of the origin.
  if (length !== null) announceLength(response, length);
  return response;
}

function copyHead(req: ApacheRequest, upstream: Upstream): void {
  const { response } = req[internals];
  const { headersOut } = req;
  const status = upstream.statusCode ?? 502;
  const refused = status === 200 ? response.errorStatus : undefined;
  // A head already sent by a handler stays; under another status the body would mean another thing.
  if (response.begun && req.status === (refused ?? status)) return;
  req.status = refused ?? status;
  if (upstream.statusMessage && refused === undefined)
    req.statusLine = `${upstream.statusCode} ${upstream.statusMessage}`;
  response.withoutDefaultType();
  const kept = new Set([...headersOut.keys()].map((name) => name.toLowerCase()));
  if (response.contentType !== undefined) kept.add("content-type");
  for (const [name, value] of endToEnd(upstream.rawHeaders)) {
    const key = name.toLowerCase();
    if (key === "content-length") response.announceFile(Number(value));
    else if (key === "set-cookie" || !kept.has(key)) headersOut.add(name, value);
  }
}

/** By events: an iterator would join buffered chunks, which is memory with many large responses. */
function pump(upstream: Upstream, response: ResponseBuffer): Promise<void> {
  return new Promise((resolve, reject) => {
    // Past events are not repeated for new listeners.
    if (upstream.destroyed) return reject(upstream.errored ?? new Error(closed));
    const blocks = new ReadBlocks(upstream);
    upstream.on("data", (chunk: Buffer) => {
      blocks.handedOn(chunk);
      try {
        // A small body is sent in one piece with the headers. Not behind output of a handler: Apache
        // would serve ranges of what it gets in one piece.
        if (isWhole(upstream, chunk) && !response.written) return response.keep(chunk);
        if (response.lend(chunk, () => reclaim(chunk), true)) return;
      } catch (error) {
        return reject(error);
      }
      upstream.pause();
      response.flush().then(() => upstream.resume(), reject);
    });
    upstream.once("end", resolve).once("error", reject);
    upstream.once("close", () => upstream.complete || reject(new Error(closed)));
  });
}

function isWhole({ complete, readableLength }: Upstream, { length }: Buffer): boolean {
  return complete && readableLength === 0 && length <= largestPiece;
}

async function* chunksOf(upstream: Upstream): AsyncGenerator<Uint8Array> {
  try {
    yield* upstream as AsyncIterable<Uint8Array>;
    // Trap: a body destroyed before it was read ends without an error.
    if (!upstream.complete) throw new Error(closed);
  } catch (error) {
    throw brokenOff(error);
  } finally {
    upstream.destroy();
  }
}

/** Network errors in the middle of a response. Our own errors are about the client. */
function brokenOff(error: unknown): unknown {
  if (isModTsError(error)) return error;
  const { message } = error as Error;
  return new ModTsError("MODTS_ORIGIN_BROKEN", { origin: "the origin", reason: message });
}

export interface Expected {
  readonly req: ApacheRequest;
  /** Name of Apache in messages. */
  readonly origin: string;
  /** Whether Apache was expected without our handlers. */
  readonly isPass: boolean;
}

/**
 * Accepts only responses that Apache marked as those of a callback, from the same virtual host.
 * Throws `MODTS_ORIGIN_REFUSED`, `MODTS_ORIGIN_HIDDEN`; destroys the response.
 */
export function checkResponse(upstream: Upstream, expected: Expected): void {
  const error = findFault(upstream, expected);
  if (!error) return;
  upstream.destroy();
  throw error;
}

function findFault(upstream: Upstream, { req, origin, isPass }: Expected): Error | undefined {
  const mark = upstream.headers["mod-ts-origin"];
  // An older mod_ts.conf names no file.
  const [, root, encoded, handler] =
    /^1;([\w+/=]*);(?:([\w+/=]*);)?([^,]*)$/.exec(String(mark)) ?? [];
  const { statusCode: status = 0 } = upstream;
  // Attack: another program listens on the port while Apache is down, and responds to our users.
  if (root === undefined || handler === undefined) {
    const reason = `status ${status}; is it this Apache, with MOD_TS_ORIGIN and MOD_TS_SECRET as mod-ts conf writes them, mod_remoteip and no other RemoteIPHeader, and the right scheme?`;
    return new ModTsError("MODTS_ORIGIN_REFUSED", { origin, reason });
  }
  // A virtual host bound to one address is not reached at another: then a different one responded.
  if (decodeBase64(root) !== req.documentRoot()) {
    const reason = "another virtual host answered; Use TsOption mod_ts.origin.apache in this one";
    return new ModTsError("MODTS_ORIGIN_REFUSED", { origin, reason });
  }
  // Apache may have redirected the callback: a CGI program to a file, or a directory to its index.
  const { filename } = req[internals].context;
  const file = encoded === undefined ? filename : decodeBase64(encoded);
  if (isPass && isProgram(file) && showsSource(upstream, handler)) {
    return new ModTsError("MODTS_ORIGIN_HIDDEN", { file });
  }
  return undefined;
}

/**
 * Whether httpd's handler for plain files would send the source of a program. That handler is named
 * like the content type, which `Header set` may have changed since, or not at all. Names of real
 * handlers, e.g. PHP's, begin with `application/x-`; without their module, the type is the same.
 *
 * Attack: `Range: bytes=0-` gets the source in a 206. A multipart response hides the file's type.
 */
function showsSource({ statusCode, headers }: Upstream, handler: string): boolean {
  if (statusCode !== 200 && statusCode !== 206) return false;
  const [type = ""] = (headers["content-type"] ?? "").split(";");
  if (["", "default-handler", type.trim()].includes(handler)) return true;
  if (!/^[\w.+-]+\/[\w.+-]+$/.test(handler)) return false;
  return type.trim() === "multipart/byteranges" || !handler.startsWith("application/x-");
}

const names = new Set(["location", "content-location"]);

/** Rewrites absolute URLs of the other server to our paths; httpd: `ProxyPassReverse`. */
export function relocate(upstream: Upstream, origin: ForeignOrigin): void {
  const { rawHeaders } = upstream;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (!names.has((rawHeaders[at] as string).toLowerCase())) continue;
    rawHeaders[at + 1] = publicPath(rawHeaders[at + 1] as string, origin);
  }
}

function publicPath(address: string, origin: ForeignOrigin): string {
  const { base, strip, target } = origin;
  const url = URL.parse(address, "relative://");
  const own = URL.parse(`${target.protocol}//${hostOf(origin)}`);
  if (!url || url.origin !== own?.origin) return address;
  const isBelow = url.pathname === base || url.pathname.startsWith(`${base}/`);
  if (!isBelow) return address;
  const path = strip + (url.pathname.slice(base.length) || "/");
  // Attack: `http://app//evil.example`, without its host, is another server (RFC 3986, 4.2).
  return (path.startsWith("//") ? `/.${path}` : path) + url.search + url.hash;
}
