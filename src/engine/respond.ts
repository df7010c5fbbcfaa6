/** Responses by the ending of a request: written content, a standard page, or the debug page. */
import { debugJson, debugPage } from "./debug-page.ts";
import { errorPage } from "../base/html.ts";
import { isModTsError, ModTsError } from "../base/errors.ts";
import type { HandlerModule } from "./handler.ts";
import { type HttpError, isHttpError } from "../base/http-error.ts";
import { userPosition } from "../loader/stack.ts";
import { log, textOf } from "../base/log.ts";
import type { Outcome } from "../base/outcome.ts";
import { internals, type RequestFinalizer } from "../request/internals.ts";
import type { ApacheRequest } from "../request/request.ts";

type Headers = readonly (readonly [string, string])[];
const html: Headers = [["Content-Type", "text/html; charset=utf-8"]];

/** Ending of the phases before the response. */
export interface Ending {
  readonly outcome: Outcome;
  /** Returned by a content handler. */
  readonly response?: Response;
  /** Thrown by a handler; its status and headers are on the request already. */
  readonly thrown?: HttpError;
  /** Any other error: a 500, hidden from the client unless Debug is on. */
  readonly error?: unknown;
}

export function statusOf(ending: Ending): number {
  if ("error" in ending) return isModTsError(ending.error) ? ending.error.status : 500;
  return ending.response?.status ?? ending.outcome;
}

export function endingOf(error: unknown): Ending {
  return isHttpError(error) ? { outcome: error.outcome, thrown: error } : { outcome: 500, error };
}

/** A session that cannot be saved is a failure, whatever the handler returned. */
export async function settled(finalizer: RequestFinalizer, ending: Ending): Promise<Ending> {
  try {
    await finalizer.settle(!hasFailed(ending));
    return ending;
  } catch (error) {
    // Unread, it would keep its file or connection open.
    void ending.response?.body?.cancel().catch(() => {});
    return "error" in ending ? ending : { outcome: 500, error };
  }
}

/** The error page of a page is thrown as a `HttpError` with the failure as its cause. */
function hasFailed(ending: Ending): boolean {
  return "error" in ending || isModTsError(ending.thrown?.cause);
}

/** A `Response` that cannot be sent: read before, for example, or with a body that fails at once. */
export function respondToBadResponse(
  req: ApacheRequest,
  error: unknown,
  held: readonly HandlerModule[],
): void {
  if (req[internals].response.begun) return cutOff(req, error);
  try {
    respondToFailure(req, error, held);
  } catch (failure) {
    cutOff(req, failure);
  }
}

/** Ends a response that failed midway. */
export function cutOff(req: ApacheRequest, error: unknown): void {
  if (!req.signal.aborted) logFailure(error, req);
  req[internals].response.abort();
}

/**
 * Logs a failure: code, message, position, and the stack of its cause. Without a request it is from
 * a peer that was not admitted, and nothing about it can be trusted.
 */
export function logFailure(error: unknown, req?: ApacheRequest): void {
  const known = isModTsError(error);
  const message = textOf(error);
  log(known ? error.level : "error", req ? message + culprit(message, req) : message, {
    ...(known && { code: error.code }),
    ...(req && {
      client: `${req.useragentIp}:${req.connection.remotePort}`,
      uniqueId: req.uniqueId,
    }),
    ...(error instanceof Error && { error: known ? stackBehind(error) : error }),
  });
}

/** The handler that ran last, for messages that do not name it. */
function culprit(message: string, req: ApacheRequest): string {
  const entry = req[internals].handlerEntry;
  if (!entry || ` ${message} `.includes(` ${entry.handler} `)) return "";
  return ` (${entry.handler} in phase ${entry.phase})`;
}

/**
 * Our own errors need no stack, unless a line of a handler led there. Neither does a system error
 * (`connect ECONNREFUSED`) that the message quotes: its frames are those of Node.js.
 */
function stackBehind(error: Error): unknown {
  const { cause } = error;
  // The loader has logged the lines of the file, once for all requests.
  if (isModTsError(error) && error.code === "MODTS_BUILD_FAILED") return undefined;
  if (cause === undefined) return userPosition(error) ? error : undefined;
  return isSystemError(cause) && !userPosition(cause) && !isHandlerFailure(error)
    ? undefined
    : cause;
}

function isSystemError(cause: unknown): cause is Error {
  if (!(cause instanceof Error)) return false;
  const { code } = cause as NodeJS.ErrnoException;
  return cause.name === "AbortError" || /^(?:E[A-Z]+|ERR_\w+)$/.test(String(code));
}

function isHandlerFailure(error: Error): boolean {
  return isModTsError(error) && error.code === "MODTS_HANDLER_FAILED";
}

/** Sends a status instead of written content. */
export function respondWithStatus(req: ApacheRequest, { outcome, thrown }: Ending): void {
  const { response } = req[internals];
  const status = thrown?.status ?? outcome;
  // The cause given by the handler itself.
  if (thrown?.cause !== undefined && status >= 500) logFailure(thrown.cause, req);
  if (response.begun) {
    if (status === req.status) return response.finish();
    // Too late for another status: the connection is closed, and the log must say why.
    throw new ModTsError("MODTS_HEADERS_SENT", { name: "the status" });
  }
  if (outcome >= 200 && outcome < 300) {
    req.status = status;
    if (thrown?.body !== undefined) req.write(thrown.body);
    return response.finish();
  }
  if (status === 401) challenge(req);
  if (thrown?.body !== undefined) return response.fail(status, [], thrown.body);
  return failPlainly(req, status);
}

/** The standard page, or none if Apache has its own. */
function failPlainly(req: ApacheRequest, status: number): void {
  const { response, exchange } = req[internals];
  if (status >= 400) exchange.bypass?.();
  if (exchange.hasErrorDocuments) return response.fail(status);
  return response.fail(status, html, errorPage(status, req.uniqueId));
}

/** Sends the debug page, or a plain 500 that reveals nothing. */
export function respondToFailure(
  req: ApacheRequest,
  error: unknown,
  held: readonly HandlerModule[],
): void {
  const { response } = req[internals];
  if (req.signal.aborted) return response.abort();
  logFailure(error, req);
  const status = error instanceof ModTsError ? error.status : 500;
  if (!req[internals].context.debug) return failPlainly(req, status);
  req[internals].exchange.bypass?.();
  const wantsJson = /\bapplication\/json\b/.test(req.headersIn.get("accept") ?? "");
  const type = wantsJson ? "application/json" : "text/html; charset=utf-8";
  const body = wantsJson ? debugJson(error, req, held) : debugPage(error, req, held);
  const headers: Headers = [
    ["Content-Type", type],
    ["Cache-Control", "no-store"],
  ];
  return response.fail(status, headers, body);
}

/** RFC 9110, section 15.5.2: a 401 needs a challenge; like mod_python, Basic by default. */
function challenge(req: ApacheRequest): void {
  const { exchange } = req[internals];
  if (req.errHeadersOut.has("www-authenticate")) return;
  const named = req.getOptions()["realm"];
  // Apache adds its own only if the client sent no credentials (mod_authnz_fcgi 2.4.71).
  const isLeftToUs = named !== undefined && req.headersIn.has("authorization");
  if (exchange.hasErrorDocuments && !isLeftToUs) return;
  const realm = named ?? req.hostname ?? "mod_ts";
  req.errHeadersOut.set("www-authenticate", `Basic realm="${realm.replace(/["\\]/g, "\\$&")}"`);
}
