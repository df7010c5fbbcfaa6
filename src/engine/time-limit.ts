/**
 * Time limit of a handler. After the 504 of its request it cannot be stopped, so it is counted and
 * named in the log.
 */
import { ModTsError, report } from "../base/errors.ts";
import { addToVital } from "../base/vitals.ts";
import { internals } from "../request/internals.ts";
import type { ApacheRequest } from "../request/request.ts";
import type { CallLabel } from "./observe.ts";

/**
 * Rejects with `MODTS_HANDLER_TIMEOUT` if the response has not begun in time. A response that has
 * begun may continue (server-sent events) until its client disconnects and the limit passes once
 * more; so may a request body while some of it arrives within each limit (mod_reqtimeout limits
 * slow clients).
 */
export function withinLimit<T>(
  promise: Promise<T>,
  req: ApacheRequest,
  label: CallLabel,
): Promise<T> {
  const { response, exchange } = req[internals];
  const { promise: limited, resolve, reject } = Promise.withResolvers<T>();
  let received = exchange.received;
  const timer = setInterval(() => {
    const isArriving = exchange.received !== received;
    received = exchange.received;
    if ((isArriving || response.begun) && !req.signal.aborted) return;
    const { phase, handler, limit } = label;
    clearInterval(timer);
    trackOverdue(promise, label);
    reject(new ModTsError("MODTS_HANDLER_TIMEOUT", { phase, handler, limit }));
  }, label.limit);
  // By hand: `Promise.race` and `finally` would be six more promises for each call.
  const settle = (outcome: () => void): void => {
    clearInterval(timer);
    outcome();
  };
  Promise.resolve(promise).then(
    (value) => settle(() => resolve(value)),
    (error: unknown) => settle(() => reject(error)),
  );
  return limited;
}

/** Milliseconds after the 504 in which a handler may clean up. */
const graceMs = 5_000;

const named = new Set<string>();

/** Counts `work` until it ends. Its handler is logged once in the life of the process. */
export function trackOverdue(
  work: Promise<unknown>,
  { phase, handler }: { phase: string; handler: string },
): void {
  addToVital("overdue", 1);
  const timer = setTimeout(() => nameOnce(phase, handler), graceMs).unref();
  const end = (): void => {
    clearTimeout(timer);
    addToVital("overdue", -1);
  };
  work.then(end, end);
}

function nameOnce(phase: string, handler: string): void {
  const key = `${phase} ${handler}`;
  if (named.has(key)) return;
  named.add(key);
  const seconds = graceMs / 1000;
  report(new ModTsError("MODTS_HANDLER_OVERDUE", { handler, phase, seconds }));
}
