/** Responses of Apache, or of the server behind it: `fetchOrigin` and `req.internalRedirect`. */
import { ModTsError, badArgument } from "../base/errors.ts";
import { OK } from "../base/outcome.ts";
import { internals, type OriginAccess, type RequestInternals } from "./internals.ts";
import type { RequestFacts } from "./request-facts.ts";
import { decodePath, parseUri } from "./uri.ts";

export const originUnavailableHint =
  "set origin and secret in mod-ts.config.ts and run mod-ts conf, or name a server with Use TsOption mod_ts.origin.url";

type Request = RequestFacts & { readonly [internals]: RequestInternals };

/**
 * The original resource as a web-standard `Response`. The request is forwarded, with changes of
 * `req.headersIn`, to `mod_ts.origin.url`, by default to this Apache, bypassing handlers.
 *
 * Returned unchanged, the response streams to the client. Its body may be transformed: the coding is
 * `identity`, and there is no `Content-Length`.
 * @throws ModTsError `MODTS_ORIGIN_…`
 *
 * @example
 * ```ts
 * export async function handler(req: ApacheRequest) {
 *   const response = await fetchOrigin(req);
 *   response.headers.set("X-Frame-Options", "DENY");
 *   return response;
 * }
 * ```
 */
export function fetchOrigin(req: Request): Promise<Response> {
  return originOf(req).fetch(req);
}

/** Options of an internal redirect. */
export interface InternalRedirectOptions {
  /** Other than GET and HEAD with the body. @default GET, HEAD for a HEAD */
  method?: string;
}

/**
 * Responds with another address of this Apache, like `req.internal_redirect` of mod_python.
 * Resolves with `OK` when the response is on its way.
 */
export async function internalRedirect(
  req: Request,
  uri: string,
  options: InternalRedirectOptions = {},
): Promise<number> {
  const { response, finalizer, exchange } = req[internals];
  if (response.begun) throw new ModTsError("MODTS_HEADERS_SENT", { name: "internalRedirect" });
  const path = requirePath(uri, "internalRedirect");
  const method = options.method ?? (req.headerOnly ? "HEAD" : "GET");
  if (exchange.goesOn && method === req.method) return goOnAt(req, path);
  const origin = originOf(req);
  response.discard();
  // Now: a handler that forgets the await, or catches the error, must not let the content follow.
  req[internals].isRedirected = true;
  // Deadlock: a handler there may open the same session, locked by this request.
  await finalizer?.settle(true);
  await origin.redirect(req, { path, method });
  return OK;
}

/** Apache redirects by itself, in the same thread. */
function goOnAt(req: Request, target: string): number {
  const { path, query } = parseUri(target);
  req[internals].response.discard();
  req.uri = decodePath(path ?? "/");
  req.args = query;
  return OK;
}

/** A resource of this Apache, for the same client. */
export interface SubRequest {
  /** Status and headers of a HEAD. A program as the resource runs for it. */
  lookup(): Promise<Response>;
  /** The response to a GET. */
  run(): Promise<Response>;
}

/** See `req.subRequest`. Throws `MODTS_BAD_ARGUMENT`. */
export function createSubRequest(req: Request, uri: string): SubRequest {
  const path = requirePath(uri, "subRequest");
  const ask = async (method: string): Promise<Response> =>
    originOf(req).fetch(req, { path, method, isPart: true });
  return { lookup: () => ask("HEAD"), run: () => ask("GET") };
}

/** Attack: "//host/path" or "http://host/path" of a client would choose another server. */
function requirePath(uri: string, name: string): string {
  const path = uri.toWellFormed().replace(/[^\x21-\x7e]+/g, encodeURIComponent);
  if (/^\/(?!\/)/.test(path) && !path.includes("#")) return path;
  throw badArgument(name, "must be a path that begins with one / and has no fragment");
}

function originOf(req: Request): OriginAccess {
  const origin = req[internals].toolkit?.origin;
  if (origin) return origin;
  throw new ModTsError("MODTS_ORIGIN_UNSET", originUnavailableHint);
}
