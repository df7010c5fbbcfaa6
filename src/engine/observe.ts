/** Observation of requests: slow log, access log, and the header `Server-Timing`. */
import type { CountedCall } from "../base/counts.ts";
import { ModTsError, report } from "../base/errors.ts";
import { log } from "../base/log.ts";
import type { RequestPhase } from "../request/internals.ts";
import { internals } from "../request/internals.ts";
import type { ApacheRequest } from "../request/request.ts";
import type { Directives } from "./directives.ts";

/** Identifies a call in the log, with its times. */
export interface CallLabel extends CountedCall {
  readonly phase: RequestPhase;
  readonly handler: string;
  /** Milliseconds until the response must have begun. */
  readonly limit: number;
  /** Milliseconds from which on the call is logged; never if 0 or undefined. */
  readonly slow?: number | undefined;
}

/** A finished call. */
export interface Timing {
  readonly label: CallLabel;
  readonly ms: number;
}

/** Logs a call that took longer than `log.slow`. */
export function logSlowCall(
  req: ApacheRequest,
  { phase, handler, slow: limit = 0 }: CallLabel,
  milliseconds: number,
): void {
  const ms = Math.round(milliseconds);
  const error = new ModTsError("MODTS_HANDLER_SLOW", { handler, phase, ms, limit });
  report(error, { ...peerOf(req), fields: { handler, phase, ms } });
}

/**
 * Logs a request. Without its query, which may hold a password or a token.
 * @param began of `performance.now()`
 */
export function logAccess(req: ApacheRequest, directives: Directives, began: number): void {
  const { method, status } = req;
  const [path = ""] = req.unparsedUri.split("?");
  const ms = Math.round((performance.now() - began) * 10) / 10;
  const handler = req[internals].handlerEntry?.handler ?? "";
  const fields = { method, path, status, handler, ms, ...(req.user && { user: req.user }) };
  const isCheck = !directives.handlers.has("handler");
  const subject = isCheck ? "access check" : "request";
  log("info", `${subject}: ${method} ${path} ${status} ${handler} ${ms} ms`, {
    room: "engine",
    ...peerOf(req),
    fields,
  });
}

function peerOf(req: ApacheRequest): { client: string; uniqueId: string } {
  return { client: `${req.useragentIp}:${req.connection.remotePort}`, uniqueId: req.uniqueId };
}

/** For a quoted string in a header: UTF-8 without control characters, which function names may contain. */
function quotable(name: string): string {
  const bytes = Buffer.from(name.slice(0, 200)).toString("latin1");
  return bytes.replace(/[^\x20-\x7e\x80-\xff]/g, " ").replace(/["\\]/g, "\\$&");
}

/** The durations of the calls so far (W3C Server Timing). */
export function addServerTiming(req: ApacheRequest, timings: readonly Timing[]): void {
  if (req[internals].response.begun) return;
  for (const { label, ms } of timings) {
    const name = quotable(label.handler);
    req.errHeadersOut.add("Server-Timing", `${label.phase};dur=${ms.toFixed(2)};desc="${name}"`);
  }
}
