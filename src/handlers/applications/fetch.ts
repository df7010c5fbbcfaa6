/**
 * `mod_ts/fetch`: web-standard applications from `Request` to `Response`; mod_python: WSGI. A
 * default export needs only `Use TsHandler app.ts` (docs/applications.md).
 */
import type { WebSocket } from "ws";
import type { Handler, HandlerModule, HandlerResult } from "../../engine/handler.ts";
import type { ApacheRequest } from "../../request/request.ts";
import { isClass } from "../../engine/phase-runner.ts";
import { ModTsError } from "../../base/errors.ts";
import { HttpError } from "../../base/http-error.ts";
import { DECLINED } from "../../base/outcome.ts";
import { type HeldModule, internals } from "../../request/internals.ts";
import { toWebRequest } from "../../request/web-standard.ts";
import { oncePerSection, SectionOptions } from "../../base/options.ts";
import {
  type ApplicationUrl,
  applicationUrl,
  createApplicationHandler,
  exportOf,
  isConnect,
  notAnApplication,
  readBase,
} from "./application.ts";

export function createFetch(): { handler(req: ApacheRequest): Promise<HandlerResult> } {
  return {
    handler: createApplicationHandler("fetch", ({ req, module, reference, url }) =>
      callFetch(req, fetchOf(module, reference.path), url),
    ),
  };
}

type Answer = Response | Promise<Response>;

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
 * The exported application, an object with a method `fetch` or a function. Throws
 * `MODTS_NOT_AN_APPLICATION`, `MODTS_MISSING_EXPORT`.
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

/** Throws or rejects as the application does. */
export function callFetch(
  req: ApacheRequest,
  fetch: Fetch,
  url: ApplicationUrl,
): HandlerResult | Promise<HandlerResult> {
  const context: ApplicationContext = { waitUntil: (promise) => waitUntil(req, promise) };
  const env: ApplicationEnv = {
    apache: req,
    base: url.base,
    upgradeWebSocket: (open) => upgradeWebSocket(req, open),
  };
  const given = fetch(requestOf(req, url.rest), env, context);
  return given instanceof Promise ? given.then(requireResponse) : requireResponse(given);
}

function requestOf(req: ApacheRequest, path: string): Request {
  // Forbidden methods of the Fetch standard.
  if (/^(?:connect|trace|track)$/i.test(req.method)) throw new HttpError(501);
  return toWebRequest(req, path);
}

/** A `Response` cannot have 101, the status of a handshake. */
function upgradeWebSocket(req: ApacheRequest, open: (socket: WebSocket) => unknown): Response {
  if (req.headersIn.get("upgrade")?.toLowerCase() !== "websocket") {
    return new Response("This URL is for WebSockets.\n", {
      status: 426,
      headers: { Upgrade: "websocket" },
    });
  }
  req[internals].acceptSocket = open;
  return new Response();
}

/** Outcomes are allowed, but a missing value is a forgotten `return`. */
function requireResponse<T>(value: T): T {
  if (value === undefined || value === null) throw new ModTsError("MODTS_NO_RESPONSE");
  return value;
}

function waitUntil(req: ApacheRequest, promise: Promise<unknown>): void {
  // Awaited later: until then a rejection must not count as unhandled.
  promise.catch(() => {});
  req.registerCleanup(() => promise);
}

/** Second argument of a fetch application; Hono: `c.env`. */
export interface ApplicationEnv {
  /** The request as Apache sees it: user, notes, options, log. */
  readonly apache: ApacheRequest;
  /** The part removed from the URL, as sent, e.g. `/app`; else empty. CGI: `SCRIPT_NAME`. */
  readonly base: string;
  /**
   * Accepts the WebSocket of this request: `open` gets it after the handshake. Return the result.
   * Without a handshake it is a 426.
   */
  upgradeWebSocket(open: (socket: WebSocket) => unknown): Response;
}

/** Third argument of a fetch application; Hono: `c.executionCtx`. */
export interface ApplicationContext {
  /** Holds request and module version until the promise has settled. A rejection is logged. */
  waitUntil(promise: Promise<unknown>): void;
}

declare module "node:http" {
  interface IncomingMessage {
    /** The request as Apache sees it, behind mod_ts. */
    apache?: ApacheRequest;
  }
}
