/**
 * From the way a request ended to its response: what was written, a standard page, or the debug page.
 * @module
 */
import { debugJson, debugPage } from "./debug-page.ts";
import { errorPage } from "./error-page.ts";
import { isModTsError, ModTsError } from "./errors.ts";
import type { HandlerModule } from "./handler.ts";
import type { HttpError } from "./http-error.ts";
import { userPosition } from "./loader/stack.ts";
import { log, textOf } from "./log.ts";
import { DONE, OK, type Outcome } from "./outcome.ts";
import { type ApacheRequest, internals } from "./request/request.ts";

type Headers = readonly (readonly [string, string])[];
const html: Headers = [["Content-Type", "text/html; charset=utf-8"]];

/** How the phases before the response ended. */
export interface Ending {
  readonly outcome: Outcome;
  /** A content handler returned it. */
  readonly response?: Response;
  /** A handler threw it; its status and headers are on the request already. */
  readonly thrown?: HttpError;
  /** Anything else that was thrown: a 500, of which the client learns nothing unless Debug is on. */
  readonly error?: unknown;
}

/** Answers the request. Never rejects: a response that fails on its way is cut off, so that nobody takes it for whole. */
export function respond(
  req: ApacheRequest,
  ending: Ending,
  held: readonly HandlerModule[],
): Promise<void> | void {
  try {
    if ("error" in ending) return respondToFailure(req, ending.error, held);
    if (!ending.response) return respondToOutcome(req, ending);
    const { response } = req[internals];
    return response.sendResponse(ending.response).catch((error: unknown) => cutOff(req, error));
  } catch (error) {
    return cutOff(req, error);
  }
}

function cutOff(req: ApacheRequest, error: unknown): void {
  if (!req.signal.aborted) logFailure(error, req);
  req[internals].response.abort();
}

/**
 * Writes a failure to the error log: its code, what happened, where, and the stack of what caused it. Without a request it
 * belongs to a peer that was not let in, of whom nothing is known that can be trusted.
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
  if (!entry || message.includes(entry.handler)) return "";
  return ` (${entry.handler} in phase ${entry.phase})`;
}

/** Our own errors say it all, unless a line of a handler led there: then that line is what the author looks for. */
function stackBehind(error: Error): unknown {
  return error.cause ?? (userPosition(error) ? error : undefined);
}

function respondToOutcome(req: ApacheRequest, ending: Ending): void {
  const { response } = req[internals];
  const { outcome, thrown } = ending;
  if (outcome === OK || outcome === DONE) {
    if (thrown?.body !== undefined) req.write(thrown.body);
    return response.finish();
  }
  const status = thrown?.status ?? outcome;
  // What a handler knew of its own failure when it chose the answer.
  if (thrown?.cause !== undefined && status >= 500) logFailure(thrown.cause, req);
  if (response.begun) {
    if (status === req.status) return response.finish();
    // Another status comes too late: the connection is going to be broken off, and the log must say why.
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

/** The standard page, or none where Apache has its own. */
function failPlainly(req: ApacheRequest, status: number): void {
  const { response, exchange } = req[internals];
  if (exchange.hasErrorDocuments) return response.fail(status);
  return response.fail(status, html, errorPage(status, req.uniqueId));
}

function respondToFailure(
  req: ApacheRequest,
  error: unknown,
  held: readonly HandlerModule[],
): void {
  const { response } = req[internals];
  if (req.signal.aborted) return response.abort();
  logFailure(error, req);
  const status = error instanceof ModTsError ? error.status : 500;
  if (!req[internals].debug) return failPlainly(req, status);
  const wantsJson = /\bapplication\/json\b/.test(req.headersIn.get("accept") ?? "");
  const type = wantsJson ? "application/json" : "text/html; charset=utf-8";
  const body = wantsJson ? debugJson(error, req, held) : debugPage(error, req, held);
  const headers: Headers = [
    ["Content-Type", type],
    ["Cache-Control", "no-store"],
  ];
  return response.fail(status, headers, body);
}

/** A 401 without a challenge breaks RFC 9110, section 15.5.2; mod_python added the Basic one itself, so do we. */
function challenge(req: ApacheRequest): void {
  const { exchange } = req[internals];
  if (req.errHeadersOut.has("www-authenticate")) return;
  const named = req.getOptions()["realm"];
  // Apache adds one with its AuthName, but only where the client sent no credentials (mod_authnz_fcgi, tried on 2.4.71).
  const isLeftToUs = named !== undefined && req.headersIn.has("authorization");
  if (exchange.hasErrorDocuments && !isLeftToUs) return;
  const realm = named ?? req.hostname ?? "mod_ts";
  req.errHeadersOut.set("www-authenticate", `Basic realm="${realm.replace(/["\\]/g, "\\$&")}"`);
}
