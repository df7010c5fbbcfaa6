/**
 * Applications that answer a web-standard `Request` with a `Response`: Hono and friends, or a function of one's own.
 * They have the place that WSGI applications had in mod_python.
 *
 * @example
 * export default { fetch: (request, { apache }) => new Response(`hello ${apache.user}`) };
 * @module
 */
import { isClass } from "../call-handler.ts";
import { ModTsError } from "../errors.ts";
import type { Handler, HandlerModule, HandlerResult } from "../handler.ts";
import { HttpError } from "../http-error.ts";
import { DECLINED } from "../outcome.ts";
import type { ApplicationContext, ApplicationEnv } from "../request/application-env.ts";
import type { HeldModule } from "../request/internals.ts";
import { type ApacheRequest, internals } from "../request/request.ts";
import { toWebRequest } from "../request/web-request.ts";
import { oncePerSection, SectionOptions } from "../section-options.ts";
import { exportOf, isConnect, notAnApplication } from "./application-module.ts";
import { readBase } from "./application-options.ts";
import { type ApplicationUrl, applicationUrl } from "./application-url.ts";

type Answer = Response | Promise<Response>;

/** What a fetch application is called with and gives. */
export type Fetch = (request: Request, env: ApplicationEnv, context: ApplicationContext) => Answer;

const baseOf = oncePerSection((values) => readBase(new SectionOptions(values, "fetch")));

/** The default export of a module as a content handler. Throws `MODTS_NOT_AN_APPLICATION`. */
export function fetchHandler(module: HandlerModule): Handler {
  const fetch = fetchOf(module, []);
  return (req) => {
    const url = applicationUrl(req, baseOf(req.getOptions()));
    return url ? callFetch(req, fetch, url) : DECLINED;
  };
}

/**
 * The fetch application that a module exports under a name: an object with a method `fetch`, or a function.
 * @throws ModTsError `MODTS_NOT_AN_APPLICATION`, `MODTS_MISSING_EXPORT`
 */
export function fetchOf(module: HeldModule, path: readonly string[]): Fetch {
  const value = exportOf(module, path);
  const method: unknown = Object(value) === value ? Reflect.get(Object(value), "fetch") : undefined;
  if (typeof method === "function") return (...parameters) => method.apply(value, parameters);
  if (typeof value === "function" && !isClass(value) && !isConnect(value)) return value as Fetch;
  throw notAnApplication(
    module,
    value,
    "an object with a method fetch, or a function of a Request",
  );
}

/** Calls an application. Throws, or rejects, with what it throws. */
export function callFetch(
  req: ApacheRequest,
  fetch: Fetch,
  url: ApplicationUrl,
): HandlerResult | Promise<HandlerResult> {
  const context: ApplicationContext = { waitUntil: (promise) => waitUntil(req, promise) };
  const given = fetch(requestOf(req, url.rest), { apache: req, base: url.base }, context);
  return given instanceof Promise ? given.then(requireResponse) : requireResponse(given);
}

function requestOf(req: ApacheRequest, path: string): Request {
  // The web has no such requests (Fetch standard, "forbidden method").
  if (/^(?:connect|trace|track)$/i.test(req.method)) throw new HttpError(501);
  return toWebRequest(req, req[internals].body, path);
}

/** An outcome of ours may stand in place of a response, but nothing does not: somebody forgot a `return`. */
function requireResponse<T>(value: T): T {
  if (value === undefined || value === null) throw new ModTsError("MODTS_NO_RESPONSE");
  return value;
}

function waitUntil(req: ApacheRequest, promise: Promise<unknown>): void {
  // It is waited for later: until then a rejection must not pass for one that nobody handles.
  promise.catch(() => {});
  req.registerCleanup(() => promise);
}
